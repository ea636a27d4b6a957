// What the policies want of each shard's names, by the objects of the log alone: weights, and who
// stands back for whom. A reading of its own, so that it doubts the coordinator's.

import type { Cluster, ClusterChoice, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { SimDisk } from './sim-store.ts';

export interface Traffic {
  readonly weight: number;
  readonly isBackup: boolean;
}

/** By cluster. One that is not in it has plainTraffic. */
export type TrafficTable = ReadonlyMap<string, Traffic>;

export const plainTraffic: Traffic = { weight: 100, isBackup: false };

export function readTraffic(disk: SimDisk, service: string): TrafficTable {
  const policies = disk.objects('servicepolicies') as readonly ServicePolicy[];
  const { weights = [], dns } =
    policies.find(({ spec }) => spec?.serviceName === service)?.spec ?? {};
  const primary = dns?.failover?.primary;
  const clusters = disk.objects('clusters') as readonly Cluster[];
  return new Map(
    clusters.map((cluster): readonly [string, Traffic] => {
      const weight = weights.find((one) => chooses(one, cluster))?.weight ?? plainTraffic.weight;
      const isBackup = primary !== undefined && !chooses(primary, cluster);
      return [cluster.metadata.name, { weight, isBackup }];
    }),
  );
}

/** docs/dns.md: primaries, backups, primaries of weight 0, backups of weight 0. */
export function rankOf({ weight, isBackup }: Traffic): number {
  return (weight > 0 ? 0 : 2) + (isBackup ? 1 : 0);
}

/** Those of the best rank, as the docs have it: every name leads to these and to no others. */
export function bestOf<S extends { readonly cluster: string }>(
  shards: readonly S[],
  table: TrafficTable,
): readonly S[] {
  const rank = ({ cluster }: S): number => rankOf(table.get(cluster) ?? plainTraffic);
  const best = Math.min(...shards.map(rank));
  return shards.filter((shard) => rank(shard) === best);
}

/** Whether answers are given in proportion: where all weigh the same, or one nothing, they are not. */
export function isWeighed(
  shards: readonly { readonly cluster: string }[],
  table: TrafficTable,
): boolean {
  const weights = shards.map(({ cluster }) => (table.get(cluster) ?? plainTraffic).weight);
  return !weights.includes(0) && weights.some((weight) => weight !== weights[0]);
}

function chooses({ clusters, clusterSelector }: ClusterChoice, { metadata }: Cluster): boolean {
  const { name, labels = {} } = metadata;
  const wanted = Object.entries(clusterSelector?.matchLabels ?? {});
  return (
    (clusters?.includes(name) ?? true) && wanted.every(([key, value]) => labels[key] === value)
  );
}
