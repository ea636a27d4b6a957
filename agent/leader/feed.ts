// The leading replica's side of the record: each commit is made here and at the others, and stands
// when both have it. Whoever leads next has then applied no older view (I2).
//
//   F1. A replica is told everything first, then each commit in order.
//   F2. One that does not answer in time is let go: a replica that hangs stops nobody. It comes
//       back, is told everything again, and is not current until then.

import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type {
  FollowerLine,
  LeaderLine,
  ReplicaConnection,
  ReplicaHandler,
  Row,
  RowTables,
} from './replica-port.ts';

export interface RecordFeed {
  /** Tables whose commits reach every replica that follows. */
  share(tables: RowTables): RowTables;
  /** A replica has come; undefined while nothing is shared, or there are too many. */
  accept(connection: ReplicaConnection<LeaderLine>): ReplicaHandler<FollowerLine> | undefined;
  /** Nothing is shared any more; ends every connection. */
  stop(): void;
}

const tables = ['facts', 'shards', 'orders', 'peers'] as const;
const rowsInLine = 500;
const followersMax = 8;
const answerMs = 1_000;
const stateEveryMs = 2_000;

interface Follower {
  readonly connection: ReplicaConnection<LeaderLine>;
  readonly waiting: Map<number, () => void>;
  state: Timer | undefined;
}

export function createRecordFeed(options: {
  readonly isSessionOpen: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}): RecordFeed {
  const { clock, log } = options;
  const followers = new Set<Follower>();
  const pending = new Map<number, readonly Row[]>();
  let shared: RowTables | undefined;
  let last = 0;

  const drop = (follower: Follower, reason: string): void => {
    if (!followers.delete(follower)) return;
    follower.state?.cancel();
    follower.connection.end();
    for (const wake of follower.waiting.values()) wake();
    log.info('a replica no longer follows', { reason });
  };
  const send = (follower: Follower, line: LeaderLine): void => {
    if (!follower.connection.send(line)) drop(follower, 'it does not read');
  };
  const tellCommit = (follower: Follower, number: number, rows: readonly Row[]): Promise<void> =>
    new Promise((resolve) => {
      const timer = clock.after(answerMs, () => drop(follower, `no answer in ${answerMs} ms`));
      follower.waiting.set(number, () => {
        timer.cancel();
        follower.waiting.delete(number);
        resolve();
      });
      send(follower, { kind: 'commit', number, rows });
    });
  const tellState = (follower: Follower): void => {
    send(follower, { kind: 'state', isSessionOpen: options.isSessionOpen() });
    if (followers.has(follower)) {
      follower.state = clock.after(stateEveryMs, () => tellState(follower));
    }
  };

  /** F1. What is not durable yet is not among the rows, and follows as commits. */
  const tellAll = (follower: Follower, from: RowTables): void => {
    let rows: Row[] = [];
    const flush = (): void => {
      if (rows.length > 0) send(follower, { kind: 'rows', rows });
      rows = [];
    };
    for (const table of tables) {
      for (const [key, value] of from.load(table)) {
        rows.push({ table, key, value });
        if (rows.length === rowsInLine) flush();
      }
    }
    flush();
    send(follower, { kind: 'current', number: last });
    for (const [number, each] of pending) void tellCommit(follower, number, each);
    tellState(follower);
  };

  return {
    share: (own) => {
      shared = own;
      return {
        load: (table) => own.load(table),
        commit: async (rows) => {
          last += 1;
          const number = last;
          pending.set(number, rows);
          const told = [...followers].map((follower) => tellCommit(follower, number, rows));
          try {
            await Promise.all([own.commit(rows), ...told]);
          } finally {
            pending.delete(number);
          }
        },
      };
    },
    accept: (connection) => {
      if (shared === undefined || followers.size >= followersMax) return undefined;
      const follower: Follower = { connection, waiting: new Map(), state: undefined };
      followers.add(follower);
      log.info('a replica follows', { replicas: followers.size });
      tellAll(follower, shared);
      return {
        onLine: ({ number }) => follower.waiting.get(number)?.(),
        onEnd: (reason) => drop(follower, reason),
      };
    },
    stop: () => {
      shared = undefined;
      for (const follower of followers) drop(follower, 'this replica leads no more');
    },
  };
}
