// The DNSRecordSets of one Service: one for each name, type and DNSZone.
// Input: what plan-service.ts takes. Output: objects. Pure.
//
//   R1. Weighted members of one name and type are one object: they are one answer.

import type { DNSRecordSet } from '../../common/model/isthmus-kinds.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import { contentHash } from '../../common/pure/digest.ts';
import type { PublishedFacts } from './published.ts';

/** RFC 3339 of epoch milliseconds; given, because a pure file knows no clock. */
export type FormatTime = (epochMs: number) => string;

/** A DNSRecordSet but for its metadata. */
export interface PlannedRecordSet {
  /** Of the object. */
  readonly name: string;
  readonly spec: Omit<DNSRecordSet['spec'], 'service'>;
  readonly status: DNSRecordSet['status'];
}

const objectNameMax = 253;

export function planRecordSets(
  published: readonly PublishedFacts[],
  formatTime: FormatTime,
): readonly PlannedRecordSet[] {
  return published.flatMap((facts) =>
    groupSets(facts.publication.recordSets).map((sets) => toRecordSet(facts, sets, formatTime)),
  );
}

type Sets = readonly [RecordSet, ...RecordSet[]];

/** R1. */
function groupSets(sets: readonly RecordSet[]): readonly Sets[] {
  const groups = new Map<string, [RecordSet, ...RecordSet[]]>();
  for (const set of sets) {
    const at = `${set.name} ${set.type}`;
    const known = groups.get(at);
    if (known === undefined) groups.set(at, [set]);
    else known.push(set);
  }
  return [...groups.values()];
}

function toRecordSet(
  { dnsZone, publication, applied }: PublishedFacts,
  sets: Sets,
  formatTime: FormatTime,
): PlannedRecordSet {
  const [first] = sets;
  const { alias, weights } = first;
  const members = toMembers(sets);
  const isPlain = members.length === 0;
  const since = applied.sinceMs === undefined ? undefined : formatTime(applied.sinceMs);
  const isLive = applied.state === 'live';
  const message = isLive ? publication.message : applied.message;
  return {
    name: objectName(dnsZone, publication.zone, first),
    spec: {
      dnsName: first.name,
      recordType: first.type,
      ttlSeconds: first.ttlSeconds,
      targets: [...new Set(sets.flatMap(targetsOf))].sort(),
      ...(isPlain && weights !== undefined ? { weights } : {}),
      ...(isPlain ? {} : { members }),
      ...(isPlain && alias !== undefined ? { alias: toAlias(alias) } : {}),
      level: first.level,
      zone: publication.zone,
      dnsZone,
    },
    status: {
      published: isLive,
      state: applied.state,
      reason: isLive ? publication.reason : applied.reason,
      ...(message === '' ? {} : { message }),
      ...(since === undefined ? {} : { since }),
    },
  };
}

type Member = NonNullable<DNSRecordSet['spec']['members']>[number];

function toMembers(sets: Sets): readonly Member[] {
  return sets.flatMap(({ member, items, values, alias }): readonly Member[] => {
    if (items !== undefined) {
      return items.map((item) => ({ weight: item.weight, targets: item.values }));
    }
    if (member === undefined) return [];
    const targets = alias === undefined ? values : [alias.target];
    const { id, weight } = member;
    return [{ id, weight, targets, ...(alias === undefined ? {} : { alias: toAlias(alias) }) }];
  });
}

function toAlias({ target, hostedZoneId, evaluateTargetHealth }: NonNullable<RecordSet['alias']>) {
  return { target, hostedZoneId, evaluateTargetHealth };
}

function targetsOf({ values, items = [], alias }: RecordSet): readonly string[] {
  return [
    ...values,
    ...items.flatMap((item) => item.values),
    ...(alias === undefined ? [] : [alias.target]),
  ];
}

/** The zone of the setting `domain` is named after it, and adds nothing to the name. */
function objectName(dnsZone: string, domain: string, { name, type }: RecordSet): string {
  const plain = `${name}-${type.toLowerCase()}`.toLowerCase();
  const full = dnsZone === domain ? plain : `${plain}.${dnsZone}`;
  if (full.length <= objectNameMax) return full;
  return `${full.slice(0, objectNameMax - 33)}-${contentHash(Buffer.from(full))}`;
}
