// Keeps one publication per federated Service in the log. Woken by verdicts, placement, Services
// and Clusters; each run reads the whole truth about one Service, plans, audits, and writes only
// what differs, under the lease holder's fence. It calls no provider: the embedded zone and
// providers follow the publications.
//
//   L1. An audit finding leaves the old publication as it is, and an Event says why.
//   L2. A Service that is gone, or going, has no publication.
//   L3. A placement that has not yet seen this Service is no wish to withdraw it (I3).
//   L4. A change that no name shows is written at most twice a second and Service.

import { isthmusGroup, type Cluster } from '../../../common/model/isthmus-kinds.ts';
import {
  isFederated,
  splitServiceKey,
  toClusterName,
  toLogKey,
  toLogPrefix,
  toRevision,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type Revision,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import type { KubeObject, Service } from '../../../common/model/kube-object.ts';
import type { Publication } from '../../../common/model/publication.ts';
import type {
  EventRecorder,
  HealthView,
  PlacementView,
  TermGuard,
} from '../../../common/model/views.ts';
import type { Topology } from '../../../common/model/topology.ts';
import type { AddressRules } from '../../../common/pure/address-rules.ts';
import { isSameJson } from '../../../common/pure/canonical-json.ts';
import { topologyOf } from '../../../common/pure/cluster-topology.ts';
import {
  readPublication,
  toPublicationKey,
  toPublicationObject,
} from '../../../common/pure/publication-object.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../../common/runtime/loop.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import { follow, type Desired, type StoredObject, type ViewEvent } from '../../desired/store.ts';
import { auditPublication, type Finding } from './audit.ts';
import { planPublication, type PublicationInput, type ShardInput } from './plan.ts';
import { transitionsBetween, type Transition } from './transitions.ts';

export interface DnsOptions {
  readonly desired: Desired;
  readonly placement: PlacementView;
  readonly health: HealthView;
  readonly term: TermGuard;
  readonly recorder: EventRecorder;
  readonly config: {
    readonly federation: string;
    /** Apex without the trailing dot. */
    readonly domain: string;
    readonly ttlSeconds: number;
    readonly addressRules: AddressRules;
  };
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface Dns {
  /** Begins to write; call when the lease is held. Again after stop() when it is held again. */
  start(): void;
  stop(): Promise<void>;
  /** Resolves when nothing is due. */
  idle(): Promise<void>;
}

// Placement follows the log within an event-loop turn or two; that it shall place this Service
// differently wakes us, so this wait is only for the case that it does not.
const placementWaitMs = 250;
// Another writer's record stood in our way: read again, then plan again.
const conflictWaitMs = 50;
// Planning takes some 10 µs a shard, and so do the audit and the comparison: with more of them
// each gets a turn of its own. A change in between marks the key again, and the write names the
// revision that was read.
const shardsPerTurn = 200;
// As long as a load balancer takes to come at least, and below what a person waits for.
const quietMs = 500;

export function createDns(options: DnsOptions): Dns {
  let running:
    | { readonly loop: Loop<ServiceKey>; readonly stops: readonly (() => void)[] }
    | undefined;
  return {
    start: () => {
      running ??= startLoop(options);
    },
    idle: () => running?.loop.idle() ?? Promise.resolve(),
    stop: async () => {
      const ending = running;
      running = undefined;
      for (const stop of ending?.stops ?? []) stop();
      await ending?.loop.stop();
    },
  };
}

function startLoop(options: DnsOptions) {
  const { desired, placement, health } = options;
  const memory: Memory = { complaints: new Map(), otherZones: new Map(), quiet: new Map() };
  const loop = createLoop<ServiceKey>({
    name: 'dns',
    run: async (key) =>
      (await dropOtherZones(options, memory, key)) ?? publish(options, memory, key),
    clock: options.clock,
    chance: options.chance,
    log: options.log,
  });
  const markCluster = (cluster: ClusterName): void => {
    for (const shard of placement.shardsOf(cluster)) loop.mark(shard.key);
  };
  const watch = (
    group: string,
    resource: string,
    note: (event: ViewEvent) => void,
  ): (() => void) => {
    const handle = follow(desired, toLogPrefix(group, resource), note);
    return () => handle.cancel();
  };
  const stops = [
    placement.subscribe(({ key }) => loop.mark(key)),
    health.subscribe(({ cluster, key }) =>
      key === undefined ? markCluster(cluster) : loop.mark(key),
    ),
    watch('', 'services', ({ current }) => loop.mark(serviceKeyOf(current))),
    watch(isthmusGroup, 'clusters', ({ current, previous }) => {
      if (!hasSameTopology(current.object, previous?.object))
        markCluster(toClusterName(current.object.metadata.name));
    }),
    // Also publications without a Service: it may have gone while nobody held the lease.
    watch(isthmusGroup, 'publications', ({ current }) => {
      const published = readPublication(current.object);
      if (published === undefined) return;
      if (published.zone !== options.config.domain) {
        memory.otherZones.set(current.key, published.key);
      }
      loop.mark(published.key);
    }),
  ];
  return { loop, stops };
}

interface Memory {
  /** Last complaint of the audit, by Service. */
  readonly complaints: Map<ServiceKey, string>;
  /** Publications in zones that are no longer ours, from before the domain was changed. */
  readonly otherZones: Map<LogKey, ServiceKey>;
  /** Changes that no name shows, of this revision of the Service, wait until then (monotonic). */
  readonly quiet: Map<ServiceKey, { readonly untilMs: number; readonly revision: Revision }>;
}

/** I7: names under a former domain go. Says when to come back if one would not. */
async function dropOtherZones(
  { desired, term }: DnsOptions,
  { otherZones }: Memory,
  key: ServiceKey,
): Promise<{ readonly againAfterMs: number } | undefined> {
  if (otherZones.size === 0) return undefined;
  for (const [at, service] of otherZones) {
    if (service !== key) continue;
    const expected = desired.get(at)?.revision;
    if (expected === undefined) {
      otherZones.delete(at);
      continue;
    }
    const request = { key: at, object: undefined, expected, guard: term.guard() };
    if ((await desired.write(request)).kind === 'conflict') return { againAfterMs: conflictWaitMs };
    otherZones.delete(at);
  }
  return undefined;
}

function serviceKeyOf({ object: { metadata } }: StoredObject): ServiceKey {
  return toServiceKey({ namespace: metadata.namespace ?? '', name: metadata.name });
}

function hasSameTopology(a: KubeObject, b: KubeObject | undefined): boolean {
  if (b === undefined) return false;
  const read = (object: KubeObject): string => JSON.stringify(topologyOf(object as Cluster));
  return read(a) === read(b) && a.metadata.deletionTimestamp === b.metadata.deletionTimestamp;
}

async function publish(
  options: DnsOptions,
  memory: Memory,
  key: ServiceKey,
): Promise<{ readonly againAfterMs: number } | undefined> {
  const { desired, placement } = options;
  const { complaints, quiet } = memory;
  const at = toPublicationKey(key, options.config.domain);
  const stored = desired.get(at);
  const previous = readPublication(stored?.object);
  const serviceAt = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  const service = isFederated(key) ? desired.get(serviceAt) : undefined;
  const isGone = service === undefined || service.object.metadata.deletionTimestamp !== undefined;
  if (isGone) {
    complaints.delete(key);
    quiet.delete(key);
    return stored === undefined
      ? undefined
      : write(options, { key, at, stored, service, next: undefined });
  }
  if (placement.revision() < service.revision) return { againAfterMs: placementWaitMs }; // L3
  const nowMs = options.clock.monotonicMs();
  const waits = quiet.get(key);
  if (waits?.revision === service.revision && nowMs < waits.untilMs) {
    // What could not be otherwise in names need not be planned to be put off again.
    if (isStillNameless(options, key, previous)) return { againAfterMs: waits.untilMs - nowMs };
  }
  const input = toInput(options, key, service.object as Service, previous);
  const next = planPublication(input);
  if (input.shards.length > shardsPerTurn) await nextTurn(options.clock);
  const findings = auditPublication(input, next);
  if (findings.length > 0) {
    complain(options, complaints, { key, service, findings });
    return undefined;
  }
  complaints.delete(key);
  if (input.shards.length > shardsPerTurn) await nextTurn(options.clock);
  const isSame = previous !== undefined && isSameJson(previous, next);
  if (!isSame && previous !== undefined && isQuiet(previous, next)) {
    const wait = quiet.get(key) ?? { untilMs: nowMs + quietMs, revision: service.revision };
    if (nowMs < wait.untilMs) {
      quiet.set(key, wait);
      return { againAfterMs: wait.untilMs - nowMs }; // L4
    }
  }
  quiet.delete(key);
  return isSame ? undefined : write(options, { key, at, stored, service, next });
}

/** Never healthy before, and no shard is now; placed as it was. */
function isStillNameless(
  { placement, health }: DnsOptions,
  key: ServiceKey,
  previous: Publication | undefined,
): boolean {
  if (previous === undefined || previous.everHealthy || previous.recordSets.length > 0)
    return false;
  const clusters = placement.clustersOf(key);
  return (
    clusters.length === previous.shards.length &&
    clusters.every((cluster) => health.shard(cluster, key)?.state !== 'healthy')
  );
}

/** Only details of shards that are in no name: they come one by one while a Service begins. */
function isQuiet(previous: Publication, next: Publication): boolean {
  return (
    previous.recordSets.length === 0 &&
    next.recordSets.length === 0 &&
    previous.serviceUid === next.serviceUid &&
    previous.reason === next.reason &&
    previous.shards.length === next.shards.length
  );
}

function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.soon(resolve);
  });
}

function toInput(
  { desired, placement, health, config }: DnsOptions,
  key: ServiceKey,
  service: Service,
  previous: Publication | undefined,
): PublicationInput {
  const shards = placement.clustersOf(key).map((cluster): ShardInput => {
    const topology = topologyIn(desired, cluster);
    const verdict = health.shard(cluster, key);
    return { cluster, topology, verdict, ...placement.traffic(cluster, key) };
  });
  return {
    key,
    serviceUid: service.metadata.uid ?? '',
    type: service.spec.type ?? 'ClusterIP',
    isHeadless: service.spec.clusterIP === 'None',
    zone: config.domain,
    federation: config.federation,
    ttlSeconds: config.ttlSeconds,
    addressRules: config.addressRules,
    shards,
    previous,
  };
}

function topologyIn(desired: Desired, cluster: ClusterName): Topology {
  const stored = desired.get(
    toLogKey({ group: isthmusGroup, resource: 'clusters', name: cluster }),
  );
  if (stored === undefined) return { zones: [], region: undefined, provider: undefined };
  return topologyOf(stored.object as Cluster);
}

/** One Event per new finding, not one per run. */
function complain(
  { recorder, log, metrics }: DnsOptions,
  complaints: Map<ServiceKey, string>,
  at: {
    readonly key: ServiceKey;
    readonly service: StoredObject;
    readonly findings: readonly Finding[];
  },
): void {
  const text = at.findings.map(({ invariant, message }) => `${invariant}: ${message}`).join('; ');
  if (complaints.get(at.key) === text) return;
  complaints.set(at.key, text);
  metrics.count('mesh_dns_audit_findings_total', {}, at.findings.length);
  log.error('publication refused by its audit', { service: at.key, findings: text });
  recorder.record({
    regarding: regarding(at.service),
    type: 'Warning',
    reason: 'DNSAuditFailed',
    message: `The names were left as they were: ${text.slice(0, 800)}`,
  });
}

function regarding({ object: { metadata } }: StoredObject) {
  const { namespace, name, uid } = metadata;
  return { apiVersion: 'v1', kind: 'Service', namespace, name, uid };
}

async function write(
  options: DnsOptions,
  change: {
    readonly key: ServiceKey;
    readonly at: LogKey;
    readonly stored: StoredObject | undefined;
    readonly service: StoredObject | undefined;
    readonly next: Publication | undefined;
  },
): Promise<{ readonly againAfterMs: number } | undefined> {
  const { desired, term, log, metrics } = options;
  const { key, at, stored, service, next } = change;
  const outcome = await desired.write({
    key: at,
    object: next === undefined ? undefined : toPublicationObject(next),
    expected: stored?.revision ?? toRevision(0),
    guard: term.guard(),
  });
  if (outcome.kind === 'fenced') {
    // Another replica holds the lease (I12): its own loop does this work.
    log.warn('publication not written: the lease is lost', { service: key });
    return undefined;
  }
  if (outcome.kind === 'conflict') return { againAfterMs: conflictWaitMs };
  metrics.count('mesh_dns_publications_written_total', {
    change: next === undefined ? 'deleted' : 'put',
  });
  const before = readPublication(stored?.object);
  report(options, { key, service, transitions: transitionsBetween(before, next) });
  return undefined;
}

function report(
  { recorder, log }: DnsOptions,
  at: {
    readonly key: ServiceKey;
    readonly service: StoredObject | undefined;
    readonly transitions: readonly Transition[];
  },
): void {
  for (const { type, reason, message } of at.transitions) {
    log.info('DNS changed', { service: at.key, reason, detail: message });
    const target =
      at.service === undefined
        ? { apiVersion: 'v1', kind: 'Service', ...splitServiceKey(at.key) }
        : regarding(at.service);
    recorder.record({ regarding: target, type, reason, message });
  }
}
