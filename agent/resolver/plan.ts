// Decides how to answer a pod's question from what this cluster knows. Input: what is asked, the
// local shard, the peer table, and what probes told. Output: addresses, or a load balancer's
// name, with the aliases that lead there; or that there is nothing.
//
//   R1. The local shard while it has a ready endpoint and a cluster IP; else the nearest healthy
//       one: same zone, same region, shortest round trip, name.
//   R2. Nobody healthy: every known address (fail open). Suspicion alone never empties an answer.
//   R3. A Service that exists answers every type without NXDOMAIN: a lookup of AAAA must not hide
//       the A beside it.
//   R4. A pure function; equal input, equal answer.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { PeerService, PeerShard } from '../../common/model/peer-table.ts';
import type { Topology } from '../../common/model/topology.ts';
import { rankFirst } from '../../common/pure/stable-choice.ts';
import { assertNever } from '../../common/pure/errors.ts';
import type { WireName } from '../../common/pure/dns-wire.ts';
import type { Asked, LevelPlace } from './names.ts';

export interface LocalShard {
  readonly clusterIps: readonly string[];
  /** Ready endpoints. */
  readonly ready: number;
}

/** What the resolver knows; functions, so that a question costs what it asks for. */
export interface Knowledge {
  readonly cluster: ClusterName;
  readonly topology: Topology;
  /** False until a peer table came, from the coordinator or from disk. */
  readonly hasPeerTable: boolean;
  local(key: ServiceKey): LocalShard | undefined;
  peers(key: ServiceKey): PeerService | undefined;
  hasNamespace(namespace: string): boolean;
  /** True when some Service has a shard there. */
  hasLevel(place: LevelPlace): boolean;
  /** The own probes of an address failed. */
  isSuspect(address: string): boolean;
  roundTripMs(address: string): number | undefined;
}

export type PlannedAnswer =
  | { readonly kind: 'refused' }
  /** Not known yet: SERVFAIL, so that nobody keeps a wrong "no such name". */
  | { readonly kind: 'unready' }
  | { readonly kind: 'apex'; readonly zone: WireName }
  | { readonly kind: 'absent' | 'empty'; readonly zone: WireName }
  | {
      readonly kind: 'found';
      readonly zone: WireName;
      readonly key: ServiceKey;
      readonly from: 'local' | 'peer' | 'failOpen';
      /** Public names to climb before the target, nearest first; empty for short names. */
      readonly climb: readonly LevelPlace[];
      readonly target: Target;
    };

export type Target =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'hostname'; readonly hostname: string };

export function planAnswer(asked: Asked, known: Knowledge): PlannedAnswer {
  switch (asked.kind) {
    case 'outside':
      return { kind: 'refused' };
    case 'apex':
      return asked;
    case 'between':
      return {
        kind: isBetween(asked.namespace, known) ? 'empty' : notFound(known),
        zone: asked.zone,
      };
    case 'absent':
      return { kind: 'absent', zone: asked.zone };
    case 'service':
      return planNearest(asked, known);
    case 'level':
      return planLevel(asked, known);
    default:
      return assertNever(asked);
  }
}

function isBetween(namespace: string | undefined, known: Knowledge): boolean {
  return namespace === undefined || known.hasNamespace(namespace);
}

function notFound(known: Knowledge): 'absent' | 'unready' {
  return known.hasPeerTable ? 'absent' : 'unready';
}

function planNearest(
  { key, zone }: { readonly key: ServiceKey; readonly zone: WireName },
  known: Knowledge,
): PlannedAnswer {
  const local = known.local(key);
  const clusterIps = (local?.clusterIps ?? []).filter((address) => address !== 'None');
  if (local !== undefined && local.ready > 0 && clusterIps.length > 0) {
    const target: Target = { kind: 'addresses', addresses: [...clusterIps].sort() };
    return { kind: 'found', zone, key, from: 'local', climb: [], target };
  }
  const shards = known.peers(key)?.shards;
  if (shards === undefined) {
    return local === undefined || !known.hasPeerTable
      ? { kind: notFound(known), zone }
      : { kind: 'empty', zone };
  }
  const [nearest] = nearestShards(shards, known);
  const target = nearest === undefined ? failOpen(key, shards) : targetOf(key, [nearest]);
  if (target === undefined) return { kind: 'empty', zone };
  return {
    kind: 'found',
    zone,
    key,
    from: nearest === undefined ? 'failOpen' : 'peer',
    climb: [],
    target,
  };
}

/** Healthy shards of other clusters that can be reached from here, nearest first. */
export function nearestShards(
  shards: readonly PeerShard[],
  known: Pick<Knowledge, 'cluster' | 'topology' | 'isSuspect' | 'roundTripMs' | 'local'>,
): readonly PeerShard[] {
  const healthy = shards.filter(
    (shard) => shard.isHealthy && hasOutside(shard) && shard.cluster !== known.cluster,
  );
  const trusted = healthy.filter((shard) => !isSuspect(shard, known));
  const here = placeOf(shards, known);
  const ranked = (trusted.length > 0 ? trusted : healthy).map((shard) => {
    return { shard, tier: tierOf(shard, here), roundTrip: roundTripClass(shard, known) };
  });
  // Half-measured tiers go by name: a probe that failed once must not move anybody by itself.
  const unmeasured = new Set(
    ranked.filter(({ roundTrip }) => roundTrip === undefined).map(({ tier }) => tier),
  );
  const distance = ({
    tier,
    roundTrip = 0,
  }: {
    readonly tier: number;
    readonly roundTrip: number | undefined;
  }): number => (unmeasured.has(tier) ? 0 : roundTrip);
  return ranked
    .sort(
      (a, b) =>
        a.tier - b.tier ||
        distance(a) - distance(b) ||
        (a.shard.cluster < b.shard.cluster ? -1 : 1),
    )
    .map(({ shard }) => shard);
}

function hasOutside(shard: PeerShard): boolean {
  return shard.addresses.length > 0 || shard.hostnames.length > 0;
}

function isSuspect(shard: PeerShard, known: Pick<Knowledge, 'isSuspect'>): boolean {
  return shard.addresses.length > 0 && shard.addresses.every((address) => known.isSuspect(address));
}

/**
 * Where we are as the coordinator calls it, where it says: a Cluster may declare its region, or
 * have it qualified by its provider, and others' places are told in these words.
 */
export function placeOf(
  shards: readonly PeerShard[],
  { cluster, topology }: Pick<Knowledge, 'cluster' | 'topology'>,
): Topology {
  const own = shards.find((shard) => shard.cluster === cluster);
  if (own?.region === undefined) return topology;
  return { ...topology, zones: own.zones, region: own.region };
}

/** 0 same zone, 1 same region, 2 elsewhere. */
export function tierOf(shard: PeerShard, here: Topology): number {
  const sameRegion = here.region !== undefined && shard.region === here.region;
  if (sameRegion && shard.zones.some((zone) => here.zones.includes(zone))) return 0;
  return sameRegion ? 1 : 2;
}

// Load balancers that are names are not measured; they stand behind what was.
const namedClass = 1_000;

/** Doublings of the time in milliseconds: small differences are noise and must not move pods. */
function roundTripClass(
  shard: PeerShard,
  known: Pick<Knowledge, 'roundTripMs'>,
): number | undefined {
  if (shard.addresses.length === 0) return namedClass;
  const measured = shard.addresses.flatMap((address) => known.roundTripMs(address) ?? []);
  return measured.length === 0
    ? undefined
    : Math.round(Math.log2(Math.max(Math.min(...measured), 0.125)));
}

function failOpen(key: ServiceKey, shards: readonly PeerShard[]): Target | undefined {
  return targetOf(key, shards);
}

/** Addresses are preferred to load balancers' names, as in public DNS. */
function targetOf(key: ServiceKey, shards: readonly PeerShard[]): Target | undefined {
  const addresses = [...new Set(shards.flatMap((shard) => shard.addresses))].sort();
  if (addresses.length > 0) return { kind: 'addresses', addresses };
  const hostnames = [...new Set(shards.flatMap((shard) => shard.hostnames))].sort();
  const hostname = rankFirst(key, hostnames);
  return hostname === undefined ? undefined : { kind: 'hostname', hostname };
}

/** The public names' rules (coordinator: zone, region, global), applied to the peer table. */
function planLevel(
  asked: { readonly key: ServiceKey; readonly zone: WireName; readonly at: LevelPlace },
  known: Knowledge,
): PlannedAnswer {
  const { key, zone, at } = asked;
  const shards = known.peers(key)?.shards;
  if (shards === undefined) return { kind: notFound(known), zone };
  if (at.region !== undefined && !known.hasLevel(at)) return { kind: 'absent', zone };
  const alive = shards.filter((shard) => isAlive(key, shard, known));
  const climb: LevelPlace[] = [];
  for (const place of upFrom(at)) {
    const target = targetOf(
      key,
      alive.filter((shard) => standsAt(shard, place)),
    );
    if (target !== undefined) return { kind: 'found', zone, key, from: 'peer', climb, target };
    if (place.region !== undefined) climb.push(upOne(place));
  }
  const target = failOpen(key, shards);
  if (target === undefined) return { kind: 'absent', zone };
  return { kind: 'found', zone, key, from: 'failOpen', climb, target };
}

/** Of its own shard a cluster knows best. */
function isAlive(key: ServiceKey, shard: PeerShard, known: Knowledge): boolean {
  const local = shard.cluster === known.cluster ? known.local(key) : undefined;
  return local === undefined ? shard.isHealthy && !isSuspect(shard, known) : local.ready > 0;
}

function upFrom(at: LevelPlace): readonly LevelPlace[] {
  const places = [at];
  for (let place = at; place.region !== undefined; ) {
    place = upOne(place);
    places.push(place);
  }
  return places;
}

function upOne({ zone, region }: LevelPlace): LevelPlace {
  return { zone: undefined, region: zone === undefined ? undefined : region };
}

function standsAt(shard: PeerShard, { zone, region }: LevelPlace): boolean {
  if (region === undefined) return true;
  return shard.region === region && (zone === undefined || shard.zones.includes(zone));
}
