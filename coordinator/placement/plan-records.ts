// Decides how the durable records of one Service must change so that they say what its placement
// wants. Pure. Steps are in the order in which they must be written, so that a crash between two
// of them loses no shard from sight:
//
//   R0. What is decided of a move is in the record before anything is done about it.
//   R1. A cluster enters the record before its shard is sent.
//   R2. A cluster's removal order is written before the record forgets it.
//   R3. An order ends when the key is wanted there again, when it is acknowledged, or when its
//       Cluster is gone.

import type { ClusterName } from '../../common/model/ids.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';
import type { LeavingClusters } from './plan-moves.ts';
import { isSameRecord, type PlacementRecord } from './records.ts';

export type Wish =
  /** The Service is there: exactly these clusters. */
  | { readonly kind: 'place'; readonly clusters: readonly ClusterName[] }
  /**
   * It cannot be read what the user wants, or it is too early for it: these stay, and nobody goes
   * who was not on the way before.
   */
  | { readonly kind: 'keep'; readonly clusters: readonly ClusterName[] }
  /** The Service is gone or going. */
  | { readonly kind: 'remove'; readonly mode: RemovalOrder['mode'] };

export interface RecordsInput {
  readonly wish: Wish;
  readonly recorded: PlacementRecord;
  /** Clusters that are not wanted and still stay (plan-moves.ts). */
  readonly staying: LeavingClusters;
  /** The last good content of shards that have no new one. */
  readonly kept: PlacementRecord['kept'];
  readonly orders: readonly RemovalOrder[];
  /** Clusters that exist. */
  readonly clusters: ReadonlySet<ClusterName>;
  /** Clusters that are being removed from the federation, and what becomes of their shards. */
  readonly going: ReadonlyMap<ClusterName, RemovalOrder['mode']>;
}

export type RecordStep =
  | { readonly kind: 'order'; readonly cluster: ClusterName; readonly mode: RemovalOrder['mode'] }
  | { readonly kind: 'cancel'; readonly order: RemovalOrder }
  /** undefined deletes the record. */
  | { readonly kind: 'record'; readonly record: PlacementRecord | undefined };

export function planRecords(input: RecordsInput): readonly RecordStep[] {
  const { recorded, orders, clusters, staying } = input;
  const isHeld = new Set([...wantedOf(input.wish), ...staying.keys()]);
  const standing = new Map(orders.map((order) => [order.cluster, order]));
  const steps: RecordStep[] = [];
  for (const cluster of recorded.clusters) {
    if (isHeld.has(cluster) || !clusters.has(cluster)) continue;
    const mode = modeOf(input, cluster);
    if (standing.get(cluster)?.mode !== mode) steps.push({ kind: 'order', cluster, mode });
  }
  const names = [...isHeld].filter((cluster) => clusters.has(cluster)).sort();
  const next = toRecord(input, names);
  if (!isSameRecord(next, recorded)) {
    steps.push({ kind: 'record', record: names.length === 0 ? undefined : next });
  }
  for (const order of orders) {
    if (isHeld.has(order.cluster) || !clusters.has(order.cluster))
      steps.push({ kind: 'cancel', order });
  }
  return steps;
}

export function wantedOf(wish: Wish): readonly ClusterName[] {
  return wish.kind === 'remove' ? [] : wish.clusters;
}

function modeOf({ wish, going }: RecordsInput, cluster: ClusterName): RemovalOrder['mode'] {
  return wish.kind === 'remove' ? wish.mode : (going.get(cluster) ?? 'delete');
}

function toRecord(
  { staying, kept }: RecordsInput,
  clusters: readonly ClusterName[],
): PlacementRecord {
  const has = new Set(clusters);
  const within = <V>(map: ReadonlyMap<ClusterName, V>): ReadonlyMap<ClusterName, V> =>
    new Map([...map].filter(([cluster]) => has.has(cluster)).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { clusters, leaving: within(staying), kept: within(kept) };
}
