// Rests between the runs of one key of a loop: a key whose runs take long, and that is marked all the
// time, gets a bounded part of the process, and everything that is marked meanwhile is one run.
// Input: how long a run took, marks. Output: which marks wait, and a call when their time has come.
//
//   R1. What was quiet runs at once: only a run is followed by a rest.
//   R2. A mark that waits is never lost, and stays urgent when it was.

import type { Clock, Timer } from './clock.ts';

export interface RestBounds {
  /** A run that took 10 ms is followed by so many times 10 ms of rest. */
  readonly times: number;
  readonly maxMs: number;
}

// Below this a timer costs more than the run.
const minMs = 1;

export class KeyRests<Key extends string> {
  readonly #clock: Clock;
  readonly #bounds: RestBounds | undefined;
  readonly #wake: (key: Key, isUrgent: boolean) => void;
  readonly #resting = new Map<Key, Timer>();
  /** Marked while they rest; true: urgently. */
  readonly #owed = new Map<Key, boolean>();

  constructor(
    clock: Clock,
    bounds: RestBounds | undefined,
    wake: (key: Key, isUrgent: boolean) => void,
  ) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#wake = wake;
  }

  /** Marks that wait. */
  get owed(): number {
    return this.#owed.size;
  }

  /** After a run; false when the key need not rest. */
  begin(key: Key, tookMs: number): boolean {
    if (this.#bounds === undefined) return false;
    const { times, maxMs } = this.#bounds;
    const restMs = Math.min(maxMs, tookMs * times);
    if (restMs < minMs) return false;
    const end = (): void => {
      this.#resting.delete(key);
      const isUrgent = this.#owed.get(key);
      this.#owed.delete(key);
      if (isUrgent !== undefined) this.#wake(key, isUrgent);
    };
    this.#resting.set(key, this.#clock.after(restMs, end));
    return true;
  }

  /** True: the key rests, and is woken when it has rested (R2). */
  holds(key: Key, isUrgent: boolean): boolean {
    if (!this.#resting.has(key)) return false;
    this.#owed.set(key, isUrgent || this.#owed.get(key) === true);
    return true;
  }

  stop(): void {
    for (const timer of this.#resting.values()) timer.cancel();
    this.#resting.clear();
    this.#owed.clear();
  }
}
