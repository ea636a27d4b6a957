// Requests are taken up for a few milliseconds of a turn; what came with them waits for the next.
//
//   P1. A thousand streams that arrive together, on however many connections, cost many short
//       turns and not one long one (I11). They are taken up in the order in which they came.
//   P2. Nothing waits while there is time: a lone request is taken up where it arrives.

import type { Clock } from '../../../common/runtime/clock.ts';

/** What taking up and the promises that follow it at once may use of a turn. */
const turnMs = 4;

/** `take` is called with each that was given, now or in a later turn. */
export function paceTurns<T>(clock: Clock, take: (one: T) => void): (one: T) => void {
  let waiting: T[] = []; // bounded by the streams of all connections
  let startMs: number | undefined;
  const isLate = (): boolean => startMs !== undefined && clock.monotonicMs() - startMs >= turnMs;
  const endTurn = (): void => {
    startMs = clock.monotonicMs();
    let taken = 0;
    while (taken < waiting.length && !isLate()) {
      const one = waiting[taken];
      taken += 1;
      if (one !== undefined) take(one);
    }
    waiting = waiting.slice(taken);
    if (taken === 0) startMs = undefined;
    else clock.soon(endTurn);
  };
  return (one) => {
    if (startMs === undefined) {
      startMs = clock.monotonicMs();
      clock.soon(endTurn);
    }
    if (waiting.length > 0 || isLate()) waiting.push(one);
    else take(one);
  };
}
