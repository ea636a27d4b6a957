// A1: record sets are well formed, within the zone, and of a form that the zone's provider takes.
// Input: what was planned from, and the plan. Output: findings. Pure.

import { isIP } from 'node:net';
import type { Publication, RecordSet } from '../../../common/model/publication.ts';
import { isPublishable } from '../../../common/pure/address-rules.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import { elbHostedZoneId } from '../../../common/pure/elb-zones.ts';
import { isOwnForm, toGlobalName, toNamePrefix } from '../../../common/pure/level-names.ts';
import type { PublicationInput } from './input.ts';
import { embeddedShape } from './zone-shape.ts';

export type Complaint = (message: string) => void;

export function doubtForms(
  input: PublicationInput,
  planned: Publication,
  complain: Complaint,
): void {
  for (const set of planned.recordSets) {
    doubtName(input, set, complain);
    doubtValues(input, set, complain);
    doubtWeights(input, set, complain);
  }
  const byName = groupBy(planned.recordSets, ({ name }) => name);
  for (const [name, sets] of byName) doubtTogether(name, sets, complain);
}

function doubtName(input: PublicationInput, set: RecordSet, complain: Complaint): void {
  const { name, level } = set;
  if (!name.endsWith(`.${input.zone}`)) complain(`${name} is outside the zone ${input.zone}`);
  if (toWireName(name) === undefined) complain(`${name} is no name that DNS can carry`);
  if (!(set.ttlSeconds >= 1)) complain(`${name} ${set.type} has no TTL`);
  const scope = { federation: input.federation, domain: input.zone };
  const prefix = `${toNamePrefix(input.key, input.federation)}.`;
  const isGranted = input.aliases?.granted.some((alias) => alias.name === name) === true;
  const isRight =
    level === 'alias'
      ? isGranted && !isOwnForm(name, scope)
      : level === 'shard'
        ? /^s-[a-z0-9]+$/.test(name.slice(0, -1 - toGlobalName(input.key, scope).length)) &&
          name.endsWith(`.${toGlobalName(input.key, scope)}`)
        : name.replace(/^_[^.]+\._(tcp|udp|sctp)\./, '').startsWith(prefix);
  if (!isRight) complain(`${name} is no ${level} name of this Service`);
}

function doubtValues(input: PublicationInput, set: RecordSet, complain: Complaint): void {
  const { name, type, values, alias, items } = set;
  const { shape = embeddedShape } = input;
  const ways = [values.length > 0, alias !== undefined, items !== undefined];
  if (ways.filter(Boolean).length !== 1) complain(`${name} ${type} has not one kind of value`);
  if (alias !== undefined) {
    const isRight = shape.hasAlias && elbHostedZoneId(alias.target) === alias.hostedZoneId;
    const isAddress = type === 'A' || type === 'AAAA';
    if (!isRight || !isAddress) complain(`${name} ${type} cannot be an alias of ${alias.target}`);
  }
  for (const list of [values, ...(items ?? []).map((item) => item.values)]) {
    if (new Set(list).size !== list.length) complain(`${name} ${type} repeats a value`);
    if (list.length > shape.valuesPerSetMax) complain(`${name} ${type} has too many values`);
    if (type === 'CNAME' && list.length > 1) complain(`${name} has a CNAME with several targets`);
    for (const value of list) {
      if (!isValueOf(input, type, value)) complain(`${name} ${type} cannot say ${value}`);
    }
  }
}

function isValueOf(input: PublicationInput, type: RecordSet['type'], value: string): boolean {
  const { shape = embeddedShape, addressRules } = input;
  switch (type) {
    case 'A':
    case 'AAAA': {
      const rules = { ...addressRules, allowPrivate: shape.isPrivate };
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

function doubtWeights(input: PublicationInput, set: RecordSet, complain: Complaint): void {
  const { shape = embeddedShape } = input;
  const { name, type, weights, member, items, values } = set;
  const used = { values: weights, members: member, items, none: undefined };
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
