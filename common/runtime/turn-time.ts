// How long the turn of the event loop has been: one time for all who work in it.
//
//   T1. Who has a millisecond or two of a turn for himself has none of what others have used of it:
//       five of them are one turn of 3 ms, and not one of 8 (I11). What is begun in such a turn is as
//       long as it is, so each does one small step at a time, and asks before the next.
//   T2. Who is late still has a fraction of a millisecond of each turn, so nobody waits for the others' end.

import type { Clock } from './clock.ts';

/** What all may use of a turn together. */
const turnMs = 3;
/** What each has of it also when the others have used it up. */
const shareMs = 0.4;

export type TurnClock = Pick<Clock, 'monotonicMs' | 'soon'>;

/** From the first who asks until the next turn. */
export class TurnTime {
  readonly #clock: TurnClock;
  #startMs: number | undefined;

  constructor(clock: TurnClock) {
    this.#clock = clock;
  }

  /** Who asks first begins it. */
  usedMs(): number {
    const nowMs = this.#clock.monotonicMs();
    if (this.#startMs !== undefined) return nowMs - this.#startMs;
    this.#startMs = nowMs;
    this.#clock.soon(() => {
      this.#startMs = undefined;
    });
    return 0;
  }

  /** Whether who has used so much of it himself should go on in another. */
  isLate(ownMs: number): boolean {
    return ownMs >= shareMs && this.usedMs() >= turnMs;
  }
}

const times = new WeakMap<object, TurnTime>();

/** One for all who share a clock. */
export function turnTimeOf(clock: TurnClock): TurnTime {
  const known = times.get(clock);
  if (known !== undefined) return known;
  const made = new TurnTime(clock);
  times.set(clock, made);
  return made;
}
