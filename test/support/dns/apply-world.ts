// The applier on a log and a provider in memory under a virtual clock: publications go in, and what
// stands in the zone comes out.

import type { DnsZoneSpec } from '../../../common/model/dns-zone.ts';
import {
  splitServiceKey,
  toClusterName,
  toLogKey,
  toServiceKey,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import type { ShardState } from '../../../common/model/health.ts';
import type { Publication, PublishedShard, RecordSet } from '../../../common/model/publication.ts';
import type { DnsZoneState, DnsZoneView } from '../../../common/model/views.ts';
import { toPublicationKey, toPublicationObject } from '../../../common/pure/publication-object.ts';
import { silentLog } from '../../../common/runtime/log.ts';
import type { Labels, Metrics } from '../../../common/runtime/metrics.ts';
import { createDnsApplier, type DnsApplier } from '../../../coordinator/dns/apply/loop.ts';
import { acquireTerm, type Term } from '../../../coordinator/desired/term.ts';
import type { DnsProvider } from '../../../coordinator/dns/provider/provider.ts';
import { createSeededChance } from '../../sim/seeded-chance.ts';
import { openLog, type LogFixture } from '../dns-fixtures.ts';
import { createVirtualClock, type VirtualClock } from '../virtual-clock.ts';
import {
  createMemoryProvider,
  createMemoryZone,
  type MemoryProvider,
  type MemoryProviderOptions,
  type MemoryZone,
} from './memory-provider.ts';

export const federation = 'fed';
export const domain = 'example.com';
export const ownerId = 'owner-a';

/** A Service's names by clusters: each stands in a region of its own name. */
export interface ShardSketch {
  readonly cluster: string;
  readonly ip: string;
  readonly state?: ShardState;
}

export interface ApplyWorldOptions {
  readonly log?: LogFixture;
  readonly clock?: VirtualClock;
  readonly zone?: MemoryZone;
  readonly spec?: Partial<DnsZoneSpec>;
  readonly provider?: Omit<MemoryProviderOptions, 'clock' | 'apex'>;
  readonly ownerId?: string;
  readonly seed?: string;
  readonly isStarted?: boolean;
  /** In place of the one in memory, which is then of no use. */
  readonly at?: DnsProvider;
}

export interface ApplyWorld {
  readonly clock: VirtualClock;
  readonly log: LogFixture;
  readonly provider: MemoryProvider;
  readonly applier: DnsApplier;
  readonly term: Term;
  readonly events: readonly string[];
  /** `name{labels}` to its value. */
  readonly counts: ReadonlyMap<string, number>;
  publish(key: ServiceKey, shards: readonly ShardSketch[]): Promise<void>;
  put(publication: Publication): Promise<void>;
  /** The publication and the Service go. */
  remove(key: ServiceKey): Promise<void>;
  /** Only the publication goes. */
  unpublish(key: ServiceKey): Promise<void>;
  /** Changes the DNSZone. undefined: it is gone. */
  setZone(change: Partial<DnsZoneState> | undefined): void;
  state(key: ServiceKey): string | undefined;
  /** `name type values` of all that stands, without the fence. */
  lines(): readonly string[];
  /** Another zone and provider of the same applier. */
  addZone(name: string, provider: MemoryProvider, spec?: Partial<DnsZoneSpec>): void;
}

export function serviceKey(name: string): ServiceKey {
  return toServiceKey({ namespace: 'web', name });
}

export function globalName(key: ServiceKey): string {
  return `${splitServiceKey(key).name}.web.${federation}.svc.${domain}`;
}

export function regionName(key: ServiceKey, region: string): string {
  return `${splitServiceKey(key).name}.web.${federation}.svc.${region}.${domain}`;
}

export async function createApplyWorld(options: ApplyWorldOptions = {}): Promise<ApplyWorld> {
  const clock = options.clock ?? createVirtualClock();
  const log = options.log ?? (await openLog());
  const provider = createMemoryProvider(
    { ...options.provider, clock, apex: domain },
    options.zone ?? createMemoryZone(),
  );
  const zones = createZones(options.spec ?? {});
  const providers = new Map<string, DnsProvider>([[domain, options.at ?? provider]]);
  const term = await acquireTerm({ desired: log.desired, holder: 'test' });
  const events: string[] = [];
  const counts = new Map<string, number>();
  const applier = createDnsApplier({
    desired: log.desired,
    term,
    zones: zones.view,
    providers: { provider: (name) => providers.get(name), subscribe: () => () => undefined },
    federation,
    ownerId: options.ownerId ?? ownerId,
    recorder: {
      record: ({ regarding, reason, message }) =>
        void events.push(`${regarding.kind} ${regarding.name} ${reason}: ${message}`),
    },
    clock,
    chance: createSeededChance(options.seed ?? 'apply'),
    log: silentLog,
    metrics: countInto(counts),
  });
  const write = async (publication: Publication): Promise<void> => {
    const name = publication.dnsZone ?? publication.zone;
    const at = toPublicationKey(publication.key, name);
    await log.put(at, toPublicationObject(publication));
  };
  const serviceAt = (key: ServiceKey) =>
    toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  if (options.isStarted !== false) applier.start();
  return {
    clock,
    log,
    provider,
    applier,
    term,
    events,
    counts,
    put: write,
    publish: async (key, shards) => {
      if (log.desired.get(serviceAt(key)) === undefined) {
        const { namespace, name } = splitServiceKey(key);
        const metadata = { namespace, name, uid: `uid-${name}` };
        await log.put(serviceAt(key), { apiVersion: 'v1', kind: 'Service', metadata, spec: {} });
      }
      await write(toPublication(key, shards));
    },
    remove: async (key) => {
      await log.put(serviceAt(key), undefined);
      await log.put(toPublicationKey(key, domain), undefined);
    },
    unpublish: async (key) => void (await log.put(toPublicationKey(key, domain), undefined)),
    setZone: zones.set,
    state: (key) => applier.view.state(domain, key)?.state,
    lines: () =>
      provider
        .standing()
        .filter(({ name }) => !name.startsWith('_fedfence.') && name !== domain)
        .map(({ name, type, values }) => [name, type, ...values].join(' ')),
    addZone: (name, other, spec = {}) => {
      providers.set(name, other);
      zones.add(name, spec);
    },
  };
}

/** Addresses of the healthy at each level; a region without one leads to the global name. */
export function toPublication(key: ServiceKey, shards: readonly ShardSketch[]): Publication {
  const isHealthy = ({ state = 'healthy' }: ShardSketch): boolean => state === 'healthy';
  const healthy = shards.filter(isHealthy);
  const top = globalName(key);
  const open = healthy.length > 0 ? healthy : shards;
  const recordSets: RecordSet[] =
    shards.length === 0
      ? []
      : [
          toSet(top, 'A', open.map(({ ip }) => ip).sort(), 'global'),
          ...[...new Set(shards.map(({ cluster }) => cluster))].map((region) => {
            const here = healthy.filter(({ cluster }) => cluster === region);
            const name = regionName(key, region);
            return here.length > 0
              ? toSet(name, 'A', here.map(({ ip }) => ip).sort(), 'region')
              : toSet(name, 'CNAME', [top], 'region');
          }),
        ];
  return {
    key,
    serviceUid: `uid-${key}`,
    zone: domain,
    recordSets: recordSets.sort((a, b) => (a.name < b.name ? -1 : 1)),
    shards: shards.map(toShard),
    everHealthy: true,
    reason: 'Published',
    message: '',
  };
}

function toSet(
  name: string,
  type: RecordSet['type'],
  values: readonly string[],
  level: RecordSet['level'],
): RecordSet {
  return { name, type, ttlSeconds: 60, values: [...new Set(values)], level };
}

function toShard({ cluster, ip, state = 'healthy' }: ShardSketch): PublishedShard {
  return {
    cluster: toClusterName(cluster),
    zones: [],
    region: cluster,
    state,
    reason: state,
    sinceMs: 1,
    addresses: [ip],
    hostnames: [],
    inDns: state === 'healthy',
  };
}

function createZones(spec: Partial<DnsZoneSpec>): {
  readonly view: DnsZoneView;
  readonly set: (change: Partial<DnsZoneState> | undefined) => void;
  readonly add: (name: string, spec: Partial<DnsZoneSpec>) => void;
} {
  const listeners = new Set<Parameters<DnsZoneView['subscribe']>[0]>();
  const toZone = (name: string, given: Partial<DnsZoneSpec>): DnsZoneState => ({
    name,
    uid: `uid-${name}`,
    generation: 1,
    spec: { domain, provider: 'Route53', ...given },
    isDeleting: false,
    isPublishing: true,
  });
  const zones = new Map([[domain, toZone(domain, spec)]]);
  const tell = (dnsZone: string): void => {
    for (const listener of listeners) listener({ dnsZone, key: undefined });
  };
  return {
    view: {
      zones: () => [...zones.values()],
      zone: (name) => zones.get(name),
      zonesOf: () => [...zones.values()].flatMap((it) => (it.isDeleting ? [] : [it.name])),
      subscribe: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    set: (change) => {
      const known = zones.get(domain);
      if (change === undefined || known === undefined) zones.delete(domain);
      else zones.set(domain, { ...known, ...change, spec: { ...known.spec, ...change.spec } });
      tell(domain);
    },
    add: (name, given) => {
      zones.set(name, toZone(name, given));
      tell(name);
    },
  };
}

function countInto(counts: Map<string, number>): Metrics {
  const at = (name: string, labels: Labels = {}): string =>
    `${name}{${Object.values(labels).join(',')}}`;
  return {
    count: (name, labels, by = 1) =>
      void counts.set(at(name, labels), (counts.get(at(name, labels)) ?? 0) + by),
    gauge: (name, value, labels) => void counts.set(at(name, labels), value),
    observe: (name, _value, labels) =>
      void counts.set(at(name, labels), (counts.get(at(name, labels)) ?? 0) + 1),
  };
}
