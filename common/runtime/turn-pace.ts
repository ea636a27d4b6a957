// Work is taken up for a few milliseconds of a turn; what came with it waits for the next.
//
//   P1. A thousand streams that arrive together, on however many connections, cost many short
//       turns and not one long one (I11). They are taken up in the order in which they came.
//   P2. Nothing waits while there is time: a lone request is taken up where it arrives.
//   P3. The promises that follow one are in the time as well. They run between two callbacks of
//       the event loop and not within one: so each callback takes up one.
//   P4. Several paces may share the time of a turn, each until more of it is used. Each takes up
//       one in a turn at least, so none of them waits for the others' end.

import type { Steps } from '../pure/steps.ts';
import type { Clock } from './clock.ts';
import { TurnTime } from './turn-time.ts';

/** What taking up and the promises that follow it at once may use of a turn. */
const turnMs = 4;
/** Where they arrive, on one connection, many are one callback (P3). */
const inPlaceMax = 4;
/** More is not done in the time. */
const perTurnMax = 16;

export interface TurnShare {
  readonly time: TurnTime;
  /** Nothing more is taken up when so much of the time is used; one is in any case (P4). */
  readonly untilMs: number;
}

/** `take` is called with each that was given, now or in a later turn. */
export function paceTurns<T>(
  clock: Clock,
  take: (one: T) => void,
  { time, untilMs }: TurnShare = { time: new TurnTime(clock), untilMs: turnMs },
): (one: T) => void {
  let waiting: T[] = []; // bounded by the streams of all connections
  let next = 0; // of those waiting
  let inPlace = 0;
  let inTurn = 0;
  let isOpen = false;
  const isLate = (): boolean => time.usedMs() >= untilMs && inTurn > 0; // P4
  const takeNext = (): void => {
    const one = waiting[next];
    if (one === undefined || isLate()) return;
    next += 1;
    inTurn += 1;
    take(one);
  };
  const planTurn = (): void => {
    isOpen = true;
    time.usedMs();
    clock.soon(beginTurn);
    for (let more = Math.min(waiting.length, perTurnMax); more > 0; more -= 1) clock.soon(takeNext);
  };
  const beginTurn = (): void => {
    waiting = waiting.slice(next);
    [next, inPlace, inTurn, isOpen] = [0, 0, 0, false];
    if (waiting.length > 0) planTurn();
  };
  return (one) => {
    if (!isOpen) planTurn();
    if (inPlace >= inPlaceMax || waiting.length > 0 || isLate()) {
      waiting.push(one);
      if (waiting.length <= perTurnMax) clock.soon(takeNext);
    } else {
      inPlace += 1;
      inTurn += 1;
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
