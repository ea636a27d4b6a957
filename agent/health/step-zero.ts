// When a shard's fall to no endpoint at all is believed. The EndpointSlice controller writes the
// slices of one Service one after another - it creates, then updates, then deletes (finalize in
// k8s.io/endpointslice/reconciler.go) - so between two updates the last old endpoint may be out of
// one slice and the first new one not yet in the other.
//   input    what was shown last, what the slices say now, when they last changed
//   output   what is shown now, and when to look again
//
//   Z1. Only a fall to zero waits. Anything else is shown at once.
//   Z2. Nothing can be half written where each address family has one slice: believed at once.
//   Z3. A zero is believed after `settleMs` without a further change of a slice, and after
//       `holdMaxMs` in any case: with a delta each 100 ms it reaches the coordinator within 200.
// Next: shard-observations.ts.

import type { ShardReadiness } from '../../common/model/telemetry.ts';
import { countUsable } from '../../common/pure/usable-endpoints.ts';
import type { PickedSlice } from './pick-slice.ts';

export const settleMs = 80;
export const holdMaxMs = 120;

export interface ZeroFacts {
  /** undefined: nothing was shown yet. */
  readonly shown: ShardReadiness | undefined;
  readonly folded: ShardReadiness;
  /** See isDivided; also of the slices that were there before this change. */
  readonly isDivided: boolean;
  /** Monotonic: the last change of a slice. */
  readonly changedMs: number;
  /** Monotonic: when the zero that is waited with began. */
  readonly zeroSinceMs: number | undefined;
  readonly nowMs: number;
}

export type ZeroStep =
  | { readonly kind: 'show' }
  | { readonly kind: 'wait'; readonly zeroSinceMs: number; readonly againAfterMs: number };

export function stepZero(facts: ZeroFacts): ZeroStep {
  const { shown, folded, isDivided, changedMs, nowMs } = facts;
  const isFall = shown !== undefined && countUsable(shown) > 0 && countUsable(folded) === 0;
  if (!isFall || !isDivided) return { kind: 'show' }; // Z1, Z2
  const zeroSinceMs = facts.zeroSinceMs ?? changedMs;
  const dueMs = Math.min(changedMs + settleMs, zeroSinceMs + holdMaxMs); // Z3
  if (dueMs <= nowMs) return { kind: 'show' };
  return { kind: 'wait', zeroSinceMs, againAfterMs: dueMs - nowMs };
}

/** Whether endpoints of one family can stand in more than one slice. */
export function isDivided(slices: Iterable<PickedSlice>): boolean {
  const families = new Set<string>();
  for (const { family } of slices) {
    if (families.has(family)) return true;
    families.add(family);
  }
  return false;
}
