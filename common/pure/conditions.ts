// Conditions of ours beside those of others.
// Input: what an object carries, what should be said. Output: the next list.
//
//   N1. lastTransitionTime moves only with the status (API conventions).
//   N2. A condition that is not ours stays as it is (I4).

import type { Condition } from '../model/kube-object.ts';

export type Said = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** Ours in the order given, then the others as they were. */
export function planConditions(
  current: readonly Condition[],
  said: readonly Said[],
  nowText: string,
): readonly Condition[] {
  const ours = new Set(said.map(({ type }) => type));
  const next = said.map((condition): Condition => {
    const before = current.find(({ type }) => type === condition.type);
    const isSame = before?.status === condition.status && before.lastTransitionTime !== undefined;
    return { ...condition, lastTransitionTime: isSame ? before.lastTransitionTime : nowText };
  });
  return [...next, ...current.filter(({ type }) => !ours.has(type))];
}
