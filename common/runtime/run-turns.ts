// The runs of all loops of a process share the turns of its event loop.
//
//   T1. Runs begin for a millisecond of a turn, and a few at most, whatever loops they are of; the
//       rest begin in the next (I11). What a run does before its first wait is in the time, and the
//       promises that follow it at once are why they are few.
//   T2. Loops take turns, one run each: a loop with a thousand keys keeps no other waiting.

import { turnTimeOf, type TurnClock, type TurnTime } from './turn-time.ts';

/** What beginning runs may use of a turn; the last one, a fraction of a millisecond, may go beyond. */
const turnMs = 1;
/** A run and what follows it at once take 0.1 to 0.3 ms. */
const runsPerTurn = 8;

/** Begins one run, if one may begin; whether another may. */
export type BeginRun = () => boolean;

export class RunTurns {
  readonly #clock: TurnClock;
  readonly #time: TurnTime;
  /** In the order in which they go on. */
  readonly #waiting = new Set<BeginRun>();
  #isPlanned = false;

  constructor(clock: TurnClock) {
    this.#clock = clock;
    this.#time = turnTimeOf(clock);
  }

  /** `begin` is called in a later turn, and again as long as it says so. */
  ask(begin: BeginRun): void {
    this.#waiting.add(begin);
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#clock.soon(() => {
      this.#isPlanned = false;
      this.#beginSome();
    });
  }

  #beginSome(): void {
    const fromMs = this.#clock.monotonicMs();
    this.#time.usedMs();
    let count = 0;
    for (const begin of this.#waiting) {
      this.#waiting.delete(begin);
      if (begin()) this.#waiting.add(begin); // T2: behind the others, and reached again
      count += 1;
      const ownMs = this.#clock.monotonicMs() - fromMs;
      if (count >= runsPerTurn || ownMs >= turnMs || this.#time.isLate(ownMs)) break;
    }
    if (this.#waiting.size > 0) this.#plan();
  }
}

const turns = new WeakMap<object, RunTurns>();

/** One for all loops that share a clock. */
export function runTurnsOf(clock: TurnClock): RunTurns {
  const known = turns.get(clock);
  if (known !== undefined) return known;
  const made = new RunTurns(clock);
  turns.set(clock, made);
  return made;
}
