// The runs of all loops of a process share the turns of its event loop.
//
//   T1. Runs begin for a millisecond of a turn, whatever loops they are of; the rest begin in the
//       next (I11).
//   T2. Loops take turns, one run each: a loop with a thousand keys keeps no other waiting.
//   T3. What a run does before its first wait, and the promises that follow it at once, are in the
//       time. They run between two callbacks of the event loop and not within one: so each callback
//       begins one.

import { TurnTime, turnTimeOf, type TurnClock } from './turn-time.ts';

/** What runs may use of a turn; the last one, a fraction of a millisecond, may go beyond. */
const turnMs = 1;
/** A run and what follows it at once take 0.1 to 0.3 ms. */
const runsPerTurn = 8;

/** Begins one run, if one may begin; whether another may. */
export type BeginRun = () => boolean;

export class RunTurns {
  readonly #clock: TurnClock;
  /** Of these runs, and of all who work in the turn. */
  readonly #own: TurnTime;
  readonly #all: TurnTime;
  /** In the order in which they go on. */
  readonly #waiting = new Set<BeginRun>();
  /** Callbacks that are to come, each for one run. */
  #planned = 0;

  constructor(clock: TurnClock) {
    this.#clock = clock;
    this.#own = new TurnTime(clock);
    this.#all = turnTimeOf(clock);
  }

  /** `begin` is called in a later turn, and again as long as it says so. */
  ask(begin: BeginRun): void {
    this.#waiting.add(begin);
    this.#plan();
  }

  #plan(): void {
    if (this.#planned >= runsPerTurn) return;
    this.#planned += 1;
    this.#clock.soon(() => {
      this.#planned -= 1;
      this.#beginOne();
    });
  }

  #beginOne(): void {
    const [begin] = this.#waiting;
    if (begin === undefined) return;
    if (!this.#isLate()) {
      this.#waiting.delete(begin);
      if (begin()) this.#waiting.add(begin); // T2: behind the others, and reached again
    }
    if (this.#waiting.size > 0) this.#plan();
  }

  #isLate(): boolean {
    const ownMs = this.#own.usedMs(); // none for the first of a turn
    return ownMs >= turnMs || this.#all.isLate(ownMs);
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
