// One run for one Service: which zones publish it, and for each what its names say. Reads the whole
// truth, plans, audits, and writes what differs, under the lease holder's fence.
// Input: a Service's key. Output: written publications, and when to come back.
//
//   L1. An audit finding leaves the old publication as it is, and an Event says why.
//   L2. A Service that is gone, or going, has no publication; nor has it in a zone that is gone, or
//       that publishes it no more (I7).
//   L3. A placement that has not yet seen this Service is no wish to withdraw it (I3).
//   L4. A change that no name shows is written at most twice a second and publication.

import {
  isFederated,
  splitServiceKey,
  toLogKey,
  type ClusterName,
  type LogKey,
  type Revision,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import {
  isthmusGroup,
  type Cluster,
  type ServiceDns,
} from '../../../common/model/isthmus-kinds.ts';
import type { Service } from '../../../common/model/kube-object.ts';
import type { Publication } from '../../../common/model/publication.ts';
import type { Topology } from '../../../common/model/topology.ts';
import type { DnsZoneState } from '../../../common/model/views.ts';
import { isSameJson } from '../../../common/pure/canonical-json.ts';
import { topologyOf } from '../../../common/pure/cluster-topology.ts';
import {
  dnsZoneOf,
  readPublication,
  toPublicationKey,
  toPublicationsPrefix,
} from '../../../common/pure/publication-object.ts';
import type { Desired, StoredObject } from '../../desired/store.ts';
import { auditPublication } from './audit.ts';
import { readServiceDns } from './governing-policy.ts';
import type { HostnameTable, Resolved } from './hostname-table.ts';
import type { AliasesInput, Place } from './input.ts';
import type { DnsOptions } from './options.ts';
import { isFlattening, resolvedBefore } from './plan-candidates.ts';
import { planPublication, type PublicationInput, type ShardInput } from './plan.ts';
import { toLevelTtls, toZoneShape } from './zone-shape.ts';
import { complain, write, type Again, type WriteTarget } from './write.ts';

/** What is remembered between runs, by publication. */
export interface Memory {
  /** Last complaint of the audit. */
  readonly complaints: Map<LogKey, string>;
  /** Changes that no name shows, of this revision of the Service, wait until then (monotonic). */
  readonly quiet: Map<LogKey, { readonly untilMs: number; readonly revision: Revision }>;
}

/** What holds for more than one Service. */
export interface FederationFacts {
  /** Zones and regions of every registered cluster. */
  readonly places: () => readonly Place[];
  readonly aliases: (key: ServiceKey) => AliasesInput;
  /** Of one Service, so that all fit into the zone. */
  readonly levelNamesMax: (zone: DnsZoneState) => number;
  readonly hostnames: HostnameTable;
  /** For a large part of the work: see createTurns. */
  readonly ownTurn: () => Promise<void>;
}

// Placement follows the log within an event-loop turn or two; that it shall place this Service
// differently wakes us, so this wait is only for the case that it does not.
const placementWaitMs = 250;
// Planning takes some 10 µs a shard and name, and so do the audit and the comparison: with more of
// them each gets a turn of its own, in which no other Service has one. A change in between marks the
// key again, and the write names the revision that was read.
const partsPerTurn = 200;
// The end of a look-up marks the Service; this is only for the case that it does not.
const lookupWaitMs = 1_000;
// As long as a load balancer takes to come at least, and below what a person waits for.
const quietMs = 500;

export async function reconcile(
  options: DnsOptions & { readonly facts: FederationFacts },
  memory: Memory,
  key: ServiceKey,
): Promise<Again> {
  const { desired, placement, zones } = options;
  const published = new Map(
    [...desired.list(toPublicationsPrefix(key))].flatMap((stored) => {
      const publication = readPublication(stored.object);
      return publication === undefined ? [] : [[dnsZoneOf(publication), stored] as const];
    }),
  );
  const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  const service = isFederated(key) ? desired.get(at) : undefined;
  const isGone = service === undefined || service.object.metadata.deletionTimestamp !== undefined;
  if (!isGone && placement.revision() < service.revision) return { againAfterMs: placementWaitMs };
  const wanted = isGone ? [] : zones.zonesOf(key);
  const policy = isGone ? undefined : readServiceDns(options, key);
  if (wanted === undefined || policy === 'unknown') return { againAfterMs: placementWaitMs }; // L3
  const waits: number[] = [];
  for (const dnsZone of [...new Set([...wanted, ...published.keys()])].sort()) {
    const stored = published.get(dnsZone);
    const target = { key, dnsZone, at: toPublicationKey(key, dnsZone), stored, service };
    const zone = wanted.includes(dnsZone) ? zones.zone(dnsZone) : undefined;
    const again =
      isGone || zone === undefined
        ? await drop(options, memory, target)
        : await publish(options, memory, { ...target, service, zone, policy });
    if (again !== undefined) waits.push(again.againAfterMs);
  }
  return waits.length === 0 ? undefined : { againAfterMs: Math.min(...waits) };
}

/** L2. */
async function drop(
  options: DnsOptions & { readonly facts: FederationFacts },
  { complaints, quiet }: Memory,
  target: WriteTarget,
): Promise<Again> {
  complaints.delete(target.at);
  quiet.delete(target.at);
  options.facts.hostnames.forget(target.at);
  return target.stored === undefined ? undefined : write(options, target, undefined);
}

type PublishTarget = WriteTarget & {
  readonly service: StoredObject;
  readonly zone: DnsZoneState;
  readonly policy: ServiceDns | undefined;
};

async function publish(
  options: DnsOptions & { readonly facts: FederationFacts },
  { complaints, quiet }: Memory,
  target: PublishTarget,
): Promise<Again> {
  const { at, stored, service } = target;
  const previous = readPublication(stored?.object);
  const nowMs = options.clock.monotonicMs();
  const waits = quiet.get(at);
  if (waits?.revision === service.revision && nowMs < waits.untilMs) {
    // What could not be otherwise in names need not be planned to be put off again.
    if (isStillNameless(options, target.key, previous)) {
      return { againAfterMs: waits.untilMs - nowMs };
    }
  }
  const { ownTurn } = options.facts;
  const hasOwnTurns = isLarge(options, target);
  if (hasOwnTurns) await ownTurn();
  const planned = toInput(options, target, previous);
  const resolved = options.facts.hostnames.resolve(at, target.key, hostnamesOf(planned));
  if (isWaiting(planned, resolved)) return { againAfterMs: lookupWaitMs };
  const input = { ...planned, resolved: resolved.addresses };
  const next = withZone(planPublication(input), target.zone);
  if (hasOwnTurns) await ownTurn();
  const findings = auditPublication(input, next);
  if (findings.length > 0) {
    complain(options, complaints, { ...target, findings }); // L1
    return undefined;
  }
  complaints.delete(at);
  if (hasOwnTurns) await ownTurn();
  const isSame = previous !== undefined && isSameJson(previous, next);
  if (!isSame && previous !== undefined && isQuiet(previous, next)) {
    const wait = quiet.get(at) ?? { untilMs: nowMs + quietMs, revision: service.revision };
    if (nowMs < wait.untilMs) {
      quiet.set(at, wait);
      return { againAfterMs: wait.untilMs - nowMs }; // L4
    }
  }
  quiet.delete(at);
  return isSame ? undefined : write(options, target, next);
}

/** The zone of the setting `domain` is named after it, and so are publications of old. */
function withZone(publication: Publication, { name }: DnsZoneState): Publication {
  return name === publication.zone ? publication : { ...publication, dnsZone: name };
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

/** By what it has to look at: shards, and levels that have names without one. */
function isLarge(
  { placement, facts }: DnsOptions & { readonly facts: FederationFacts },
  { key, zone }: PublishTarget,
): boolean {
  const shards = placement.clustersOf(key).length;
  if (zone.spec.provider === 'Embedded') return shards > partsPerTurn;
  const levels = facts.places().reduce((sum, { zones }) => sum + 1 + zones.length, 0);
  return shards + Math.min(levels, facts.levelNamesMax(zone)) > partsPerTurn;
}

function toInput(
  options: DnsOptions & { readonly facts: FederationFacts },
  { key, service, zone, policy }: PublishTarget,
  previous: Publication | undefined,
): PublicationInput {
  const { desired, placement, health, config, facts } = options;
  const { metadata, spec } = service.object as Service; // by its key
  const shards = placement.clustersOf(key).map((cluster): ShardInput => {
    const topology = topologyIn(desired, cluster);
    const verdict = health.shard(cluster, key);
    return { cluster, topology, verdict, ...placement.traffic(cluster, key) };
  });
  return {
    key,
    serviceUid: metadata.uid ?? '',
    type: spec.type ?? 'ClusterIP',
    isHeadless: spec.clusterIP === 'None',
    zone: zone.spec.domain,
    federation: config.federation,
    ...toLevelTtls(config.ttlSeconds, zone.spec, policy),
    addressRules: config.addressRules,
    shape: toZoneShape(zone.spec, facts.levelNamesMax(zone), policy),
    places: facts.places(),
    ports: spec.ports ?? [],
    aliases: facts.aliases(key),
    shards,
    previous,
  };
}

/** The first look-up of a name that nothing is recorded of: its addresses may come at once. */
function isWaiting({ previous }: PublicationInput, { asked }: Resolved): boolean {
  const recorded = previous?.shards ?? [];
  return asked.some((name) => recorded.every((shard) => resolvedBefore(shard, name).length === 0));
}

/** Names that have to be looked up, as the plan asks for them. */
function hostnamesOf(input: PublicationInput): readonly string[] {
  if (!isFlattening(input)) return [];
  const names = input.shards.flatMap(({ verdict }) =>
    (verdict?.addresses ?? []).flatMap(({ hostname }) => hostname ?? []),
  );
  return [...new Set(names.map((name) => name.toLowerCase().replace(/\.$/, '')))].sort();
}

function topologyIn(desired: Desired, cluster: ClusterName): Topology {
  const stored = desired.get(
    toLogKey({ group: isthmusGroup, resource: 'clusters', name: cluster }),
  );
  if (stored === undefined) return { zones: [], region: undefined, provider: undefined };
  return topologyOf(stored.object as Cluster);
}
