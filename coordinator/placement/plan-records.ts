// Decides how the durable records of one Service must change so that they say what its placement
// wants. Pure. Steps are in the order in which they must be written, so that a crash between two
// of them loses no shard from sight:
//
//   R1. A cluster enters the record before its shard is sent.
//   R2. A cluster's removal order is written before the record forgets it.
//   R3. An order ends when the key is wanted there again, when it is acknowledged, or when its
//       Cluster is gone.

import type { ClusterName } from '../../common/model/ids.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';

export type Wish =
  /** The Service is there: exactly these clusters. */
  | { readonly kind: 'place'; readonly clusters: readonly ClusterName[] }
  /** It cannot be read what the user wants: nothing changes. */
  | { readonly kind: 'keep' }
  /** The Service is gone or going. */
  | { readonly kind: 'remove'; readonly mode: RemovalOrder['mode'] };

export interface RecordsInput {
  readonly wish: Wish;
  /** Clusters in the record, sorted. */
  readonly recorded: readonly ClusterName[];
  readonly orders: readonly RemovalOrder[];
  /** Clusters that exist. */
  readonly clusters: ReadonlySet<ClusterName>;
}

export type RecordStep =
  | { readonly kind: 'order'; readonly cluster: ClusterName; readonly mode: RemovalOrder['mode'] }
  | { readonly kind: 'cancel'; readonly order: RemovalOrder }
  /** undefined deletes the record. */
  | { readonly kind: 'record'; readonly clusters: readonly ClusterName[] | undefined };

export function planRecords(input: RecordsInput): readonly RecordStep[] {
  const { wish, recorded, orders, clusters } = input;
  const wanted = wish.kind === 'place' ? wish.clusters : wish.kind === 'keep' ? recorded : [];
  const isWanted = new Set(wanted);
  const mode = wish.kind === 'remove' ? wish.mode : 'delete';
  const standing = new Map(orders.map((order) => [order.cluster, order]));
  const steps: RecordStep[] = [];
  for (const cluster of recorded) {
    if (isWanted.has(cluster) || !clusters.has(cluster)) continue;
    if (standing.get(cluster)?.mode !== mode) steps.push({ kind: 'order', cluster, mode });
  }
  const next = wanted.filter((cluster) => clusters.has(cluster));
  if (next.join() !== recorded.join()) {
    steps.push({ kind: 'record', clusters: next.length === 0 ? undefined : next });
  }
  for (const order of orders) {
    if (isWanted.has(order.cluster) || !clusters.has(order.cluster))
      steps.push({ kind: 'cancel', order });
  }
  return steps;
}
