// Long work as steps: a generator that yields wherever somebody else may have a turn, and returns
// what the whole comes to. Whoever has time runs it at once; common/runtime/turn-pace.ts runs it in
// turns. Pure.

export type Steps<T> = Generator<undefined, T, undefined>;

export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Counts what was done since the last yield, in whatever unit its owner measured. */
export class Pace {
  readonly #max: number;
  #done = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** True once it is more than fits into one step: yield then. */
  isOver(cost: number): boolean {
    this.#done += cost;
    if (this.#done <= this.#max) return false;
    this.#done = 0;
    return true;
  }
}
