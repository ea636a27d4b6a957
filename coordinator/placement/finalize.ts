// Decides when a Service that is being deleted may go. Pure.
//
// Its names are gone, and each reachable cluster has acknowledged its removal order or the wait
// is over: an order is durable, so a cluster that is away obeys it when it returns, and
// `kubectl delete` does not hang on it.

import { shardsFinalizer } from '../../common/model/isthmus-kinds.ts';
import type { ClusterName } from '../../common/model/ids.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';

/** How long a delete waits for clusters that are connected but do not acknowledge. */
export const removalWaitMs = 20_000;

export interface FinalizeInput {
  readonly orders: readonly RemovalOrder[];
  readonly isPublished: boolean;
  readonly isReachable: (cluster: ClusterName) => boolean;
  /** Since the deletionTimestamp. */
  readonly elapsedMs: number;
}

export type FinalizeDecision =
  | { readonly kind: 'now' }
  /** Until an event, or at the latest after so many milliseconds; undefined: only an event. */
  | { readonly kind: 'wait'; readonly againAfterMs: number | undefined };

export function planFinalize(input: FinalizeInput): FinalizeDecision {
  if (input.isPublished) return { kind: 'wait', againAfterMs: undefined };
  const isWaiting = input.orders.some(({ cluster }) => input.isReachable(cluster));
  if (!isWaiting || input.elapsedMs >= removalWaitMs) return { kind: 'now' };
  // A wall clock that was set back must not make the wait longer.
  return { kind: 'wait', againAfterMs: Math.min(removalWaitMs, removalWaitMs - input.elapsedMs) };
}

/** Ours, and the one by which the garbage collector's orphaning is asked for. */
export function withoutOurFinalizers(finalizers: readonly string[] | undefined): readonly string[] {
  return (finalizers ?? []).filter((name) => name !== shardsFinalizer && name !== 'orphan');
}
