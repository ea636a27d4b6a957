// I13: at most N removals in any minute, so that a coordinator gone mad can be stopped in time.

import type { Clock } from '../../common/runtime/clock.ts';

export interface RemovalBudget {
  left(): number;
  spend(): void;
  /** Milliseconds until one more is allowed, at least one; undefined: never without confirmation. */
  untilNextMs(): number | undefined;
}

const windowMs = 60_000;

export function createRemovalBudget(clock: Clock, perMinute: number): RemovalBudget {
  let spentAt: readonly number[] = [];
  const drop = (): void => {
    const since = clock.monotonicMs() - windowMs;
    spentAt = spentAt.filter((at) => at > since);
  };
  return {
    left: () => {
      drop();
      return perMinute - spentAt.length;
    },
    spend: () => {
      spentAt = [...spentAt, clock.monotonicMs()];
    },
    untilNextMs: () =>
      perMinute === 0 ? undefined : Math.max(1, (spentAt[0] ?? 0) + windowMs - clock.monotonicMs()),
  };
}
