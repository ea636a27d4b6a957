// Two agents with one identity: a pod that was started before the former had ended, or a copy of an
// agent's folder. Decides which of the two goes on. Pure.
//
//   V1. The same process comes back: its new stream replaces the old one, which is dead.
//   V2. A later start of the same agent (a higher boot counter) replaces the former.
//   V3. Else who is connected and answers stays, and the other is told: two that replaced each
//       other by turns would each have half of the orders.
//   V4. Who is connected and does not answer is replaced.

export interface Rival {
  readonly boot: number;
  /** Of its process; undefined: an agent that does not say. */
  readonly instance: string | undefined;
}

export type RivalPlan = 'replace' | 'refuse' | 'ask';

/** `hasAnswered`: whether the one that is connected has, since it was asked; undefined before. */
export function planRival(of: {
  readonly connected: Rival;
  readonly comer: Rival;
  readonly hasAnswered: boolean | undefined;
}): RivalPlan {
  const { connected, comer, hasAnswered } = of;
  if (comer.boot > connected.boot) return 'replace'; // V2
  const isSame = comer.instance === connected.instance;
  if (isSame && comer.boot === connected.boot) return 'replace'; // V1
  if (hasAnswered === undefined) return 'ask';
  return hasAnswered ? 'refuse' : 'replace'; // V3, V4
}
