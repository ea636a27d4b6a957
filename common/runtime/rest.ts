// Writes share the turns of the event loop: each step of one asks first whether the turn has been
// long enough, and goes on in a later one if so.
//
//   R1. A burst of small writes, or one write of a large object, costs many short turns and not a
//       long one (I11). Who rests goes on in the order in which he began to.
//   R2. Nobody rests while there is time: a lone small write ends in the turn in which it began.

import { turnTimeOf, type TurnClock } from './turn-time.ts';

/** Undefined when there is time to go on at once. */
export type Rest = () => Promise<void> | undefined;

/** What writes may use of a turn before they rest; the last step of it, some 2 ms, may go beyond. */
export const restAfterMs = 1;

const rests = new WeakMap<object, Rest>();

/** One for all who share a clock: what the API does, what its store tells, what is collected. */
export function restOf(clock: TurnClock): Rest {
  const known = rests.get(clock);
  if (known !== undefined) return known;
  const rest = createRest(clock);
  rests.set(clock, rest);
  return rest;
}

function createRest(clock: TurnClock): Rest {
  const time = turnTimeOf(clock);
  let startMs: number | undefined;
  // A turn has two halves: what comes in, and then what rested.
  let isFirstHalf = false;
  const usedMs = (): number => (startMs === undefined ? 0 : clock.monotonicMs() - startMs);
  const end = (): void => {
    if (isFirstHalf && usedMs() >= restAfterMs) {
      isFirstHalf = false; // what it has used up the other has not
      clock.soon(end);
    } else startMs = undefined;
  };
  const isLate = (rested: boolean): boolean => {
    if (startMs !== undefined) return usedMs() >= restAfterMs || time.isLate(usedMs());
    time.usedMs();
    startMs = clock.monotonicMs();
    isFirstHalf = !rested;
    clock.soon(end);
    return false;
  };
  const wait = (resume: () => void): void => {
    clock.soon(() => {
      if (isLate(true)) wait(resume);
      else resume();
    });
  };
  return () => (isLate(false) ? new Promise<void>((resolve) => wait(resolve)) : undefined);
}
