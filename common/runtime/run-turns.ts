// The runs of all loops of a process share the turns of its event loop.
//
//   T1. Runs begin for a millisecond of a turn, whatever loop they are of; the rest begin in the
//       next (I11). What a run does before its first wait, and the promises that follow it at once,
//       are in the time: they run between two callbacks, so each callback begins one.
//   T2. Loops take turns, one run each: a loop with a thousand keys keeps no other waiting.

import type { Clock, Timer } from './clock.ts';

/** What beginning runs may use of a turn; the last one, a fraction of a millisecond, may go beyond. */
const turnMs = 1;
/** More than fit into the time. */
const runsPerTurn = 8;

/** Begins one run, if one may begin; whether another may. */
export type BeginRun = () => boolean;

export class RunTurns {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'soon'>;
  /** In the order in which they go on. */
  readonly #waiting = new Set<BeginRun>();
  #planned: Timer[] = [];
  #startMs: number | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'soon'>) {
    this.#clock = clock;
  }

  /** `begin` is called in a later turn, and again as long as it says so. */
  ask(begin: BeginRun): void {
    this.#waiting.add(begin);
    if (this.#planned.length === 0) this.#plan(1);
  }

  #plan(count: number): void {
    this.#startMs = undefined;
    this.#planned = Array.from({ length: count }, () => this.#clock.soon(() => this.#take()));
  }

  #take(): void {
    this.#planned.shift();
    const nowMs = this.#clock.monotonicMs();
    this.#startMs ??= nowMs;
    const [begin] = this.#waiting;
    const isLate = nowMs - this.#startMs >= turnMs;
    if (begin !== undefined && !isLate) {
      this.#waiting.delete(begin);
      if (begin()) this.#waiting.add(begin); // T2: behind the others
    }
    if (this.#waiting.size === 0 || isLate)
      for (const timer of this.#planned.splice(0)) timer.cancel();
    if (this.#planned.length === 0 && this.#waiting.size > 0) this.#plan(runsPerTurn);
  }
}

const turns = new WeakMap<object, RunTurns>();

/** One for all loops that share a clock. */
export function runTurnsOf(clock: Pick<Clock, 'monotonicMs' | 'soon'>): RunTurns {
  const known = turns.get(clock);
  if (known !== undefined) return known;
  const made = new RunTurns(clock);
  turns.set(clock, made);
  return made;
}
