// A standing-by replica's side of the record: takes over every row of the one that leads, so that
// it answers pods as that one does, and can go on where it ends. Dials again for ever.

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { encodeValue } from './replica-lines.ts';
import {
  recordTables,
  type FollowerLine,
  type LeaderLine,
  type ReplicaConnection,
  type ReplicaLink,
  type Row,
  type RowTables,
} from './replica-port.ts';

export interface Follower {
  /** Holds all that the leader holds, as far as it can be known. */
  isCurrent(): boolean;
  /** The leader is heard, and its session with the coordinator is open. */
  isSessionOpen(): boolean;
  stop(): Promise<void>;
}

// The leader gives a sign of life every two seconds.
const silenceMs = 8_000;
const retryMinMs = 250;
const retryMaxMs = 5_000;
// Rows that are compared or kept in one turn of the event loop.
const sliceRows = 500;

export function followLeader(options: {
  readonly link: ReplicaLink;
  /** Asked at each try; undefined while nobody leads. */
  readonly address: () => string | undefined;
  readonly tables: RowTables;
  /** Durable rows that differ from those before. */
  readonly onRows: (rows: readonly Row[]) => void;
  /** A try failed: the key that both should hold may have changed. */
  readonly onRefused: () => Promise<void>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): Follower {
  return new RunningFollower(options);
}

class RunningFollower implements Follower {
  readonly #options: Parameters<typeof followLeader>[0];
  #connection: ReplicaConnection<FollowerLine> | undefined;
  /** Of everything that is being told; undefined when all was. */
  #incoming: Map<string, Row> | undefined = new Map();
  #isCurrent = false;
  #isSessionOpen = false;
  #isStopped = false;
  #failures = 0;
  #retry: Timer | undefined;
  #silence: Timer | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: Parameters<typeof followLeader>[0]) {
    this.#options = options;
    this.#dial();
  }

  isCurrent(): boolean {
    return this.#isCurrent;
  }

  isSessionOpen(): boolean {
    return this.#isCurrent && this.#isSessionOpen;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry?.cancel();
    this.#silence?.cancel();
    this.#connection?.end();
    this.#connection = undefined;
    await this.#work;
  }

  #dial(): void {
    if (this.#isStopped) return;
    const { link, address, log } = this.#options;
    const at = address();
    if (at === undefined) return this.#again(retryMinMs);
    this.#incoming = new Map();
    const current: { connection?: ReplicaConnection<FollowerLine> } = {};
    const isThis = (): boolean => this.#connection === current.connection && !this.#isStopped;
    current.connection = link.connect(at, {
      onLine: (line) => {
        if (!isThis()) return;
        this.#heard();
        this.#work = this.#work
          .then(() => (isThis() ? this.#take(line) : undefined))
          .catch((error: unknown) => {
            log.warn('a row of the leader was not kept', { error: describeError(error) });
            this.#end('not kept');
          });
      },
      onEnd: (reason) => {
        if (isThis()) this.#end(reason);
      },
    });
    this.#connection = current.connection;
    this.#heard();
  }

  #heard(): void {
    this.#silence?.cancel();
    this.#silence = this.#options.clock.after(silenceMs, () => this.#end('silent'));
  }

  #end(reason: string): void {
    if (this.#connection === undefined || this.#isStopped) return;
    const { chance, log, onRefused } = this.#options;
    this.#connection.end();
    this.#connection = undefined;
    this.#silence?.cancel();
    this.#isSessionOpen = false;
    const wasGood = this.#incoming === undefined;
    if (wasGood) log.info('the leading replica is no longer heard', { reason });
    this.#failures = wasGood ? 1 : this.#failures + 1;
    const ceiling = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failures, 10));
    const delayMs = Math.round(ceiling * (0.5 + chance.fraction() / 2));
    if (wasGood) return this.#again(delayMs);
    void onRefused().finally(() => this.#again(delayMs));
  }

  #again(delayMs: number): void {
    this.#retry?.cancel();
    if (!this.#isStopped) this.#retry = this.#options.clock.after(delayMs, () => this.#dial());
  }

  async #take(line: LeaderLine): Promise<void> {
    switch (line.kind) {
      case 'rows':
        for (const row of line.rows) this.#incoming?.set(toRowName(row), row);
        return;
      case 'current': {
        const rows = this.#incoming ?? new Map<string, Row>();
        await this.#replaceAll(rows);
        this.#incoming = undefined;
        this.#isCurrent = true;
        this.#connection?.send({ kind: 'durable', number: line.number });
        this.#options.log.info('this replica follows the leading one', { rows: rows.size });
        return;
      }
      case 'commit':
        await this.#keep(line.rows);
        this.#connection?.send({ kind: 'durable', number: line.number });
        return;
      case 'state':
        this.#isSessionOpen = line.isSessionOpen;
    }
  }

  async #keep(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    await this.#options.tables.commit(rows);
    this.#options.onRows(rows);
  }

  /**
   * Makes ours the same as theirs, in slices. Until the facts are in, which come last, the record
   * says that it knows nothing: half of it must not pass for the whole.
   */
  async #replaceAll(theirs: ReadonlyMap<string, Row>): Promise<void> {
    const changes = await this.#compare(theirs);
    if (changes.length === 0) return;
    const unsaid = ['viewRevision', 'receipt'].map((key) => ({
      table: 'facts',
      key,
      value: undefined,
    }));
    await this.#options.tables.commit(unsaid);
    const isFact = ({ table }: Row): boolean => table === 'facts';
    const others = changes.filter((row) => !isFact(row));
    for (let start = 0; start < others.length; start += sliceRows) {
      await this.#keep(others.slice(start, start + sliceRows));
      await this.#nextTurn();
    }
    const gone = changes.filter((row) => isFact(row) && row.value === undefined);
    await this.#keep([...gone, ...[...theirs.values()].filter(isFact)]);
  }

  async #compare(theirs: ReadonlyMap<string, Row>): Promise<readonly Row[]> {
    const wanted = new Map(theirs);
    const gone: Row[] = [];
    for (const table of recordTables) {
      let compared = 0;
      // Read at once: others may commit between two turns.
      const own = Array.from(this.#options.tables.load(table));
      for (const [key, value] of own) {
        const at = toRowName({ table, key });
        const row = wanted.get(at);
        if (row?.value === undefined) gone.push({ table, key, value: undefined });
        else if (encodeValue(row.value) === encodeValue(value)) wanted.delete(at);
        compared += 1;
        if (compared % sliceRows === 0) await this.#nextTurn();
      }
      await this.#nextTurn();
    }
    // Told and taken back while everything was told.
    const kept = [...wanted].filter(([, { value }]) => value !== undefined);
    return [...gone, ...kept.map(([, row]) => row)];
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.soon(resolve));
  }
}

function toRowName({ table, key }: Pick<Row, 'table' | 'key'>): string {
  return `${table} ${key}`;
}
