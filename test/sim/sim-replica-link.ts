// ReplicaLink between the pods of one simulated cluster: lines in order, in memory, within a
// millisecond; a pod that is gone resets, one that is stopped lets lines wait.

import type { Clock } from '../../common/runtime/clock.ts';
import type {
  FollowerLine,
  LeaderLine,
  ReplicaConnection,
  ReplicaHandler,
  ReplicaLink,
} from '../../agent/leader/replica-port.ts';
import type { SimProcess } from './sim-process.ts';

type Accept = Parameters<ReplicaLink['listen']>[0];

const travelMs = 1;

export class ReplicaNetwork {
  readonly #clock: Clock;
  readonly #listening = new Map<
    number,
    { readonly process: SimProcess; readonly accept: Accept }
  >();
  #lastPort = 30_000;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  link(process: SimProcess): ReplicaLink {
    return {
      listen: (accept) => {
        this.#lastPort += 1;
        const port = this.#lastPort;
        this.#listening.set(port, { process, accept });
        const close = (): Promise<void> => {
          this.#listening.delete(port);
          return Promise.resolve();
        };
        return Promise.resolve({ port, close });
      },
      connect: (address, handler) => this.#connect(process, address, handler),
    };
  }

  #connect(
    process: SimProcess,
    address: string,
    handler: ReplicaHandler<LeaderLine>,
  ): ReplicaConnection<FollowerLine> {
    const clock = this.#clock;
    const at = Number(address.slice(address.lastIndexOf(':') + 1));
    const follower: Side<LeaderLine> = { process, handler, isOver: false };
    const leader: Side<FollowerLine> = { process: undefined, handler: undefined, isOver: false };
    const end = (reason: string): void => {
      endSide(clock, follower, reason);
      endSide(clock, leader, reason);
    };
    clock.after(travelMs, () => {
      const there = this.#listening.get(at);
      if (there?.process.isAlive !== true) return end('connection refused');
      leader.process = there.process;
      there.process.run(() => {
        leader.handler = there.accept({
          send: (line) => sendTo(clock, follower, line),
          end: () => end('ended by the leading replica'),
        });
        if (leader.handler === undefined) end('nobody leads there');
      });
      this.#watchDeath(follower, leader, end);
    });
    return {
      send: (line) => sendTo(clock, leader, line),
      end: () => end('ended by the replica'),
    };
  }

  /** The kernel of a process that is gone resets its connections. */
  #watchDeath(a: Side<LeaderLine>, b: Side<FollowerLine>, end: (reason: string) => void): void {
    if (a.isOver) return;
    if (a.process?.isAlive !== true || b.process?.isAlive !== true) return end('connection reset');
    this.#clock.after(100, () => this.#watchDeath(a, b, end));
  }
}

interface Side<Line> {
  process: SimProcess | undefined;
  handler: ReplicaHandler<Line> | undefined;
  isOver: boolean;
}

function sendTo<Line>(clock: Clock, side: Side<Line>, line: Line): boolean {
  if (side.isOver) return false;
  const copy = structuredClone(line);
  clock.after(travelMs, () =>
    side.process?.run(() => {
      if (!side.isOver) side.handler?.onLine(copy);
    }),
  );
  return true;
}

function endSide<Line>(clock: Clock, side: Side<Line>, reason: string): void {
  if (side.isOver) return;
  side.isOver = true;
  clock.after(travelMs, () => side.process?.run(() => side.handler?.onEnd(reason)));
}
