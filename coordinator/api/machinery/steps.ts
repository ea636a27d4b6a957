// Long work that can be paused: a generator that yields where somebody else may have a turn.

import type { Rest } from '../../../common/runtime/rest.ts';

/** Yields between steps of a millisecond or so; returns the result. */
export type Steps<T> = Generator<void, T, void>;

/** Fields, of which so many that are looked at are a millisecond or so. */
export const fieldsPerStep = 500;

/** All at one go, for what is short. */
export function runSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** With a turn for everybody else between the steps, when it is time for one (I11). */
export async function restBetween<T>(steps: Steps<T>, rest: Rest): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const resting = rest();
    if (resting !== undefined) await resting;
  }
}
