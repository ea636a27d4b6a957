// The DNS stage on a log and providers in memory under a virtual clock: DNSZones, Secrets, policies
// and Services go in; what stands at each provider, and what people are told, comes out.

import type { DnsZone, DnsZoneSpec } from '../../../common/model/dns-zone.ts';
import type { ShardVerdict } from '../../../common/model/health.ts';
import {
  toClusterName,
  toLogKey,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import { dnsZoneFinalizer, isthmusApiVersion } from '../../../common/model/isthmus-kinds.ts';
import type { Condition, KubeObject } from '../../../common/model/kube-object.ts';
import type { HealthView, PlacementView } from '../../../common/model/views.ts';
import { silentLog } from '../../../common/runtime/log.ts';
import { silentMetrics } from '../../../common/runtime/metrics.ts';
import { createDnsStage, type DnsStage } from '../../../coordinator/dns-stage.ts';
import type { ProviderOpening } from '../../../coordinator/dns/zones/plan-opening.ts';
import { acquireTerm } from '../../../coordinator/desired/term.ts';
import { createSeededChance } from '../../sim/seeded-chance.ts';
import { openLog, type LogFixture } from '../dns-fixtures.ts';
import { plainPlacement } from '../plain-placement.ts';
import { createVirtualClock, type VirtualClock } from '../virtual-clock.ts';
import {
  createMemoryProvider,
  createMemoryZone,
  type MemoryProvider,
  type MemoryZone,
  type ProviderFault,
} from './memory-provider.ts';

export interface ZonesWorld {
  readonly clock: VirtualClock;
  readonly log: LogFixture;
  readonly stage: DnsStage;
  readonly events: readonly string[];
  /** Each opening of a provider, in order. */
  readonly opened: readonly {
    readonly opening: ProviderOpening;
    readonly provider: MemoryProvider;
  }[];
  /** Services in the order in which they were planned; cleared by the test. */
  readonly planned: ServiceKey[];
  /** By hosted zone: what happens to its next requests. */
  readonly faults: Map<string, ProviderFault>;
  putZone(
    name: string,
    spec: Partial<DnsZoneSpec>,
    more?: Partial<DnsZone['metadata']>,
  ): Promise<void>;
  deleteZone(name: string): Promise<void>;
  putSecret(name: string, data: Readonly<Record<string, string>> | undefined): Promise<void>;
  putNamespace(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  /** `address`: of its one shard; healthy. */
  putService(key: string, address?: string): Promise<void>;
  deleteService(key: string): Promise<void>;
  /** `zones`: of its spec.dns. */
  putPolicy(service: string, zones: readonly string[]): Promise<void>;
  zone(name: string): DnsZone | undefined;
  condition(zone: string, type: string): Condition | undefined;
  /** DNSZones in which a Service is published, sorted. */
  publishedIn(service: string): readonly string[];
  /** Names of A and AAAA sets that stand in a hosted zone, sorted. */
  standing(hostedZoneId: string): readonly string[];
}

export function toKey(key: string): ServiceKey {
  const [namespace = '', name = ''] = key.split('/');
  return toServiceKey({ namespace, name });
}

const isthmus = (resource: string, name: string, namespace?: string): LogKey =>
  toLogKey({ group: 'isthmus.dev', resource, name, namespace });

export async function createZonesWorld(
  options: { readonly domain?: string; readonly log?: LogFixture } = {},
): Promise<ZonesWorld> {
  const clock = createVirtualClock();
  const log = options.log ?? (await openLog());
  const hosted = new Map<string, MemoryZone>();
  const faults = new Map<string, ProviderFault>();
  const opened: { opening: ProviderOpening; provider: MemoryProvider }[] = [];
  const events: string[] = [];
  const { placement, health, addresses, policies, planned, wake } = createViews(log);
  const openProvider = (opening: ProviderOpening): Promise<MemoryProvider> => {
    const id = opening.kind === 'Route53' ? opening.hostedZoneId : opening.kind;
    const zone = hosted.get(id) ?? createMemoryZone();
    hosted.set(id, zone);
    const fault = (): ProviderFault | undefined => faults.get(id);
    const provider = createMemoryProvider({ clock, apex: 'example.com', fault }, zone);
    opened.push({ opening, provider });
    return Promise.resolve(provider);
  };
  const stage = createDnsStage({
    desired: log.desired,
    placement,
    health,
    term: await acquireTerm({ desired: log.desired, holder: 'test' }),
    recorder: {
      record: ({ regarding, type, reason }) =>
        void events.push(`${type} ${regarding.kind} ${regarding.name} ${reason}`),
    },
    openDnsProvider: openProvider,
    config: {
      federation: 'fed',
      domain: options.domain ?? 'example.com',
      ttlSeconds: 60,
      addressRules: { allowLoopback: false },
    },
    clock,
    chance: createSeededChance('zones'),
    log: silentLog,
    metrics: silentMetrics,
  });
  await log.put(isthmus('clusters', 'a'), {
    apiVersion: isthmusApiVersion,
    kind: 'Cluster',
    metadata: { name: 'a' },
  });
  await stage.prepare();
  stage.start();
  const zone = (name: string): DnsZone | undefined =>
    log.desired.get(isthmus('dnszones', name))?.object as DnsZone | undefined;
  return {
    clock,
    log,
    stage,
    events,
    planned,
    opened,
    faults,
    ...createWriters({ log, clock, addresses, policies, wake, zone }),
    zone,
    condition: (name, type) => zone(name)?.status?.conditions?.find((one) => one.type === type),
    publishedIn: (service) => {
      const { namespace, name } = split(service);
      return [...log.desired.list(`isthmus.dev/publications/${namespace}/${name}.`)].map(
        ({ key }) => key.slice(key.indexOf('.', key.lastIndexOf('/')) + 1),
      );
    },
    standing: (id) =>
      [...(hosted.get(id)?.names ?? [])]
        .flatMap(([name, sets]) => (sets.some(({ type }) => type.startsWith('A')) ? [name] : []))
        .sort(),
  };
}

function split(key: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

/** Placement and health of Services with one healthy shard each, in cluster `a`. */
export function createViews(log: Pick<LogFixture, 'desired'>) {
  const listeners = new Set<(due: { cluster: ClusterName; key: ServiceKey }) => void>();
  const addresses = new Map<ServiceKey, string>();
  const policies = new Map<ServiceKey, string>();
  const planned: ServiceKey[] = [];
  const cluster = toClusterName('a');
  const subscribe: PlacementView['subscribe'] = (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const placement: PlacementView = {
    ...plainPlacement,
    revision: () => log.desired.revision(),
    shard: () => undefined,
    shardsOf: () => [],
    clustersOf: (key) => {
      planned.push(key);
      return addresses.has(key) ? [cluster] : [];
    },
    notes: (key) => ({
      refusal: undefined,
      moves: [],
      policy: policies.get(key),
      overruled: [],
      hasOverrides: false,
      failures: [],
    }),
    subscribe,
  };
  const health: HealthView = {
    cluster: () => undefined,
    shard: (_cluster, key): ShardVerdict => ({
      key,
      cluster,
      state: 'healthy',
      reason: 'Ready',
      message: '',
      sinceMs: 1,
      ready: 1,
      total: 1,
      addresses: [{ ip: addresses.get(key) ?? '8.8.0.1' }],
      clusterIps: [],
      ports: [],
    }),
    subscribe,
  };
  const wake = (key: ServiceKey): void => {
    for (const listener of listeners) listener({ cluster, key });
  };
  return { placement, health, addresses, policies, planned, wake };
}

function createWriters(parts: {
  readonly log: LogFixture;
  readonly clock: VirtualClock;
  readonly addresses: Map<ServiceKey, string>;
  readonly policies: Map<ServiceKey, string>;
  readonly wake: (key: ServiceKey) => void;
  readonly zone: (name: string) => DnsZone | undefined;
}) {
  const { log, clock, addresses, policies, wake, zone } = parts;
  const core = (kind: string, metadata: KubeObject['metadata'], rest: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata,
    ...rest,
  });
  const nowText = (): string => new Date(clock.now()).toISOString();
  return {
    putZone: async (
      name: string,
      spec: Partial<DnsZoneSpec>,
      more: Partial<DnsZone['metadata']> = {},
    ): Promise<void> => {
      const before = zone(name);
      const object: DnsZone = {
        apiVersion: isthmusApiVersion,
        kind: 'DNSZone',
        metadata: {
          name,
          uid: `uid-${name}`,
          generation: (before?.metadata.generation ?? 0) + 1,
          creationTimestamp: before?.metadata.creationTimestamp ?? nowText(),
          finalizers: [dnsZoneFinalizer],
          ...more,
        },
        spec: { domain: 'example.com', provider: 'Route53', ...before?.spec, ...spec },
        ...(before?.status === undefined ? {} : { status: before.status }),
      };
      await log.put(isthmus('dnszones', name), object);
    },
    deleteZone: async (name: string): Promise<void> => {
      const before = zone(name);
      if (before === undefined) return;
      const metadata = { ...before.metadata, deletionTimestamp: nowText() };
      await log.put(isthmus('dnszones', name), { ...before, metadata });
    },
    putSecret: async (
      name: string,
      data: Readonly<Record<string, string>> | undefined,
    ): Promise<void> => {
      const at = toLogKey({ group: '', resource: 'secrets', namespace: 'dns', name });
      const encoded = Object.entries(data ?? {}).map(
        ([key, value]) => [key, Buffer.from(value).toString('base64')] as const,
      );
      const secret = core(
        'Secret',
        { name, namespace: 'dns' },
        { data: Object.fromEntries(encoded) },
      );
      await log.put(at, data === undefined ? undefined : secret);
    },
    putNamespace: async (name: string, labels: Readonly<Record<string, string>>): Promise<void> => {
      const at = toLogKey({ group: '', resource: 'namespaces', name });
      await log.put(at, core('Namespace', { name, labels }));
    },
    putService: async (key: string, address = '8.8.0.1'): Promise<void> => {
      addresses.set(toKey(key), address);
      const at = toLogKey({ group: '', resource: 'services', ...split(key) });
      const spec = { type: 'LoadBalancer', ports: [{ port: 80 }] };
      await log.put(at, core('Service', { ...split(key), uid: `uid-${key}` }, { spec }));
      wake(toKey(key));
    },
    deleteService: async (key: string): Promise<void> => {
      await log.put(toLogKey({ group: '', resource: 'services', ...split(key) }), undefined);
    },
    putPolicy: async (service: string, zones: readonly string[]): Promise<void> => {
      const { namespace, name } = split(service);
      policies.set(toKey(service), name);
      await log.put(isthmus('servicepolicies', name, namespace), {
        apiVersion: isthmusApiVersion,
        kind: 'ServicePolicy',
        metadata: { name, namespace },
        spec: { serviceName: name, dns: { zones } },
      });
    },
  };
}
