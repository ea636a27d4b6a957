// Decides when a Service that is being deleted may go. Pure.
//
// Its names are gone, and each reachable cluster has acknowledged its removal order or the wait
// is over: an order is durable, so a cluster that is away obeys it when it returns, and
// `kubectl delete` does not hang on it. A provider that does not take the names out is waited for
// as long, before the shards go: what it has of ours is recorded, and goes when it is back.

import { shardsFinalizer } from '../../common/model/isthmus-kinds.ts';
import type { ClusterName } from '../../common/model/ids.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';

/** How long a delete waits for providers, and clusters that are connected, in all. */
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

export interface NamesInput {
  /** By the coordinator: a publication is there. */
  readonly isPublished: boolean;
  /** DNSZones whose providers have records of it. */
  readonly standing: readonly string[];
  /** Since the deletionTimestamp. */
  readonly elapsedMs: number;
}

/** Whether the shards of a Service that is being deleted may go: names go first. */
export type NamesDecision =
  | { readonly kind: 'wait'; readonly againAfterMs: number | undefined }
  /** `left`: DNSZones that still have names of it, though the wait is over. */
  | { readonly kind: 'go'; readonly left: readonly string[] };

export function planNames({ isPublished, standing, elapsedMs }: NamesInput): NamesDecision {
  if (isPublished) return { kind: 'wait', againAfterMs: undefined };
  if (standing.length === 0 || elapsedMs >= removalWaitMs) return { kind: 'go', left: standing };
  return { kind: 'wait', againAfterMs: restOf(elapsedMs) };
}

export function planFinalize(input: FinalizeInput): FinalizeDecision {
  if (input.isPublished) return { kind: 'wait', againAfterMs: undefined };
  const isWaiting = input.orders.some(({ cluster }) => input.isReachable(cluster));
  if (!isWaiting || input.elapsedMs >= removalWaitMs) return { kind: 'now' };
  return { kind: 'wait', againAfterMs: restOf(input.elapsedMs) };
}

/** A wall clock that was set back must not make the wait longer. */
function restOf(elapsedMs: number): number {
  return Math.min(removalWaitMs, removalWaitMs - elapsedMs);
}

/** Ours, and the one by which the garbage collector's orphaning is asked for. */
export function withoutOurFinalizers(finalizers: readonly string[] | undefined): readonly string[] {
  return (finalizers ?? []).filter((name) => name !== shardsFinalizer && name !== 'orphan');
}
