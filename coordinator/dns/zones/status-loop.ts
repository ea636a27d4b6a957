// Tells people of DNSZones: status, conditions, events on their transitions, metrics. Also lets a
// DNSZone that is being deleted go once nothing of ours is left in it.
// Input: what is found of zones, what is written there, publications. Output: guarded writes.
//
//   I7. A DNSZone stays until its names are gone from its provider.
//   I9. What looks like a key is in no status.
//   I12. A deposed lease holder writes nothing: the term is the guard of each write.
//   U1. At most once a second for each zone, where only numbers are different every five, and
//       nothing where nothing is.

import type { DnsZone } from '../../../common/model/dns-zone.ts';
import { toLogKey, toLogPrefix, type ServiceKey } from '../../../common/model/ids.ts';
import {
  dnsZoneFinalizer,
  isthmusApiVersion,
  isthmusGroup,
} from '../../../common/model/isthmus-kinds.ts';
import type { Condition } from '../../../common/model/kube-object.ts';
import type { AppliedView } from '../../../common/model/views.ts';
import { isSameJson } from '../../../common/pure/canonical-json.ts';
import { planConditions, type Said } from '../../../common/pure/conditions.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import { parseTimestamp, toTimestamp } from '../../../common/runtime/clock.ts';
import { createLoop } from '../../../common/runtime/loop.ts';
import { follow, type StoredObject } from '../../desired/store.ts';
import type { DnsZonesOptions } from './options.ts';
import { findConflict } from './plan-conflicts.ts';
import { planZoneConditions, whyStuck, zoneConditionTypes, type ZoneFacts } from './plan-status.ts';
import { planZoneEvents } from './plan-events.ts';
import { createCountsFold } from './published-counts.ts';
import { zonesPrefix, type DnsZones } from './zones.ts';

export interface ZoneStatusOptions extends Omit<DnsZonesOptions, 'openProvider' | 'placement'> {
  readonly zones: DnsZones;
  readonly applied: AppliedView;
  /** What the parent zone says of a DNSZone, where somebody looks. */
  readonly delegation?: (dnsZone: string) => Omit<Said, 'type'> | undefined;
}

export interface ZoneStatus {
  start(): void;
  /** Something else was found of this zone. */
  mark(dnsZone: string): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const writeEveryMs = 1_000;
const countEveryMs = 5_000;
const conflictRetryMs = 20;
/** What a deletion waits for may also be time. */
const goingEveryMs = 10_000;
const secretMark = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

export function createZoneStatus(options: ZoneStatusOptions): ZoneStatus {
  const { desired, zones, applied, clock, chance, log } = options;
  const counts = createCountsFold();
  const foreign = new Map<string, Map<ServiceKey, readonly string[]>>();
  const changedMs = new Map<string, number>();
  let cancels: (() => void)[] = [];

  const run = async (name: string): Promise<{ readonly againAfterMs: number } | undefined> => {
    const stored = desired.get(toZoneKey(name));
    if (stored === undefined) {
      changedMs.delete(name);
      foreign.delete(name);
      forgetGauges(options, name);
      return undefined;
    }
    const facts = gather(stored.object as DnsZone); // by its key
    const next = planNext(options, facts);
    showGauges(options, facts, next);
    const isGoing = facts.zone.metadata.deletionTimestamp !== undefined;
    if (next.kind === 'same') return isGoing ? { againAfterMs: goingEveryMs } : undefined;
    const everyMs = next.kind === 'counts' ? countEveryMs : writeEveryMs;
    const waitMs = (changedMs.get(name) ?? -Infinity) + everyMs - clock.monotonicMs();
    if (waitMs > 0) return { againAfterMs: Math.ceil(waitMs) }; // U1
    const outcome = await settle(options, stored, next);
    if (outcome === 'again') return { againAfterMs: conflictRetryMs };
    if (outcome === 'written') changedMs.set(name, clock.monotonicMs());
    return isGoing ? { againAfterMs: goingEveryMs } : undefined;
  };

  const gather = (zone: DnsZone): ZoneFacts => {
    const { name } = zone.metadata;
    const others = [...desired.list(zonesPrefix)].map(({ object }) => object as DnsZone);
    return {
      zone,
      conflict: findConflict(zone, others),
      found: zones.found(name),
      applied: applied.zone(name),
      published: counts.of(name),
      foreign: [...(foreign.get(name) ?? [])]
        .map(([key, names]) => ({ key, names }))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
      nameServers: nameServersOf(zone, others),
      delegation: options.delegation?.(name),
    };
  };

  const onApplied = (name: string, key: ServiceKey | undefined): void => {
    if (key !== undefined) {
      const state = applied.state(name, key);
      const here = foreign.get(name) ?? new Map<ServiceKey, readonly string[]>();
      if (state?.state === 'foreign') here.set(key, state.names ?? []);
      else here.delete(key);
      if (here.size > 0) foreign.set(name, here);
      else foreign.delete(name);
    }
    loop.mark(name);
  };

  const loop = createLoop<string>({ name: 'dns-zone-status', run, clock, chance, log });
  return {
    mark: (name) => loop.mark(name),
    start: () => {
      if (cancels.length > 0) return;
      const publications = follow(desired, toLogPrefix(isthmusGroup, 'publications'), (event) =>
        counts.fold(event).forEach((name) => loop.mark(name)),
      );
      const all = follow(desired, zonesPrefix, ({ current }) =>
        loop.mark(current.object.metadata.name),
      );
      cancels = [
        () => publications.cancel(),
        () => all.cancel(),
        zones.subscribeFound((name) => loop.mark(name)),
        zones.view.subscribe(({ dnsZone, key }) => {
          if (key === undefined) loop.mark(dnsZone);
        }),
        applied.subscribe(({ dnsZone, key }) => onApplied(dnsZone, key)),
      ];
    },
    idle: () => loop.idle(),
    stop: async () => {
      for (const cancel of cancels.splice(0)) cancel();
      await loop.stop();
    },
  };
}

function toZoneKey(name: string) {
  return toLogKey({ group: isthmusGroup, resource: 'dnszones', name });
}

/** As coordinator/zone/plan-zones.ts chooses them among the DNSZones of one domain. */
function nameServersOf({ spec }: DnsZone, all: readonly DnsZone[]): readonly string[] {
  const said = all.filter(
    (other) =>
      other.spec.domain === spec.domain && (other.spec.embedded?.nameServers ?? []).length > 0,
  );
  return said[0]?.spec.embedded?.nameServers ?? [];
}

type Next =
  | { readonly kind: 'same' }
  | { readonly kind: 'counts' | 'other'; readonly zone: DnsZone }
  /** `zone` undefined: it goes. */
  | { readonly kind: 'finished'; readonly zone: DnsZone | undefined };

function planNext({ clock }: ZoneStatusOptions, facts: ZoneFacts): Next {
  const finished = withoutFinalizer(facts, clock.now());
  if (finished !== undefined) return { kind: 'finished', ...finished };
  const zone = withFinalizer(withStatus(facts, toTimestamp(clock.now())));
  if (isSameJson(zone, facts.zone)) return { kind: 'same' };
  const isSaid = isSameJson(zone.status?.conditions, facts.zone.status?.conditions);
  return { kind: isSaid ? 'counts' : 'other', zone };
}

type Outcome = 'unchanged' | 'written' | 'again';

async function settle(
  options: ZoneStatusOptions,
  stored: StoredObject,
  next: Exclude<Next, { readonly kind: 'same' }>,
): Promise<Outcome> {
  const { desired, term, log, metrics } = options;
  const { zone: object } = next;
  const { key, revision } = stored;
  const before = stored.object as DnsZone; // by its key
  if (secretMark.test(JSON.stringify(object?.status ?? null))) {
    log.error('status of a DNSZone refused by audit: it holds a key', { key });
    metrics.count('mesh_dns_zone_audit_refusals_total');
    return 'unchanged';
  }
  const outcome = await desired.write({ key, object, expected: revision, guard: term.guard() });
  if (outcome.kind === 'fenced') {
    throw new MeshError('conflict', 'STATUS_FENCED', `a later coordinator writes ${key}`);
  }
  if (outcome.kind === 'conflict') return 'again';
  if (next.kind === 'finished') tellGone(options, before);
  else tell(options, before, next.zone.status?.conditions ?? []);
  return 'written';
}

/** The zone without our finalizer, once nothing of ours is left; `zone` undefined: it goes. */
function withoutFinalizer(
  facts: ZoneFacts,
  nowMs: number,
): { readonly zone: DnsZone | undefined } | undefined {
  const { zone, published } = facts;
  const { metadata } = zone;
  const finalizers = metadata.finalizers ?? [];
  if (metadata.deletionTimestamp === undefined || !finalizers.includes(dnsZoneFinalizer))
    return undefined;
  if (published.services > 0 || !isEmpty(facts, nowMs)) return undefined;
  const left = finalizers.filter((name) => name !== dnsZoneFinalizer);
  return {
    zone: left.length === 0 ? undefined : { ...zone, metadata: { ...metadata, finalizers: left } },
  };
}

/** Long enough for a provider that is only slow. */
const emptyWaitMs = 60_000;

/**
 * Of a zone that stood in the way of another nothing was ever written. Where no name of ours is
 * recorded and the provider will not have us, all that can be left is the zone's fence record,
 * which says nothing to resolvers: it is not waited for for ever.
 */
function isEmpty({ zone, conflict, applied, found }: ZoneFacts, nowMs: number): boolean {
  if (zone.spec.provider === 'Embedded' || conflict !== undefined) return true;
  if (applied?.isEmpty === true) return true;
  const isStuck = applied?.recordSets === 0 && whyStuck({ found, applied }) !== undefined;
  const sinceMs = parseTimestamp(zone.metadata.deletionTimestamp) ?? nowMs;
  return isStuck && nowMs - sinceMs >= emptyWaitMs;
}

/** I7. `kubectl replace` of a manifest takes finalizers away, and means none of that. */
function withFinalizer(zone: DnsZone): DnsZone {
  const { metadata } = zone;
  const { finalizers = [], deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined || finalizers.includes(dnsZoneFinalizer)) return zone;
  return { ...zone, metadata: { ...metadata, finalizers: [...finalizers, dnsZoneFinalizer] } };
}

function withStatus(facts: ZoneFacts, nowText: string): DnsZone {
  const { zone, found, applied, published, nameServers: own } = facts;
  const { generation } = zone.metadata;
  const said = planZoneConditions(facts);
  const ours = new Set(said.map(({ type }) => type));
  const current = (zone.status?.conditions ?? []).filter(
    ({ type }) => ours.has(type) || !zoneConditionTypes.has(type),
  );
  const conditions = planConditions(current, said, nowText).map(
    (condition): Condition =>
      ours.has(condition.type) && generation !== undefined
        ? { ...condition, observedGeneration: generation }
        : condition,
  );
  const isEmbedded = zone.spec.provider === 'Embedded';
  const nameServers = isEmbedded
    ? own.length > 0
      ? own
      : undefined
    : found?.description?.nameServers;
  const recordSets = isEmbedded ? published.recordSets : applied?.recordSets;
  const pending = isEmbedded ? 0 : applied?.pending;
  const heldPlan = applied?.heldPlan?.hash;
  const status = {
    conditions,
    ...(nameServers === undefined ? {} : { nameServers }),
    ...(recordSets === undefined ? {} : { recordSets }),
    ...(pending === undefined ? {} : { pending }),
    ...(heldPlan === undefined ? {} : { heldPlan }),
  };
  return { ...zone, status };
}

function tellGone({ recorder, log }: ZoneStatusOptions, zone: DnsZone): void {
  log.info('DNSZone removed', { dnsZone: zone.metadata.name });
  const message = `Removed; nothing of ours is left for ${zone.spec.domain}`;
  recorder.record({ regarding: toRegarding(zone), type: 'Normal', reason: 'ZoneRemoved', message });
}

function tell(
  { recorder, log }: ZoneStatusOptions,
  zone: DnsZone,
  after: readonly Condition[],
): void {
  const { name } = zone.metadata;
  for (const event of planZoneEvents(zone.status?.conditions ?? [], after)) {
    const { type, reason, message } = event;
    log[type === 'Warning' ? 'warn' : 'info']('DNS zone', { dnsZone: name, reason, message });
    recorder.record({ regarding: toRegarding(zone), ...event });
  }
}

function toRegarding({ metadata: { name, uid } }: DnsZone) {
  return { apiVersion: isthmusApiVersion, kind: 'DNSZone', name, uid };
}

const gauges = [
  'mesh_dns_zone_ready',
  'mesh_dns_zone_record_sets',
  'mesh_dns_zone_conflicting_services',
] as const;

function showGauges({ metrics }: ZoneStatusOptions, facts: ZoneFacts, next: Next): void {
  const { zone, applied, published, foreign } = facts;
  const labels = { zone: zone.metadata.name };
  const { conditions = [] } = (next.kind === 'same' ? zone : next.zone)?.status ?? {};
  const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  const recordSets = zone.spec.provider === 'Embedded' ? published.recordSets : applied?.recordSets;
  const values = [isReady ? 1 : 0, recordSets ?? 0, foreign.length];
  gauges.forEach((gauge, index) => metrics.gauge(gauge, values[index] ?? 0, labels));
}

function forgetGauges({ metrics }: ZoneStatusOptions, name: string): void {
  for (const gauge of gauges) metrics.forget?.(gauge, { zone: name });
}
