// A standing-by replica's side of the record: takes over every row of the one that leads, so that
// it answers pods as that one does, and can go on where it ends. Dials again for ever.

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { encodeValue } from './replica-lines.ts';
import type {
  FollowerLine,
  LeaderLine,
  ReplicaConnection,
  ReplicaLink,
  Row,
  RowTables,
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
  #incoming: Row[] | undefined = [];
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
    this.#incoming = [];
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
        this.#incoming?.push(...line.rows);
        return;
      case 'current': {
        const rows = this.#incoming;
        if (rows === undefined) return;
        await this.#keep(toDifference(this.#options.tables, rows));
        this.#incoming = undefined;
        this.#isCurrent = true;
        this.#options.log.info('this replica follows the leading one', { rows: rows.length });
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
}

/** What makes ours the same as theirs. */
function toDifference(own: RowTables, theirs: readonly Row[]): readonly Row[] {
  const wanted = new Map(theirs.map((row) => [`${row.table} ${row.key}`, row]));
  const rows: Row[] = [];
  for (const table of ['facts', 'shards', 'orders', 'peers']) {
    for (const [key, value] of own.load(table)) {
      const at = `${table} ${key}`;
      const row = wanted.get(at);
      if (row === undefined) rows.push({ table, key, value: undefined });
      else if (encodeValue(row.value) === encodeValue(value)) wanted.delete(at);
    }
  }
  return [...rows, ...wanted.values()];
}
