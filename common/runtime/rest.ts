// Writes share the turns of the event loop: each step of one asks first whether the turn has been
// long enough, and goes on in a later one if so.
//
//   R1. A burst of small writes, or one write of a large object, costs many short turns and not a
//       long one (I11). Who rests goes on in the order in which he began to.
//   R2. Nobody rests while there is time: a lone small write ends in the turn in which it began.

import type { Clock } from './clock.ts';

/** Undefined when there is time to go on at once. */
export type Rest = () => Promise<void> | undefined;

/**
 * What writes may use of a turn before they rest. Twice in one turn (what came in, then what
 * rested), with a last step of some 2 ms each, it is less than the 10 ms of a turn.
 */
export const restAfterMs = 2;
/** One large step: with as much again the turn would be too long. */
const longMs = 4;

/** One for all writes of a process. */
export function createRest(clock: Pick<Clock, 'monotonicMs' | 'soon'>): Rest {
  let startMs: number | undefined;
  let isLong = false;
  const usedMs = (): number => (startMs === undefined ? 0 : clock.monotonicMs() - startMs);
  /** What comes in and what rested are two halves of a turn: after a long one there is no other. */
  const endHalf = (): void => {
    if (!isLong && usedMs() >= longMs) {
      isLong = true;
      clock.soon(endHalf);
      return;
    }
    [startMs, isLong] = [undefined, false];
  };
  const isLate = (): boolean => {
    if (startMs !== undefined) return usedMs() >= restAfterMs;
    startMs = clock.monotonicMs();
    clock.soon(endHalf);
    return false;
  };
  const wait = (resume: () => void): void => {
    clock.soon(() => {
      if (isLate()) wait(resume);
      else resume();
    });
  };
  return () => (isLate() ? new Promise<void>((resolve) => wait(resolve)) : undefined);
}
