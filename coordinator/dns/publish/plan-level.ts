// Decides the record sets of some shards at one name. Input: the zone's shape, the name, the shards
// that it shall lead to. Output: record sets, and the shards whose own names they lead to.
//
// DNS allows no CNAME beside anything and no two CNAMEs at one name, so that addresses and load
// balancers that are names (AWS) cannot stand together in plain records.
//
//   V1. Addresses alone: A and AAAA of all of them, the same ones from one time to the next where
//       they are too many. Where weights differ: each shard's by its weight, as the zone can.
//   V2. One load balancer's name alone: an alias where it can be one (A and AAAA, since an alias
//       without addresses of a family is merely no answer), else a CNAME.
//   V3. Mixed, Route 53: a weighted member for each shard, addresses or alias. Where one is no
//       alias target: all as weighted CNAMEs, to shards' own names and to load balancers' names.
//   V4. Mixed, Cloud DNS: one weighted CNAME of several items.
//   V5. Mixed, elsewhere: the addresses; without any the name of one of the heaviest.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { Level, RecordSet } from '../../../common/model/publication.ts';
import { elbHostedZoneId } from '../../../common/pure/elb-zones.ts';
import { chooseStable, rankFirst } from '../../../common/pure/stable-choice.ts';
import { balancerOf, sortedSet, type Candidate } from './plan-candidates.ts';
import type { ZoneShape } from './zone-shape.ts';

export interface LevelPlan {
  readonly sets: readonly RecordSet[];
  /** Their own names have to stand. */
  readonly named: readonly Candidate[];
  /** Load balancers that are names, for which there is no room beside addresses. */
  readonly leftOut: readonly Candidate[];
  /** Weights differ, and the zone cannot weigh. */
  readonly isUnweighed: boolean;
}

/** One name, and how its zone answers. */
export interface At {
  readonly key: ServiceKey;
  readonly name: string;
  readonly level: Level;
  readonly ttlSeconds: number;
  readonly shape: ZoneShape;
  /** Of a shard; undefined: DNS cannot carry it. */
  readonly shardName: (shard: Candidate) => string | undefined;
}

// Of one name and type: Route 53 takes 100 members, Cloud DNS 100 items.
const membersMax = 100;
// As long as AWS lets the answers for its load balancers be kept: a copy must not outlive them by far.
const flattenedTtlSecondsMax = 60;

const nothing: LevelPlan = { sets: [], named: [], leftOut: [], isUnweighed: false };

export function planLevel(at: At, shards: readonly Candidate[]): LevelPlan {
  const reachable = chooseShards(
    at,
    shards.filter(({ way }) => way.kind !== 'none'),
  );
  const [first] = reachable;
  if (first === undefined) return nothing;
  // Its own CNAME follows the load balancer better than addresses that were looked up.
  const only = balancerOf(first);
  const isOne = only !== undefined && reachable.every((shard) => balancerOf(shard) === only);
  if (isOne) return { ...nothing, sets: toOneHost(at, only) }; // V2
  if (reachable.every(({ way }) => way.kind === 'addresses')) return planAddresses(at, reachable); // V1
  const hosts = sortedSet(reachable.flatMap((shard) => hostOf(shard) ?? []));
  const canName = at.shardName(first) !== undefined;
  switch (at.shape.weights) {
    case 'members':
      if (at.shape.hasAlias && hosts.every((name) => elbHostedZoneId(name) !== undefined))
        return { ...nothing, sets: toMembers(at, reachable) };
      return canName ? planAliasMembers(at, reachable) : planPreferred(at, reachable);
    case 'items':
      return canName ? planAliasItems(at, reachable) : planPreferred(at, reachable);
    case 'values':
    case 'none':
      return planPreferred(at, reachable);
  }
}

/** The record sets of one shard's own name. */
export function planShardName(at: At, shard: Candidate): readonly RecordSet[] {
  const host = hostOf(shard);
  return host === undefined ? planAddresses(at, [shard]).sets : [alias(at, host)];
}

export function alias(
  { name, ttlSeconds, level }: Pick<At, 'name' | 'ttlSeconds' | 'level'>,
  target: string,
): RecordSet {
  return { name, type: 'CNAME', ttlSeconds, values: [target], level };
}

function chooseShards(at: At, shards: readonly Candidate[]): readonly Candidate[] {
  const { weights } = at.shape;
  if (weights !== 'members' && weights !== 'items') return shards;
  if (shards.length <= membersMax) return shards;
  const clusters = shards.map(({ cluster }) => cluster);
  // Plain sets have a bound of their own, by values.
  if (shards.every(({ way }) => way.kind === 'addresses') && isAlike(shards)) return shards;
  const chosen = new Set<string>(chooseStable(at.name, clusters, membersMax));
  return shards.filter(({ cluster }) => chosen.has(cluster));
}

function hostOf({ way }: Candidate): string | undefined {
  return way.kind === 'host' ? way.host : undefined;
}

function isAlike(shards: readonly Candidate[]): boolean {
  return shards.every(({ weight }) => weight === shards[0]?.weight);
}

/** With a weight of 0 among them they are published for want of others, so all alike. */
function weigher(shards: readonly Candidate[]): (shard: Candidate) => number {
  const hasNone = shards.some(({ weight }) => weight === 0);
  return ({ weight }) => (hasNone ? 1 : weight);
}

type AddressType = 'A' | 'AAAA';
const addressTypes: readonly AddressType[] = ['A', 'AAAA'];

function addressesOf({ way }: Candidate, type: AddressType): readonly string[] {
  return way.kind === 'addresses' ? way[type] : [];
}

function chooseValues(at: At, values: readonly string[]): readonly string[] {
  return chooseStable(at.name, sortedSet(values), at.shape.valuesPerSetMax);
}

function planAddresses(at: At, shards: readonly Candidate[]): LevelPlan {
  const hasNone = shards.some(({ weight }) => weight === 0);
  if (isAlike(shards) || hasNone) return { ...nothing, sets: toPlain(at, shards, false) };
  switch (at.shape.weights) {
    case 'values':
      return { ...nothing, sets: toPlain(at, shards, true) };
    case 'members':
      return { ...nothing, sets: toMembers(at, shards) };
    case 'items':
      return { ...nothing, sets: toItems(at, shards) };
    case 'none':
      return { ...nothing, sets: toPlain(at, shards, false), isUnweighed: true };
  }
}

function toPlain(at: At, shards: readonly Candidate[], isWeighed: boolean): readonly RecordSet[] {
  const { name, level } = at;
  return addressTypes.flatMap((type) => {
    const values = chooseValues(
      at,
      shards.flatMap((shard) => addressesOf(shard, type)),
    );
    if (values.length === 0) return [];
    const weights = isWeighed ? weigh(values, shards) : undefined;
    const ttlSeconds = ttlOf(at, shards);
    return [{ name, type, ttlSeconds, values, ...(weights && { weights }), level }];
  });
}

function ttlOf({ ttlSeconds, shape }: At, shards: readonly Candidate[]): number {
  const isFlattened = shards.some(({ way }) => way.kind === 'addresses' && way.of !== undefined);
  if (!isFlattened) return ttlSeconds;
  return Math.max(shape.ttlSecondsMin, Math.min(ttlSeconds, flattenedTtlSecondsMax));
}

/** Addresses of one shard share its weight. undefined: all weigh the same. */
function weigh(
  values: readonly string[],
  shards: readonly Candidate[],
): readonly number[] | undefined {
  const isHere = new Set(values);
  const weights = new Map<string, number>();
  for (const { way, weight } of shards) {
    if (way.kind !== 'addresses') continue;
    const here = way.addresses.filter((address) => isHere.has(address));
    for (const address of here) {
      weights.set(address, Math.max(weights.get(address) ?? 0, weight / here.length));
    }
  }
  const all = values.map((value) => weights.get(value) ?? 0);
  return all.includes(0) ? undefined : all;
}

/** V3. An alias stands in both groups; a shard without addresses of a family in the other only. */
function toMembers(at: At, shards: readonly Candidate[]): readonly RecordSet[] {
  const weightOf = weigher(shards);
  return addressTypes.flatMap((type) =>
    shards.flatMap((shard): readonly RecordSet[] => {
      const { name, level } = at;
      const member = { id: toMemberId(shard), weight: weightOf(shard) };
      const host = hostOf(shard);
      const target = host === undefined ? undefined : toTarget(host);
      const values = chooseValues(at, addressesOf(shard, type));
      if (target === undefined && values.length === 0) return [];
      const set = { name, type, ttlSeconds: at.ttlSeconds, values, level, member };
      return [target === undefined ? set : { ...set, alias: target }];
    }),
  );
}

function toMemberId({ cluster }: Candidate): string {
  return `fed/${cluster}`;
}

function toTarget(host: string): RecordSet['alias'] {
  const hostedZoneId = elbHostedZoneId(host);
  return hostedZoneId === undefined
    ? undefined
    : { target: host, hostedZoneId, evaluateTargetHealth: true };
}

function toItems(at: At, shards: readonly Candidate[]): readonly RecordSet[] {
  const weightOf = weigher(shards);
  const { name, level, ttlSeconds } = at;
  return addressTypes.flatMap((type) => {
    const items = shards.flatMap((shard) => {
      const values = chooseValues(at, addressesOf(shard, type));
      return values.length === 0 ? [] : [{ weight: weightOf(shard), values }];
    });
    const [only] = items;
    if (only === undefined) return [];
    if (items.length === 1) return [{ name, type, ttlSeconds, values: only.values, level }];
    return [{ name, type, ttlSeconds, values: [], items, level }];
  });
}

function toOneHost(at: At, host: string): readonly RecordSet[] {
  const target = at.shape.hasAlias ? toTarget(host) : undefined;
  if (target === undefined) return [alias(at, host)];
  const { name, level, ttlSeconds } = at;
  return addressTypes.map((type) => ({ name, type, ttlSeconds, values: [], alias: target, level }));
}

/** Where clients of a CNAME are led: to the shard's own name, or to its load balancer's. */
function aliasTargetOf(at: At, shard: Candidate): string {
  return hostOf(shard) ?? at.shardName(shard) ?? '';
}

function namedOf(shards: readonly Candidate[]): readonly Candidate[] {
  return shards.filter(({ way }) => way.kind === 'addresses');
}

function planAliasMembers(at: At, shards: readonly Candidate[]): LevelPlan {
  const weightOf = weigher(shards);
  const sets = shards.map((shard) => ({
    ...alias(at, aliasTargetOf(at, shard)),
    member: { id: toMemberId(shard), weight: weightOf(shard) },
  }));
  return { ...nothing, sets, named: namedOf(shards) };
}

/** V4. Shards behind one load balancer are one item. */
function planAliasItems(at: At, shards: readonly Candidate[]): LevelPlan {
  const weightOf = weigher(shards);
  const weights = new Map<string, number>();
  for (const shard of shards) {
    const target = aliasTargetOf(at, shard);
    weights.set(target, (weights.get(target) ?? 0) + weightOf(shard));
  }
  const items = [...weights].map(([target, weight]) => ({ weight, values: [target] }));
  const { name, level, ttlSeconds } = at;
  const set: RecordSet = { name, type: 'CNAME', ttlSeconds, values: [], items, level };
  return { ...nothing, sets: [set], named: namedOf(shards) };
}

/** V5. The one name stays the same until its shard leaves. */
function planPreferred(at: At, shards: readonly Candidate[]): LevelPlan {
  const addressed = shards.filter(({ way }) => way.kind === 'addresses');
  if (addressed.length > 0) {
    const leftOut = shards.filter(({ way }) => way.kind === 'host');
    return { ...planAddresses(at, addressed), leftOut };
  }
  const heaviest = Math.max(...shards.map(({ weight }) => weight));
  const named = shards.filter(({ weight }) => weight === heaviest);
  const hosts = sortedSet(named.flatMap((shard) => hostOf(shard) ?? []));
  const target = rankFirst(at.key, hosts);
  if (target === undefined) return nothing;
  const leftOut = shards.filter((shard) => hostOf(shard) !== target);
  return { ...nothing, sets: [alias(at, target)], leftOut };
}
