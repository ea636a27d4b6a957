// The placement view: which cluster shall have which shard, what DNS shall make of it, and which
// removal orders stand. Folded by loop.ts from what is in the log; read by session, health, dns,
// status.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import type { PlacementNotes, ShardTraffic } from '../../common/model/views.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import type { LeavingClusters } from './plan-moves.ts';
import { weightMax } from './plan-variants.ts';

export interface Due {
  readonly cluster: ClusterName;
  readonly key: ServiceKey;
}

export interface Placing {
  /** Sorted. Empty: the Service is placed nowhere. */
  readonly clusters: readonly ClusterName[];
  /** undefined: nothing is known that it could say, so the agent keeps what it has. */
  readonly shardOf: (cluster: ClusterName) => Shard | undefined;
  readonly leaving: LeavingClusters;
  readonly weights: ReadonlyMap<ClusterName, number>;
  readonly backups: ReadonlySet<ClusterName>;
  readonly notes: PlacementNotes;
}

type Placed = Omit<Placing, 'shardOf'>;

const none: readonly never[] = [];
const noMoves: LeavingClusters = new Map();
const noWeights: ReadonlyMap<ClusterName, number> = new Map();
const nobody: ReadonlySet<ClusterName> = new Set();
const plain: ShardTraffic = { isDrained: false, weight: weightMax };

export class PlacementTable {
  readonly #services = new Map<ServiceKey, Placed>();
  readonly #shards = new Map<ClusterName, Map<ServiceKey, Shard>>();
  readonly #members = new Map<ClusterName, Set<ServiceKey>>();
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

  traffic(cluster: ClusterName, key: ServiceKey): ShardTraffic {
    const placed = this.#services.get(key);
    return placed === undefined ? plain : trafficOf(placed, cluster);
  }

  notes(key: ServiceKey): PlacementNotes | undefined {
    return this.#services.get(key)?.notes;
  }

  /** Services that have, or may have, a shard there. */
  placedIn(cluster: ClusterName): ReadonlySet<ServiceKey> {
    return this.#members.get(cluster) ?? new Set();
  }

  /** Each Service that has a shard there was seen out of DNS with it. */
  isOutOfDns(cluster: ClusterName): boolean {
    return [...this.placedIn(cluster)].every(
      (key) => this.#services.get(key)?.leaving.get(cluster)?.outMs !== undefined,
    );
  }

  isMoving(key: ServiceKey): boolean {
    return (this.#services.get(key)?.leaving.size ?? 0) > 0;
  }

  /** Puts one Service's shards; returns what changed. undefined removes it. */
  place(key: ServiceKey, after: Placing | undefined): readonly Due[] {
    const before = this.#services.get(key);
    if (after === undefined) this.#services.delete(key);
    else this.#services.set(key, withoutContent(after));
    const due: Due[] = [];
    const isSameTraffic = trafficComparer(before, after);
    const had = new Set(before?.clusters ?? none);
    for (const cluster of after?.clusters ?? none) {
      const isNew = !had.delete(cluster);
      if (isNew) addIn(this.#members, cluster, key);
      const isSame = this.#put(cluster, key, after?.shardOf(cluster));
      if (!isSame || isNew || !isSameTraffic(cluster)) due.push({ cluster, key });
    }
    for (const cluster of had) {
      removeIn(this.#members, cluster, key);
      this.#put(cluster, key, undefined);
      due.push({ cluster, key });
    }
    if (due.length > 0 || isSameJson(before?.notes, after?.notes)) return due;
    // Whoever shows notes looks by key.
    const cluster = after?.clusters[0] ?? after?.notes.failures[0]?.cluster;
    return cluster === undefined ? due : [{ cluster, key }];
  }

  /** False when it says something else than before. */
  #put(cluster: ClusterName, key: ServiceKey, next: Shard | undefined): boolean {
    const shards = this.#shards.get(cluster);
    if (shards?.get(key)?.hash === next?.hash) return true;
    setIn(this.#shards, cluster, key, next);
    return false;
  }

  /** Puts or, with undefined, removes an order. */
  order({ cluster, key }: Due, order: RemovalOrder | undefined): void {
    setIn(this.#orders, cluster, key, order);
  }
}

/** What is empty is the same for all Services: of most, most is. */
function withoutContent({ clusters, leaving, weights, backups, notes }: Placing): Placed {
  return {
    clusters: orNone(clusters),
    leaving: leaving.size === 0 ? noMoves : leaving,
    weights: weights.size === 0 ? noWeights : weights,
    backups: backups.size === 0 ? nobody : backups,
    notes: {
      refusal: notes.refusal,
      moves: orNone(notes.moves),
      policy: notes.policy,
      overruled: orNone(notes.overruled),
      hasOverrides: notes.hasOverrides,
      failures: orNone(notes.failures),
    },
  };
}

function orNone<T>(items: readonly T[]): readonly T[] {
  return items.length === 0 ? none : items;
}

/** What DNS makes of a cluster's shard, before and after: mostly nothing is said of any. */
function trafficComparer(
  before: Placed | undefined,
  after: Placed | undefined,
): (cluster: ClusterName) => boolean {
  if (before === undefined || after === undefined) return () => false;
  const isPlain = ({ leaving, weights, backups }: Placed): boolean =>
    leaving.size === 0 && weights.size === 0 && backups.size === 0;
  if (isPlain(before) && isPlain(after)) return () => true;
  return (cluster) =>
    before.leaving.get(cluster)?.outMs === after.leaving.get(cluster)?.outMs &&
    isSameJson(trafficOf(before, cluster), trafficOf(after, cluster));
}

function trafficOf({ leaving, weights, backups }: Placed, cluster: ClusterName): ShardTraffic {
  const isDrained = leaving.get(cluster)?.isDrained === true;
  const weight = weights.get(cluster) ?? weightMax;
  if (backups.has(cluster)) return { isDrained, weight, isBackup: true };
  return isDrained || weight !== weightMax ? { isDrained, weight } : plain;
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

function addIn(
  all: Map<ClusterName, Set<ServiceKey>>,
  cluster: ClusterName,
  key: ServiceKey,
): void {
  const known = all.get(cluster);
  if (known === undefined) all.set(cluster, new Set([key]));
  else known.add(key);
}

function removeIn(
  all: Map<ClusterName, Set<ServiceKey>>,
  cluster: ClusterName,
  key: ServiceKey,
): void {
  const known = all.get(cluster);
  if (known?.delete(key) === true && known.size === 0) all.delete(cluster);
}
