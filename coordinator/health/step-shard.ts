// The state of one shard, with damping: a state machine.
// Input: what its cluster reports and the cluster's life. Output: its state and when to look again.
//
//   D1. Too few ready endpoints or no outside address: it leaves at once.
//   D2. The first time ever healthy counts at once; a return waits until it was steady for the
//       hold-down, which doubles with each return that did not last, up to `holdMaxMs`.
//   D3. While its cluster is silent or its API stale, the state freezes: nothing is not a fact.
//   D4. A dead cluster's shard is `dead`; when the cluster comes back, it goes on from the state
//       in which it was frozen, without a hold-down of its own.
// Next: evidence of the cluster's life in step-cluster.ts.

import type { ShardState } from '../../common/model/health.ts';

export const holdFirstMs = 5000;
export const holdMaxMs = 60_000;
/** Steady for this long, and the next hold-down is the first again. */
export const steadyMs = 300_000;

export interface ShardDamping {
  readonly state: ShardState;
  /** State from its own reports; differs from `state` while the cluster is dead. */
  readonly reported: ShardState;
  readonly wasEverHealthy: boolean;
  /** Monotonic: when it last became good, while it is held down. */
  readonly goodSinceMs: number | undefined;
  /** Monotonic: when it last entered `healthy`. */
  readonly healthySinceMs: number | undefined;
  /** It was healthy, left, and came back: a further leave soon is flapping. */
  readonly hasReturned: boolean;
  /** Length of the next hold-down. */
  readonly holdMs: number;
}

export interface ShardFacts {
  readonly clusterLife: 'reporting' | 'frozen' | 'dead';
  readonly isReported: boolean;
  readonly hasAddress: boolean;
  readonly ready: number;
  readonly minReady: number;
  /** Monotonic. */
  readonly nowMs: number;
}

export interface ShardStep {
  readonly damping: ShardDamping;
  /** Look again after this long: a hold-down ends then. */
  readonly againAfterMs: number | undefined;
}

export const pendingShard: ShardDamping = {
  state: 'pending',
  reported: 'pending',
  wasEverHealthy: false,
  goodSinceMs: undefined,
  healthySinceMs: undefined,
  hasReturned: false,
  holdMs: holdFirstMs,
};

/** A shard as the log recorded it, before its cluster has reported anew. */
export function recordedShard(recorded: {
  readonly state: ShardState;
  readonly hasAddress: boolean;
  readonly nowMs: number;
}): ShardDamping {
  const { state, hasAddress, nowMs } = recorded;
  // A dead one's own state was not recorded: with an address it is probed as if it were healthy.
  const isHealthy = state === 'healthy' || (state === 'dead' && hasAddress);
  return {
    ...pendingShard,
    state,
    reported: isHealthy ? 'healthy' : state === 'dead' ? 'notReady' : state,
    wasEverHealthy: isHealthy || state === 'heldDown' || state === 'dead',
    goodSinceMs: state === 'heldDown' ? nowMs : undefined,
    healthySinceMs: isHealthy ? nowMs : undefined,
  };
}

export function stepShard(before: ShardDamping, facts: ShardFacts): ShardStep {
  switch (facts.clusterLife) {
    case 'dead':
      return still({ ...before, state: 'dead' });
    case 'frozen':
      return still({ ...before, state: before.reported }); // D3, D4
    case 'reporting':
      return stepReported(before, facts);
  }
}

function stepReported(before: ShardDamping, facts: ShardFacts): ShardStep {
  if (!facts.isReported && !before.wasEverHealthy) return still(to(before, 'pending'));
  if (!facts.hasAddress) return still(leave(before, 'noAddress', facts.nowMs));
  if (facts.ready < facts.minReady) return still(leave(before, 'notReady', facts.nowMs));
  if (before.reported === 'healthy') return still(to(before, 'healthy'));
  if (!before.wasEverHealthy) return still(enter(before, facts.nowMs)); // D2
  const goodSinceMs = before.goodSinceMs ?? facts.nowMs;
  const leftMs = goodSinceMs + before.holdMs - facts.nowMs;
  if (leftMs <= 0) return still(enter(before, facts.nowMs));
  return { damping: { ...to(before, 'heldDown'), goodSinceMs }, againAfterMs: leftMs };
}

function enter(before: ShardDamping, nowMs: number): ShardDamping {
  return {
    ...to(before, 'healthy'),
    hasReturned: before.wasEverHealthy,
    wasEverHealthy: true,
    goodSinceMs: undefined,
    healthySinceMs: nowMs,
  };
}

function leave(before: ShardDamping, state: 'noAddress' | 'notReady', nowMs: number): ShardDamping {
  const left = { ...to(before, state), goodSinceMs: undefined };
  if (before.reported !== 'healthy') return left;
  return { ...left, holdMs: nextHold(before, nowMs), healthySinceMs: undefined };
}

/** Steady long enough, or the first leave ever: the first hold-down. Else twice the last one. */
function nextHold(before: ShardDamping, nowMs: number): number {
  const healthyForMs = nowMs - (before.healthySinceMs ?? nowMs);
  if (healthyForMs >= steadyMs || !before.hasReturned) return holdFirstMs;
  return Math.min(holdMaxMs, before.holdMs * 2);
}

function to(before: ShardDamping, state: ShardState): ShardDamping {
  return { ...before, state, reported: state };
}

function still(damping: ShardDamping): ShardStep {
  return { damping, againAfterMs: undefined };
}
