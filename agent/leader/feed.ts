// The leading replica's side of the record: each commit is made here and at the others, and stands
// when both have it. Whoever leads next has then applied no older view (I2).
//
//   F1. A replica is told everything first, in slices, then what was committed meanwhile, then each
//       commit, in order. It counts as one that follows when it says that it has everything.
//   F2. One that does not answer in time is let go: a replica that hangs stops nobody. It comes
//       back, is told everything again, and does not count until then.

import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import {
  recordTables,
  type FollowerLine,
  type LeaderLine,
  type ReplicaConnection,
  type ReplicaHandler,
  type Row,
  type RowTables,
} from './replica-port.ts';

export interface RecordFeed {
  /** Tables whose commits reach every replica that follows. */
  share(tables: RowTables): RowTables;
  /** A replica has come; undefined while nothing is shared, or there are too many. */
  accept(connection: ReplicaConnection<LeaderLine>): ReplicaHandler<FollowerLine> | undefined;
  /** Nothing is shared any more; ends every connection. */
  stop(): void;
}

const rowsInLine = 500;
const followersMax = 8;
const answerMs = 1_000;
// Everything has to reach its disk.
const everythingMs = 60_000;
const stateEveryMs = 2_000;

interface Follower {
  readonly connection: ReplicaConnection<LeaderLine>;
  readonly waiting: Map<number, () => void>;
  /** Commits since it came, while it is told everything; undefined when it was. */
  backlog: (readonly Row[])[] | undefined;
  isCurrent: boolean;
  state: Timer | undefined;
}

export function createRecordFeed(options: {
  readonly isSessionOpen: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}): RecordFeed {
  return new Feed(options);
}

class Feed implements RecordFeed {
  readonly #options: Parameters<typeof createRecordFeed>[0];
  readonly #followers = new Set<Follower>();
  /** Not durable here yet. */
  readonly #pending = new Set<readonly Row[]>();
  #shared: RowTables | undefined;
  #last = 0;

  constructor(options: Parameters<typeof createRecordFeed>[0]) {
    this.#options = options;
  }

  share(own: RowTables): RowTables {
    this.#shared = own;
    return { load: (table) => own.load(table), commit: (rows) => this.#commit(own, rows) };
  }

  accept(connection: ReplicaConnection<LeaderLine>): ReplicaHandler<FollowerLine> | undefined {
    const shared = this.#shared;
    if (shared === undefined || this.#followers.size >= followersMax) return undefined;
    const follower: Follower = {
      connection,
      waiting: new Map(),
      backlog: [...this.#pending],
      isCurrent: false,
      state: undefined,
    };
    this.#followers.add(follower);
    this.#tellState(follower);
    this.#tellAll(follower, shared).catch((error: unknown) =>
      this.#drop(follower, describeError(error)),
    );
    return {
      onLine: ({ number }) => follower.waiting.get(number)?.(),
      onEnd: (reason) => this.#drop(follower, reason),
    };
  }

  stop(): void {
    this.#shared = undefined;
    for (const follower of this.#followers) this.#drop(follower, 'this replica leads no more');
  }

  async #commit(own: RowTables, rows: readonly Row[]): Promise<void> {
    this.#pending.add(rows);
    const told = [...this.#followers].map((follower) => this.#tellCommit(follower, rows));
    try {
      await Promise.all([own.commit(rows), ...told]);
    } finally {
      this.#pending.delete(rows);
    }
  }

  #tellCommit(follower: Follower, rows: readonly Row[]): Promise<void> {
    if (follower.backlog !== undefined) {
      follower.backlog.push(rows);
      return Promise.resolve();
    }
    const withinMs = follower.isCurrent ? answerMs : everythingMs;
    const told = this.#ask(follower, (number) => ({ kind: 'commit', number, rows }), withinMs);
    return follower.isCurrent ? told : Promise.resolve();
  }

  /** F1. A turn of the event loop per line. */
  async #tellAll(follower: Follower, from: RowTables): Promise<void> {
    for (const table of recordTables) {
      await this.#nextTurn();
      const all = [...from.load(table)];
      for (let start = 0; start < all.length; start += rowsInLine) {
        await this.#nextTurn();
        const slice = all.slice(start, start + rowsInLine);
        const rows = slice.map(([key, value]) => ({ table, key, value }));
        if (!this.#send(follower, { kind: 'rows', rows })) return;
      }
    }
    for (const rows of follower.backlog ?? []) this.#send(follower, { kind: 'rows', rows });
    follower.backlog = undefined;
    await this.#ask(follower, (number) => ({ kind: 'current', number }), everythingMs);
    follower.isCurrent = this.#followers.has(follower);
    if (follower.isCurrent)
      this.#options.log.info('a replica follows', { replicas: this.#count() });
  }

  /** Resolves when it has it on disk, or was let go (F2). */
  #ask(
    follower: Follower,
    toLine: (number: number) => LeaderLine,
    withinMs: number,
  ): Promise<void> {
    this.#last += 1;
    const number = this.#last;
    return new Promise((resolve) => {
      const late = `no answer in ${withinMs} ms`;
      const timer = this.#options.clock.after(withinMs, () => this.#drop(follower, late));
      follower.waiting.set(number, () => {
        timer.cancel();
        follower.waiting.delete(number);
        resolve();
      });
      if (!this.#send(follower, toLine(number))) follower.waiting.get(number)?.();
    });
  }

  #tellState(follower: Follower): void {
    const isSessionOpen = this.#options.isSessionOpen();
    if (!this.#send(follower, { kind: 'state', isSessionOpen })) return;
    follower.state = this.#options.clock.after(stateEveryMs, () => this.#tellState(follower));
  }

  #send(follower: Follower, line: LeaderLine): boolean {
    if (!this.#followers.has(follower)) return false;
    if (follower.connection.send(line)) return true;
    this.#drop(follower, 'it does not read');
    return false;
  }

  #drop(follower: Follower, reason: string): void {
    if (!this.#followers.delete(follower)) return;
    follower.state?.cancel();
    follower.connection.end();
    for (const wake of follower.waiting.values()) wake();
    if (follower.isCurrent) this.#options.log.info('a replica no longer follows', { reason });
  }

  #count(): number {
    return [...this.#followers].filter(({ isCurrent }) => isCurrent).length;
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.soon(resolve));
  }
}
