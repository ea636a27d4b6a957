// Keeps one publication per federated Service and DNSZone in the log. Woken by verdicts, placement,
// Services, policies, Clusters and DNSZones; reconcile.ts is one run for one Service. It calls no
// provider: the embedded zone and the applier follow the publications.
//
//   M1. What changes marks the Services that it concerns and no others; where those are many, some
//       at a time (walk.ts).
//   M2. A level that comes or goes with a cluster is published for Services without a shard there
//       only at providers, and in no hurry: no client asks for it yet.
//   M3. What health says goes before what people edit: a dead address waits for no queue.
//   M4. After a restart each shard of a Service is heard of by itself, and so is each of a great
//       failure: planning all of them for each one takes a bounded part of the process.

import { isthmusGroup, type Cluster } from '../../../common/model/isthmus-kinds.ts';
import {
  toClusterName,
  toLogPrefix,
  toServiceKey,
  type ClusterName,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { DnsZoneState } from '../../../common/model/views.ts';
import { topologyOf } from '../../../common/pure/cluster-topology.ts';
import { readPublication, toPublicationKey } from '../../../common/pure/publication-object.ts';
import { createLoop, type Loop } from '../../../common/runtime/loop.ts';
import { createTurns } from '../../../common/runtime/turn-pace.ts';
import { follow, type StoredObject, type ViewEvent } from '../../desired/store.ts';
import { createAliasRegistry } from './alias-registry.ts';
import { createHostnameTable } from './hostname-table.ts';
import { createLevelRegistry } from './level-registry.ts';
import type { DnsOptions } from './options.ts';
import { reconcile, type FederationFacts, type Memory } from './reconcile.ts';
import { createWalks } from './walk.ts';
import { createZoneBudgets } from './zone-budgets.ts';
import { toZoneShape } from './zone-shape.ts';

export type { DnsOptions } from './options.ts';

export interface Dns {
  /** Begins to write; call when the lease is held. Again after stop() when it is held again. */
  start(): void;
  stop(): Promise<void>;
  /** Resolves when nothing is due. */
  idle(): Promise<void>;
}

export function createDns(options: DnsOptions): Dns {
  let running: Running | undefined;
  return {
    start: () => {
      running ??= startLoop(options);
    },
    idle: async () => {
      await running?.walked();
      await running?.loop.idle();
    },
    stop: async () => {
      const ending = running;
      running = undefined;
      for (const stop of ending?.stops ?? []) stop();
      await ending?.loop.stop();
    },
  };
}

interface Running {
  readonly loop: Loop<ServiceKey>;
  readonly stops: readonly (() => void)[];
  /** No Service is still to be marked, but those that are in no hurry. */
  readonly walked: () => Promise<void>;
}

// 10,000 Services take some 50 s; a failover meanwhile waits behind one pause's worth at most.
const hurryless = { servicesPerTurn: 100, pauseMs: 500 };

// A plan of a hundred shards takes a few milliseconds, and the one after it waits for four times as
// long; a Service of a thousand is planned some four times a second while its shards change.
const publishRest = { times: 4, maxMs: 250 };

function startLoop(options: DnsOptions): Running {
  const { desired, placement, health, zones } = options;
  const memory: Memory = { complaints: new Map(), quiet: new Map() };
  const [levels, aliases, budgets] = [
    createLevelRegistry(),
    createAliasRegistry(),
    createZoneBudgets(),
  ];
  const facts: FederationFacts = {
    places: () => levels.places(),
    aliases: (key: ServiceKey) => aliases.of(key),
    levelNamesMax: (zone: DnsZoneState) => budgets.levelNamesMax(zone),
    ownTurn: createTurns(options.clock),
    hostnames: createHostnameTable({
      ...options,
      lookUp: options.lookUp,
      onChange: (key) => loop.mark(key),
    }),
  };
  const loop: Loop<ServiceKey> = createLoop<ServiceKey>({
    ...options,
    name: 'dns',
    rest: publishRest,
    run: (key) => reconcile({ ...options, facts }, memory, key),
  });
  const marks = createMarks(options, loop);
  const watch = (group: string, resource: string, note: (event: ViewEvent) => void) => {
    const handle = follow(desired, toLogPrefix(group, resource), note);
    return () => handle.cancel();
  };
  const stops = [
    placement.subscribe(({ key }) => loop.mark(key)),
    // M3.
    health.subscribe(({ cluster, key }) => {
      if (key !== undefined) return loop.markFirst(key);
      for (const shard of placement.shardsOf(cluster)) loop.markFirst(shard.key);
    }),
    zones.subscribe(({ dnsZone, key }) =>
      key === undefined ? marks.zone(dnsZone) : loop.mark(key),
    ),
    watch('', 'services', ({ current }) => loop.mark(serviceKeyOf(current))),
    watch(isthmusGroup, 'servicepolicies', (event) => {
      for (const key of [...servicesOfPolicy(event), ...aliases.fold(event)]) loop.mark(key);
    }),
    watch(isthmusGroup, 'clusters', (event) => {
      const { kind, current, previous } = event;
      if (kind === 'modified' && hasSameTopology(current.object, previous?.object)) return;
      marks.cluster(toClusterName(current.object.metadata.name));
      if (levels.fold(event)) marks.atProviders();
    }),
    // Also publications without a Service: it may have gone while nobody held the lease.
    watch(isthmusGroup, 'publications', (event) => {
      const published = readPublication(event.current.object);
      if (published !== undefined) loop.mark(published.key);
      for (const dnsZone of budgets.fold(event)) marks.budget(dnsZone);
    }),
    () => marks.stop(),
    () => void facts.hostnames.stop(),
  ];
  return { loop, stops, walked: () => marks.walked() };
}

/** M1. */
function createMarks(options: DnsOptions, loop: Loop<ServiceKey>) {
  const { desired, placement, zones } = options;
  const walks = createWalks(options);
  const slowWalks = createWalks({ ...options, ...hurryless });
  const shapes = createShapes(zones.zones());
  const isIn = (key: ServiceKey, dnsZone: string): boolean =>
    (zones.zonesOf(key)?.includes(dnsZone) ?? true) ||
    desired.get(toPublicationKey(key, dnsZone)) !== undefined;
  return {
    cluster: (cluster: ClusterName): void => {
      for (const shard of placement.shardsOf(cluster)) loop.mark(shard.key);
    },
    zone: (dnsZone: string): void => {
      if (!shapes.isNew(dnsZone, zones.zone(dnsZone))) return;
      walks.walk(`zone/${dnsZone}`, undefined, (key) => {
        if (isIn(key, dnsZone)) loop.mark(key);
      });
    },
    /** M2. */
    atProviders: (): void => {
      if (!zones.zones().some(isAtProvider)) return;
      slowWalks.walk('levels', undefined, (key) => {
        const at = zones.zonesOf(key) ?? [];
        if (at.some((name) => isAtProvider(zones.zone(name)))) loop.mark(key);
      });
    },
    budget: (dnsZone: string): void => {
      if (!isAtProvider(zones.zone(dnsZone))) return;
      slowWalks.walk(`budget/${dnsZone}`, undefined, (key) => {
        if (isIn(key, dnsZone)) loop.mark(key);
      });
    },
    walked: () => walks.idle(),
    stop: (): void => {
      walks.stop();
      slowWalks.stop();
    },
  };
}

function isAtProvider(zone: DnsZoneState | undefined): boolean {
  return zone?.isPublishing === true && zone.spec.provider !== 'Embedded';
}

/** What of a zone is said in publications; a freeze, a confirmed plan or a Secret is not. */
function createShapes(zones: readonly DnsZoneState[]) {
  const known = new Map(zones.map((zone) => [zone.name, toShapeText(zone)]));
  return {
    isNew: (name: string, zone: DnsZoneState | undefined): boolean => {
      const [before, after] = [known.get(name), zone && toShapeText(zone)];
      if (after === undefined) known.delete(name);
      else known.set(name, after);
      return before !== after;
    },
  };
}

function toShapeText({ spec, isPublishing, recordSetsMax }: DnsZoneState): string {
  const { namespaces, namespaceSelector, services, nameBudget, ttlSeconds, levelTtlSeconds } = spec;
  const choice = [namespaces, namespaceSelector, services, isPublishing];
  const shape = [spec.domain, toZoneShape(spec, nameBudget ?? recordSetsMax ?? 0, undefined)];
  return JSON.stringify([choice, shape, ttlSeconds, levelTtlSeconds]);
}

function serviceKeyOf({ object: { metadata } }: StoredObject): ServiceKey {
  return toServiceKey({ namespace: metadata.namespace ?? '', name: metadata.name });
}

/** The Service that a policy names, and the one that it named before. */
function servicesOfPolicy({ current, previous }: ViewEvent): readonly ServiceKey[] {
  return [current, previous].flatMap((stored) => {
    const { namespace = '' } = stored?.object.metadata ?? {};
    const spec = stored?.object.spec as { readonly serviceName?: string } | undefined;
    const name = spec?.serviceName;
    return name === undefined ? [] : [toServiceKey({ namespace, name })];
  });
}

function hasSameTopology(a: KubeObject, b: KubeObject | undefined): boolean {
  if (b === undefined) return false;
  const read = (object: KubeObject): string => JSON.stringify(topologyOf(object as Cluster));
  return read(a) === read(b) && a.metadata.deletionTimestamp === b.metadata.deletionTimestamp;
}
