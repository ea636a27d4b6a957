// Decides when a Service that is being deleted may go. Pure.
//
// Its names are gone first; then each reachable cluster has acknowledged its removal order, or
// the wait is over: an order is durable, so a cluster that is away obeys it when it returns, and
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

/** undefined: now. Else look again after so many milliseconds at the latest. */
export function planFinalize(input: FinalizeInput): { readonly againAfterMs: number } | undefined {
  const waiting = input.orders.filter(({ cluster }) => input.isReachable(cluster));
  if (input.isPublished) return { againAfterMs: 1_000 };
  if (waiting.length === 0 || input.elapsedMs >= removalWaitMs) return undefined;
  return { againAfterMs: removalWaitMs - input.elapsedMs };
}

/** Ours, and the one by which the garbage collector's orphaning is asked for. */
export function withoutOurFinalizers(finalizers: readonly string[] | undefined): readonly string[] {
  return (finalizers ?? []).filter((name) => name !== shardsFinalizer && name !== 'orphan');
}
