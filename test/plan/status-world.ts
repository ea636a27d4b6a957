// The status stage over a real desired state in memory, with placement, Sessions and health that
// tests set by hand.

import {
  toClusterName,
  toContentHash,
  toLogKey,
  toRevision,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type Revision,
} from '../../common/model/ids.ts';
import type { ClusterVerdict, ShardState, ShardVerdict } from '../../common/model/health.ts';
import type { Condition, KubeObject, Service } from '../../common/model/kube-object.ts';
import type { Shard, ShardResult } from '../../common/model/shard.ts';
import type { SessionState } from '../../common/model/views.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createProjection, type Projection } from '../../coordinator/desired/projection.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { createEventRecorder, type Events } from '../../coordinator/status/events.ts';
import { createStatus, type Status } from '../../coordinator/status/loop.ts';
import { embeddedDns } from '../support/dns-views.ts';
import { plainPlacement, plainSessions } from '../support/plain-placement.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

export const nginx = toServiceKey({ namespace: 'default', name: 'nginx' });
export const serviceKey = toLogKey({
  group: '',
  resource: 'services',
  namespace: 'default',
  name: 'nginx',
});

export interface StatusWorld {
  readonly clock: VirtualClock;
  readonly desired: Desired;
  readonly status: Status;
  readonly events: Events;
  readonly shards: Projection;
  readonly recordSets: Projection;
  readonly endpoints: Projection;
  readonly slices: Projection;
  readonly term: { revision: Revision };
  /** Revision up to which placement has looked; undefined: as far as the log. */
  placedTo: Revision | undefined;
  setShard(cluster: string, state: ShardState, ips: readonly string[]): void;
  setResult(cluster: string, result: Partial<ShardResult>): void;
  setCluster(cluster: string, verdict: Partial<ClusterVerdict>): void;
  setSession(cluster: string, session: Partial<SessionState>): void;
  write(key: LogKey, object: KubeObject | undefined): Promise<void>;
  service(): Service;
  condition(type: string): Condition | undefined;
}

export const wantedHash = toContentHash('aa');

const chance = {
  fraction: () => 0.5,
  uuid: () => '0',
  bytes: (count: number) => new Uint8Array(count),
};

/** `isPrivate`: a private DNSZone publishes the Service. */
export async function createStatusWorld(
  names: readonly string[],
  isPrivate = false,
): Promise<StatusWorld> {
  const clock = createVirtualClock();
  const store = createMemoryStore({ disk: createMemoryDisk('world') });
  const desired = await createDesired({ store, clock, log: silentLog, metrics: silentMetrics });
  await makeNamespace(desired);
  const privateViews = { has: () => isPrivate };
  const common = { desired, clock, chance, log: silentLog, metrics: silentMetrics, privateViews };
  const events = createEventRecorder(common);
  const clusters = names.map(toClusterName);
  const verdicts = new Map<ClusterName, ShardVerdict>();
  const lives = new Map<ClusterName, ClusterVerdict>();
  const results = new Map<ClusterName, ShardResult>();
  const sessions = new Map<ClusterName, SessionState>();
  const { notify, subscribe } = createListeners();
  const wanted: Shard = { key: nginx, bytes: new Uint8Array(), hash: wantedHash };
  const acquired = (await acquireTerm({ desired, holder: 'test' })).guard();
  const term = { revision: acquired.revision };
  const views = createViews(clock);
  const status = createStatus({
    ...common,
    placement: {
      revision: () => world.placedTo ?? desired.revision(),
      shard: (_cluster, key) => (key === nginx ? wanted : undefined),
      shardsOf: () => [wanted],
      clustersOf: (key) => (key === nginx ? clusters : []),
      ...plainPlacement,
    },
    sessions: {
      session: (cluster) => sessions.get(cluster),
      result: (cluster) => results.get(cluster),
      ...plainSessions,
      subscribe: () => () => undefined,
    },
    health: {
      cluster: (cluster) => lives.get(cluster),
      shard: (cluster) => verdicts.get(cluster),
      subscribe,
    },
    term: { guard: () => ({ key: acquired.key, revision: term.revision }) },
    dns: embeddedDns,
    projections: toProjections(views),
    recorder: events,
    config: { addressRules: { allowLoopback: false } },
  });

  const world: StatusWorld = {
    clock,
    desired,
    status,
    events,
    ...views,
    term,
    placedTo: undefined,
    setShard: (name, state, ips) => {
      const cluster = toClusterName(name);
      const ready = state === 'healthy' ? 1 : 0;
      const spoken = { reason: state === 'healthy' ? 'Ready' : 'Other', message: `is ${state}` };
      const shard = {
        key: nginx,
        cluster,
        state,
        sinceMs: clock.now(),
        ready,
        total: 1,
        ...spoken,
      };
      const addresses = ips.map((ip) => ({ ip }));
      verdicts.set(cluster, { ...shard, addresses, clusterIps: [], ports: [{ port: 80 }] });
      notify(cluster, nginx);
    },
    setResult: (name, result) => {
      const cluster = toClusterName(name);
      const applied = {
        key: nginx,
        hash: wantedHash,
        outcome: 'applied',
        reason: 'Applied',
      } as const;
      results.set(cluster, { ...applied, message: '', ...result });
      notify(cluster, nginx);
    },
    setCluster: (name, verdict) => {
      const cluster = toClusterName(name);
      const live = {
        life: 'live',
        telemetry: 'fresh',
        reason: 'ClusterReady',
        message: 'fine',
      } as const;
      const times = { sinceMs: clock.now(), lastProofOfLifeMs: clock.now() };
      lives.set(cluster, { cluster, ...live, ...times, ...verdict });
      notify(cluster, undefined);
    },
    setSession: (name, session) => {
      const cluster = toClusterName(name);
      sessions.set(cluster, {
        isConnected: true,
        incarnation: { session: 1, boot: 1 },
        topology: { zones: ['z'], region: 'r', provider: 'p' },
        kubernetesVersion: 'v1.33.0',
        agentVersion: '0.1.0',
        lastMessageMonotonicMs: clock.monotonicMs(),
        remoteAddress: '198.51.100.1',
        ...session,
      });
      notify(cluster, undefined);
    },
    write: async (key, object) => {
      const expected = desired.get(key)?.revision ?? toRevision(0);
      await desired.write({ key, object, expected });
    },
    service: () => {
      const stored = desired.get(serviceKey);
      if (stored === undefined) throw new Error('no Service');
      return stored.object as Service;
    },
    condition: (type) => world.service().status?.conditions?.find((one) => one.type === type),
  };
  await seed(world, names);
  events.start();
  status.start();
  return world;
}

type Listener = (due: { cluster: ClusterName; key: typeof nginx | undefined }) => void;

function createListeners() {
  const listeners = new Set<Listener>();
  return {
    notify: (cluster: ClusterName, key: typeof nginx | undefined): void => {
      for (const listener of listeners) listener({ cluster, key });
    },
    subscribe: (listener: Listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function toProjections(views: ReturnType<typeof createViews>) {
  return {
    serviceShards: views.shards,
    dnsRecordSets: views.recordSets,
    endpoints: views.endpoints,
    endpointSlices: views.slices,
  };
}

function createViews(clock: VirtualClock) {
  const of = (group: string, resource: string): Projection =>
    createProjection({ epoch: 1, group, resource, clock });
  return {
    shards: of('isthmus.dev', 'serviceshards'),
    recordSets: of('isthmus.dev', 'dnsrecordsets'),
    endpoints: of('', 'endpoints'),
    slices: of('discovery.k8s.io', 'endpointslices'),
  };
}

async function seed(world: StatusWorld, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const key = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });
    const cluster = {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name, uid: name },
    };
    await world.write(key, {
      ...cluster,
      status: { publicKeyHash: 'abc', joinedAt: '2026-01-01T00:00:00Z' },
    });
  }
  await world.write(serviceKey, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', namespace: 'default', uid: 'uid', labels: { a: 'b' } },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }] },
  });
}

/** Reasons of all Events in the log, with their counts, sorted. */
export function eventsIn(desired: Desired): readonly string[] {
  return [...desired.list('core/events/')]
    .map(
      ({ object }) =>
        object as KubeObject & { reason: string; count: number; involvedObject: { kind: string } },
    )
    .map(({ reason, count, involvedObject }) => `${involvedObject.kind} ${reason} x${count}`)
    .sort();
}

/** Events are written only where their namespace is. */
async function makeNamespace(desired: Desired): Promise<void> {
  await desired.write({
    key: toLogKey({ group: '', resource: 'namespaces', name: 'default' }),
    object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    expected: toRevision(0),
  });
}
