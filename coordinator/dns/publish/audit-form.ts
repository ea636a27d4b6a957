// A1: record sets are well formed, within the zone, and of a form that the zone's provider takes.
// Input: what was planned from, and the plan. Output: findings. Pure.

import { isIP } from 'node:net';
import type { Publication, RecordSet } from '../../../common/model/publication.ts';
import { isPublishable } from '../../../common/pure/address-rules.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import { elbHostedZoneId } from '../../../common/pure/elb-zones.ts';
import { isOwnForm, toGlobalName, toNamePrefix } from '../../../common/pure/level-names.ts';
import type { PublicationInput } from './input.ts';
import { embeddedShape, type ZoneShape } from './zone-shape.ts';

export type Complaint = (message: string) => void;

export function doubtForms(
  input: PublicationInput,
  doubted: {
    readonly planned: Publication;
    readonly byName: ReadonlyMap<string, readonly RecordSet[]>;
    /** Addresses of shards that the zone may carry. */
    readonly allowed: ReadonlySet<string>;
  },
  complain: Complaint,
): void {
  const { federation, zone: domain, key } = input;
  const about: About = {
    input,
    shape: input.shape ?? embeddedShape,
    prefix: `${toNamePrefix(key, federation)}.`,
    globalName: toGlobalName(key, { federation, domain }),
    short: new Set(input.aliases?.granted.map(({ name }) => name)),
    allowed: doubted.allowed,
    takes: new Map(),
  };
  for (const set of doubted.planned.recordSets) {
    doubtOwner(about, set, complain);
    doubtValues(about, set, complain);
    doubtWeights(about, set, complain);
  }
  for (const [name, sets] of doubted.byName) {
    doubtName(about, name, complain);
    if (sets.length > 1) doubtTogether(name, sets, complain);
  }
}

interface About {
  readonly input: PublicationInput;
  readonly shape: ZoneShape;
  /** Begins the names of levels. */
  readonly prefix: string;
  readonly globalName: string;
  readonly short: ReadonlySet<string>;
  /** Whether a type can say a value: most stand at several names. */
  readonly allowed: ReadonlySet<string>;
  readonly takes: Map<string, boolean>;
}

function doubtName({ input }: About, name: string, complain: Complaint): void {
  const { zone } = input;
  if (!name.endsWith(`.${zone}`)) complain(`${name} is outside the zone ${zone}`);
  if (toWireName(name) === undefined) complain(`${name} is no name that DNS can carry`);
}

function doubtOwner(about: About, set: RecordSet, complain: Complaint): void {
  const { name } = set;
  if (!(set.ttlSeconds >= 1)) complain(`${name} ${set.type} has no TTL`);
  if (!isOwnName(about, set)) complain(`${name} is no ${set.level} name of this Service`);
}

function isOwnName({ input, shape, prefix, globalName, short }: About, set: RecordSet): boolean {
  const { name, level } = set;
  if (level === 'alias') {
    const scope = { federation: input.federation, domain: input.zone };
    return short.has(name) && !isOwnForm(name, scope) && shape.takesAliases;
  }
  if (level === 'shard') {
    const label = name.slice(0, -1 - globalName.length);
    return name.endsWith(`.${globalName}`) && /^s-[a-z0-9]+$/.test(label);
  }
  const isPort = name.startsWith('_');
  return (isPort ? name.replace(/^_[^.]+\._(tcp|udp|sctp)\./, '') : name).startsWith(prefix);
}

function doubtValues(about: About, set: RecordSet, complain: Complaint): void {
  const { name, type, values, alias, items } = set;
  const { shape } = about;
  const ways = [values.length > 0, alias !== undefined, items !== undefined];
  if (ways.filter(Boolean).length !== 1) complain(`${name} ${type} has not one kind of value`);
  if (alias !== undefined) {
    const isRight = shape.hasAlias && elbHostedZoneId(alias.target) === alias.hostedZoneId;
    const isAddress = type === 'A' || type === 'AAAA';
    if (!isRight || !isAddress) complain(`${name} ${type} cannot be an alias of ${alias.target}`);
  }
  for (const list of [values, ...(items ?? []).map((item) => item.values)]) {
    if (list.length > 1 && new Set(list).size !== list.length)
      complain(`${name} ${type} repeats a value`);
    if (list.length > shape.valuesPerSetMax) complain(`${name} ${type} has too many values`);
    if (type === 'CNAME' && list.length > 1) complain(`${name} has a CNAME with several targets`);
    for (const value of list) {
      const isFamily = type === (value.includes(':') ? 'AAAA' : 'A');
      if (isFamily && about.allowed.has(value)) continue;
      if (!takes(about, type, value)) complain(`${name} ${type} cannot say ${value}`);
    }
  }
}

function takes(about: About, type: RecordSet['type'], value: string): boolean {
  const at = `${type} ${value}`;
  const known = about.takes.get(at);
  if (known !== undefined) return known;
  const is = isValueOf(about, type, value);
  about.takes.set(at, is);
  return is;
}

function isValueOf({ input, shape }: About, type: RecordSet['type'], value: string): boolean {
  switch (type) {
    case 'A':
    case 'AAAA': {
      const rules = { ...input.addressRules, allowPrivate: shape.isPrivate };
      return isIP(value) === (type === 'A' ? 4 : 6) && isPublishable(value, rules);
    }
    case 'CNAME':
      return isIP(value) === 0 && toWireName(value) !== undefined;
    case 'SRV': {
      const [, port = '', target = ''] = /^0 \d+ (\d+) (\S+)$/.exec(value) ?? [];
      return Number(port) >= 1 && Number(port) <= 65_535 && toWireName(target) !== undefined;
    }
  }
}

function doubtWeights({ shape }: About, set: RecordSet, complain: Complaint): void {
  const { name, type, weights, member, items, values } = set;
  if (weights === undefined && member === undefined && items === undefined) return;
  const used = { values: weights, members: member, items };
  for (const [way, what] of Object.entries(used)) {
    if (what !== undefined && way !== shape.weights) complain(`${name} ${type} weighs by ${way}`);
  }
  if (weights !== undefined && weights.length !== values.length)
    complain(`${name} ${type} has not one weight for each value`);
  const all = [...(weights ?? []), ...(items ?? []).map(({ weight }) => weight)];
  if (!all.every((weight) => weight > 0)) complain(`${name} ${type} has a value without weight`);
  if (member !== undefined && !(member.weight >= 1 && member.weight <= 255))
    complain(`${name} ${type} has a member of weight ${member.weight}`);
  if (items !== undefined && items.length < 2) complain(`${name} ${type} has no several items`);
}

function doubtTogether(name: string, sets: readonly RecordSet[], complain: Complaint): void {
  const byType = groupBy(sets, ({ type }) => type);
  if (byType.has('CNAME') && byType.size > 1) complain(`${name} has a CNAME beside other records`);
  for (const [type, same] of byType) {
    if (same.length === 1) continue;
    const ids = same.flatMap(({ member }) => (member === undefined ? [] : [member.id]));
    const isTold = ids.length === same.length && new Set(ids).size === ids.length;
    if (!isTold) complain(`${name} has two record sets of type ${type}`);
  }
}

export function groupBy<K>(
  sets: readonly RecordSet[],
  keyOf: (set: RecordSet) => K,
): ReadonlyMap<K, readonly RecordSet[]> {
  const groups = new Map<K, RecordSet[]>();
  for (const set of sets) {
    const known = groups.get(keyOf(set));
    if (known === undefined) groups.set(keyOf(set), [set]);
    else known.push(set);
  }
  return groups;
}
