// The placement view: which cluster shall have which shard, and which removal orders stand.
// Folded by loop.ts from the records that are in the log; read by session, health, dns, status.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';

export interface Due {
  readonly cluster: ClusterName;
  readonly key: ServiceKey;
}

interface Placed {
  readonly clusters: readonly ClusterName[];
  readonly shard: Shard;
}

const none: readonly ClusterName[] = [];

export class PlacementTable {
  readonly #services = new Map<ServiceKey, Placed>();
  readonly #shards = new Map<ClusterName, Map<ServiceKey, Shard>>();
  readonly #orders = new Map<ClusterName, Map<ServiceKey, RemovalOrder>>();

  shard(cluster: ClusterName, key: ServiceKey): Shard | undefined {
    return this.#shards.get(cluster)?.get(key);
  }

  shardsOf(cluster: ClusterName): Iterable<Shard> {
    return this.#shards.get(cluster)?.values() ?? [];
  }

  clustersOf(key: ServiceKey): readonly ClusterName[] {
    return this.#services.get(key)?.clusters ?? none;
  }

  removalsOf(cluster: ClusterName): Iterable<RemovalOrder> {
    return this.#orders.get(cluster)?.values() ?? [];
  }

  /** Puts one Service's shards; returns what changed. Empty clusters remove it. */
  place(
    key: ServiceKey,
    clusters: readonly ClusterName[],
    shard: Shard | undefined,
  ): readonly Due[] {
    const before = this.#services.get(key);
    const after = shard === undefined || clusters.length === 0 ? undefined : { clusters, shard };
    if (after === undefined) this.#services.delete(key);
    else this.#services.set(key, after);
    const due: Due[] = [];
    const kept = new Set(after?.clusters ?? none);
    for (const cluster of new Set([...(before?.clusters ?? none), ...kept])) {
      const next = kept.has(cluster) ? after?.shard : undefined;
      if (this.#shards.get(cluster)?.get(key)?.hash === next?.hash) continue;
      setIn(this.#shards, cluster, key, next);
      due.push({ cluster, key });
    }
    return due;
  }

  /** Puts or, with undefined, removes an order. */
  order({ cluster, key }: Due, order: RemovalOrder | undefined): void {
    setIn(this.#orders, cluster, key, order);
  }
}

function setIn<V>(
  all: Map<ClusterName, Map<ServiceKey, V>>,
  cluster: ClusterName,
  key: ServiceKey,
  value: V | undefined,
): void {
  const known = all.get(cluster) ?? new Map<ServiceKey, V>();
  if (value === undefined) known.delete(key);
  else known.set(key, value);
  if (known.size === 0) all.delete(cluster);
  else all.set(cluster, known);
}
