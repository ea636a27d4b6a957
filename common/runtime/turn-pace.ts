// Work is taken up for a few milliseconds of a turn; what came with it waits for the next.
//
//   P1. A thousand streams that arrive together, on however many connections, cost many short
//       turns and not one long one (I11). They are taken up in the order in which they came.
//   P2. Nothing waits while there is time: a lone request is taken up where it arrives.
//   P3. The promises that follow one are in the time as well. They run between two callbacks of
//       the event loop and not within one: so each callback takes up one.

import type { Steps } from '../pure/steps.ts';
import type { Clock } from './clock.ts';

/** What taking up and the promises that follow it at once may use of a turn. */
const turnMs = 4;
/** Where they arrive, on one connection, many are one callback (P3). */
const inPlaceMax = 4;
/** More is not done in the time. */
const perTurnMax = 64;

/** `take` is called with each that was given, now or in a later turn. */
export function paceTurns<T>(clock: Clock, take: (one: T) => void): (one: T) => void {
  let waiting: T[] = []; // bounded by the streams of all connections
  let taken = 0; // of those waiting
  let inPlace = 0;
  let startMs: number | undefined;
  const isLate = (): boolean => startMs !== undefined && clock.monotonicMs() - startMs >= turnMs;
  const takeNext = (): void => {
    const one = waiting[taken];
    if (one === undefined || isLate()) return;
    taken += 1;
    take(one);
  };
  const planTurn = (): void => {
    clock.soon(beginTurn);
    for (let more = Math.min(waiting.length, perTurnMax); more > 0; more -= 1) clock.soon(takeNext);
  };
  const beginTurn = (): void => {
    waiting = waiting.slice(taken);
    [taken, inPlace] = [0, 0];
    startMs = waiting.length === 0 ? undefined : clock.monotonicMs();
    if (startMs !== undefined) planTurn();
  };
  return (one) => {
    if (startMs === undefined) {
      startMs = clock.monotonicMs();
      clock.soon(beginTurn);
    }
    if (inPlace >= inPlaceMax || waiting.length > 0 || isLate()) {
      waiting.push(one);
      if (waiting.length <= perTurnMax) clock.soon(takeNext);
    } else {
      inPlace += 1;
      take(one);
    }
  };
}

/** Runs work that is made of steps; each begins in a turn of its own, but the first, which is now. */
export async function runInTurns<T>(clock: Pick<Clock, 'soon'>, steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise<void>((resolve) => {
      clock.soon(resolve);
    });
  }
}

/** Each who asks goes on in a turn in which nobody else of them does, in the order of asking. */
export function createTurns(clock: Pick<Clock, 'soon'>): () => Promise<void> {
  const waiting: (() => void)[] = []; // bounded by those who ask at once
  const step = (): void => {
    waiting.shift()?.();
    if (waiting.length > 0) clock.soon(step);
  };
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) clock.soon(step);
    });
}
