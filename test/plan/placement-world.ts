// Placement over a real desired state on a disk in memory, with agents that do what the view
// says: they apply shards, and they remove only what an order names.

import {
  toClusterName,
  toLogKey,
  toLogPrefix,
  toRevision,
  toServiceKey,
  type ClusterName,
  type ContentHash,
  type LogKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { shardsFinalizer } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject, Service, ServiceSpec } from '../../common/model/kube-object.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import {
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
} from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { createPlacement, type Placement } from '../../coordinator/placement/loop.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

export const nginx = serviceKey('nginx');

export function serviceKey(name: string): ServiceKey {
  return toServiceKey({ namespace: 'web', name });
}

export function serviceAt(name: string): LogKey {
  return toLogKey({ group: '', resource: 'services', namespace: 'web', name });
}

export function clusterAt(name: string): LogKey {
  return toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });
}

export function policyAt(name: string): LogKey {
  return toLogKey({ group: 'isthmus.dev', resource: 'servicepolicies', namespace: 'web', name });
}

export function service(
  name: string,
  spec: ServiceSpec = { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { run: name } },
  metadata: Partial<KubeObject['metadata']> = {},
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'web', finalizers: [shardsFinalizer], ...metadata },
    spec,
  };
}

export function cluster(name: string, labels: Readonly<Record<string, string>> = {}): KubeObject {
  return { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Cluster', metadata: { name, labels } };
}

export function policy(name: string, placement: object): KubeObject {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name, namespace: 'web' },
    spec: { serviceName: name, placement },
  };
}

export type Fault = 'none' | 'lost-answer' | 'unavailable' | 'crash';

export interface PlacementWorld {
  readonly clock: VirtualClock;
  readonly disk: MemoryDisk;
  readonly events: string[];
  /** `cluster key` of every change that the view announced. */
  readonly announced: string[];
  /** Clusters whose agents are away. */
  readonly away: Set<string>;
  /** What each agent holds. */
  readonly held: Map<ClusterName, Map<ServiceKey, ContentHash>>;
  /** Asked before each write. */
  readonly faults: { next: () => Fault };
  /** False from a crash to the restart. */
  isStoreOpen(): boolean;
  desired(): Desired;
  placement(): Placement;
  /** Writes over what is there; undefined deletes. */
  put(key: LogKey, object: KubeObject | undefined): Promise<void>;
  /** `kubectl delete service`. */
  deleteService(name: string, isOrphaning?: boolean): Promise<void>;
  /** Runs until nothing is due. */
  settle(): Promise<void>;
  /** Agents that are there act on the view, until nothing changes. */
  obey(): Promise<void>;
  /** Ends the process as kill -9 does and starts it again. */
  restart(): Promise<void>;
}

const chance = {
  fraction: () => 0.5,
  uuid: () => 'uuid',
  bytes: (count: number) => new Uint8Array(count),
};

type Shared = Pick<
  PlacementWorld,
  'clock' | 'disk' | 'events' | 'announced' | 'away' | 'held' | 'faults'
>;

interface Life {
  readonly isStoreOpen: () => boolean;
  readonly desired: Desired;
  readonly placement: Placement;
}

async function begin(shared: Shared): Promise<Life> {
  const { clock, disk, events, announced, away, faults } = shared;
  let isOpen = true;
  const store = createMemoryStore({
    disk,
    fault: () => {
      const fault = faults.next();
      if (fault !== 'crash') return fault;
      isOpen = false;
      void store.close();
      return 'unavailable';
    },
  });
  const desired = await createDesired({ store, clock, log: silentLog, metrics: silentMetrics });
  const term = await acquireTerm({ desired, holder: 'world' });
  const placement = createPlacement({
    desired,
    term,
    clock,
    chance,
    isReachable: (name) => !away.has(name),
    recorder: {
      record: ({ regarding, reason, message }) =>
        void events.push(`${regarding.name} ${reason}: ${message}`),
    },
    log: silentLog,
    metrics: silentMetrics,
  });
  placement.subscribe(({ cluster: name, key }) => announced.push(`${name} ${key}`));
  return { isStoreOpen: () => isOpen, desired, placement };
}

export async function createPlacementWorld(clusters: readonly string[]): Promise<PlacementWorld> {
  const shared: Shared = {
    clock: createVirtualClock(),
    disk: createMemoryDisk('world'),
    events: [],
    announced: [],
    away: new Set(),
    held: new Map(),
    faults: { next: () => 'none' },
  };
  const { clock } = shared;
  let life = await begin(shared);
  const world: PlacementWorld = {
    ...shared,
    isStoreOpen: () => life.isStoreOpen(),
    desired: () => life.desired,
    placement: () => life.placement,
    put: async (key, object) => {
      const expected = life.desired.get(key)?.revision ?? toRevision(0);
      if (object === undefined && expected === 0) return;
      const outcome = await life.desired.write({ key, object, expected });
      if (outcome.kind !== 'written') throw new Error(`${key}: ${outcome.kind}`);
    },
    deleteService: async (name, isOrphaning = false) => {
      const object = life.desired.get(serviceAt(name))?.object;
      if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
      const finalizers = [
        ...(object.metadata.finalizers ?? []),
        ...(isOrphaning ? ['orphan'] : []),
      ];
      const deletionTimestamp = toTimestamp(clock.now());
      const metadata = { ...object.metadata, finalizers, deletionTimestamp };
      await world.put(serviceAt(name), finalizers.length > 0 ? { ...object, metadata } : undefined);
    },
    settle: () => clock.settle(),
    obey: () => obey(world),
    restart: async () => {
      await life.desired.close();
      void life.placement.stop();
      life = await begin(shared);
      life.placement.start();
      await world.settle();
    },
  };
  for (const name of clusters) await world.put(clusterAt(name), cluster(name));
  life.placement.start();
  await world.settle();
  return world;
}

async function obey(world: PlacementWorld): Promise<void> {
  let rounds = 0;
  for (let isChanged = true; isChanged; rounds += 1) {
    if (rounds > 100) throw new Error('the agents do not come to rest');
    await world.settle();
    isChanged = false;
    for (const name of clustersOf(world)) {
      if (!world.away.has(name) && (await obeyIn(world, name))) isChanged = true;
    }
  }
}

async function obeyIn(world: PlacementWorld, name: ClusterName): Promise<boolean> {
  const held = world.held.get(name) ?? new Map<ServiceKey, ContentHash>();
  world.held.set(name, held);
  const placement = world.placement();
  let isChanged = false;
  for (const { key, hash } of placement.shardsOf(name)) {
    isChanged ||= held.get(key) !== hash;
    held.set(key, hash);
  }
  const orders = [...placement.removalsOf(name)];
  for (const order of orders) {
    if (placement.shard(name, order.key) !== undefined) continue;
    held.delete(order.key);
    await placement.acknowledgeRemoval(order);
    isChanged = true;
  }
  return isChanged;
}

export function clustersOf(world: PlacementWorld): readonly ClusterName[] {
  return [...world.desired().list(toLogPrefix('isthmus.dev', 'clusters'))].map(({ object }) =>
    toClusterName(object.metadata.name),
  );
}

/** `cluster: key key`, sorted, of clusters whose agents hold something. */
export function heldBy(world: PlacementWorld): readonly string[] {
  return [...world.held]
    .filter(([, keys]) => keys.size > 0)
    .map(([name, keys]) => `${name}: ${[...keys.keys()].sort().join(' ')}`)
    .sort();
}

/** `cluster mode` of every removal order of a Service. */
export function ordersOf(world: PlacementWorld, key: ServiceKey = nginx): readonly string[] {
  return [...world.desired().list(toLogPrefix('isthmus.dev', 'removalorders'))]
    .map(({ object }) => object)
    .filter((object) => object.metadata.name.startsWith(`${key.split('/')[1]}.`))
    .map(({ spec }) => {
      const { cluster: name, mode } = spec as { readonly cluster: string; readonly mode: string };
      return `${name} ${mode}`;
    });
}
