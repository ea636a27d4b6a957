// What an UPDATE message says (RFC 2136): prerequisites that make it a compare-and-set, then the
// changes. Input: a batch. Output: its records, or which of its groups can never be sent.
//
//   U1. Each deleted set is first demanded exactly as it stands, and its whole set deleted: the
//       types one by one, never all at once (ANY), which restricted keys may not.
//   U2. Nothing may stand where something is created. BIND and Knot silently ignore an address
//       beside a CNAME, so a CNAME also demands that the other common types are absent, and every
//       other type that no CNAME stands there.
//
// Next: rfc2136.ts sends it and reads back.

import {
  toDataText,
  parseNameText,
  parseTypeText,
  toNameText,
  toRecordData,
  toTypeText,
} from '../../../common/pure/dns-text.ts';
import { recordClasses, recordLength, type WireRecord } from '../../../common/pure/dns-message.ts';
import { isWithin, type WireName } from '../../../common/pure/dns-wire.ts';
import type { BatchLimits, RecordBatch, RecordGroup, ZoneRecordSet } from './provider.ts';

/** An UPDATE without header, zone and signature. */
export interface UpdateRecords {
  readonly prerequisites: readonly WireRecord[];
  readonly updates: readonly WireRecord[];
}

export type PlannedUpdate =
  | { readonly kind: 'update'; readonly records: UpdateRecords }
  /** By group: why it can never be accepted. */
  | { readonly kind: 'impossible'; readonly reasons: ReadonlyMap<string, string> };

/** 65,535 at most fit a message (RFC 1035 4.2.2); the signature and the zone need some. */
export const updateLimits: BatchLimits = { changes: 5_000, bytes: 60_000 };

const typeAny = 255;
const typeCname = 5;
// Beside which a CNAME would be silently ignored; what else stands there is found by reading back.
const neighbourTypes = [
  'A',
  'AAAA',
  'TXT',
  'SRV',
  'MX',
  'NS',
  'CAA',
  'HTTPS',
  'PTR',
  'DNAME',
].flatMap((text) => parseTypeText(text) ?? []);

export function planUpdate(batch: RecordBatch, apex: WireName): PlannedUpdate {
  const reasons = new Map<string, string>();
  const taken = new Map<string, string>();
  const prerequisites: WireRecord[] = [];
  const updates: WireRecord[] = [];
  const groups = batch.fence === undefined ? batch.groups : [batch.fence, ...batch.groups];
  for (const group of groups) {
    const encoded = encodeGroup(group, apex);
    const reason = typeof encoded === 'string' ? encoded : sharedName(group, taken);
    if (reason !== undefined) reasons.set(group.id, reason);
    else if (typeof encoded !== 'string') {
      prerequisites.push(...encoded.prerequisites);
      updates.push(...encoded.updates);
    }
  }
  if (reasons.size > 0) return { kind: 'impossible', reasons };
  return { kind: 'update', records: { prerequisites, updates } };
}

/** Two groups of one request that change one set would be each other's conflict. */
function sharedName(group: RecordGroup, taken: Map<string, string>): string | undefined {
  for (const { name, type } of [...group.deletes, ...group.creates]) {
    const key = `${name} ${type}`;
    const other = taken.get(key);
    if (other !== undefined && other !== group.id)
      return `${type} ${name} is changed by ${other} in the same request`;
    taken.set(key, group.id);
  }
  return undefined;
}

/** Of `updateLimits`. What cannot be encoded costs nothing: it is rejected when it is applied. */
export function measureUpdate(group: RecordGroup, apex: WireName): BatchLimits {
  const changes = group.deletes.length + group.creates.length;
  const encoded = encodeGroup(group, apex, 'any size');
  if (typeof encoded === 'string') return { changes, bytes: 0 };
  const records = [...encoded.prerequisites, ...encoded.updates];
  return { changes, bytes: records.reduce((sum, record) => sum + recordLength(record), 0) };
}

interface WireSet {
  readonly set: ZoneRecordSet;
  readonly name: WireName;
  readonly type: number;
  readonly data: readonly Uint8Array[];
}

/** A text says why it can never be sent. */
function encodeGroup(
  group: RecordGroup,
  apex: WireName,
  size: 'any size' | 'bounded' = 'bounded',
): UpdateRecords | string {
  const sets: { deletes: WireSet[]; creates: WireSet[] } = { deletes: [], creates: [] };
  for (const part of ['deletes', 'creates'] as const) {
    for (const set of group[part]) {
      const encoded = encodeSet(set, apex);
      if (typeof encoded === 'string') return encoded;
      sets[part].push(encoded);
    }
  }
  const besides = besideCname(sets.creates);
  if (besides !== undefined) return besides;
  const records = toRecords(sets.deletes, sets.creates);
  if (size === 'any size') return records;
  const bytes = [...records.prerequisites, ...records.updates].reduce(
    (sum, record) => sum + recordLength(record),
    0,
  );
  if (bytes <= updateLimits.bytes) return records;
  return `it needs ${bytes} bytes of one message, which holds ${updateLimits.bytes}`;
}

function encodeSet(set: ZoneRecordSet, apex: WireName): WireSet | string {
  const at = `${set.type} ${set.name}`;
  if (set.member !== undefined || set.items !== undefined || set.alias !== undefined)
    return `${at} has weights or an alias, which RFC 2136 does not know`;
  if (set.foreign !== undefined) return `${at} is not ours to write: ${set.foreign}`;
  const name = parseNameText(set.name);
  if (name === undefined)
    return `${at}: a name has at most 253 characters and labels of 63 at most`;
  if (!isWithin(name, apex)) return `${at} is outside the zone ${toNameText(apex)}`;
  const type = parseTypeText(set.type);
  if (type === undefined) return `${at}: the type is unknown`;
  if (!(set.ttlSeconds >= 0 && set.ttlSeconds < 2 ** 31)) return `${at}: TTL ${set.ttlSeconds}`;
  if (set.values.length === 0) return `${at} has no value`;
  const data: Uint8Array[] = [];
  for (const value of set.values) {
    const bytes = toRecordData(type, value);
    if (bytes === undefined) return `${at}: ${value.slice(0, 100)} is no ${set.type} data`;
    data.push(bytes);
  }
  return { set, name, type, data };
}

/** RFC 1034 3.6.2; servers ignore it instead of refusing it. */
function besideCname(creates: readonly WireSet[]): string | undefined {
  const aliases = new Set(creates.filter(({ type }) => type === typeCname).map(({ name }) => name));
  const beside = creates.find(({ name, type }) => type !== typeCname && aliases.has(name));
  if (beside !== undefined)
    return `${beside.set.type} ${beside.set.name} would stand beside a CNAME`;
  const several = creates.find(({ type, data }) => type === typeCname && data.length > 1);
  return several === undefined ? undefined : `CNAME ${several.set.name} has several targets`;
}

function toRecords(deletes: readonly WireSet[], creates: readonly WireSet[]): UpdateRecords {
  const deleted = new Map<WireName, Set<number>>();
  for (const { name, type } of deletes)
    deleted.set(name, (deleted.get(name) ?? new Set()).add(type));
  const { any, internet } = recordClasses;
  const prerequisites: WireRecord[] = deletes.flatMap(({ name, type, data }) =>
    data.map((bytes) => ({ name, type, class: internet, ttlSeconds: 0, data: bytes })),
  );
  const demanded = new Set<string>();
  for (const { name, type } of creates) {
    for (const absentType of absentTypes(type, deleted.get(name))) {
      const key = `${absentType} ${name}`;
      if (!demanded.has(key)) prerequisites.push(absent(name, absentType));
      demanded.add(key);
    }
  }
  const updates = [
    ...deletes.map(({ name, type }) => ({ name, type, class: any, ttlSeconds: 0, data: nothing })),
    ...creates.flatMap(({ set, name, type, data }) =>
      data.map((bytes) => {
        return { name, type, class: internet, ttlSeconds: set.ttlSeconds, data: bytes };
      }),
    ),
  ];
  return { prerequisites, updates };
}

const nothing = new Uint8Array(0);

/** Types that must not stand at a name for `type` to be created; ANY: no name at all. */
function absentTypes(type: number, deleted: ReadonlySet<number> | undefined): readonly number[] {
  if (type === typeCname && deleted === undefined) return [typeAny];
  const unwanted = type === typeCname ? [typeCname, ...neighbourTypes] : [type, typeCname];
  return unwanted.filter((other) => deleted?.has(other) !== true);
}

function absent(name: WireName, type: number): WireRecord {
  return { name, type, class: recordClasses.none, ttlSeconds: 0, data: nothing };
}

/** Asks only whether nothing stands at a name: an UPDATE that changes nothing. */
export function planAbsenceProbe(name: WireName): UpdateRecords {
  return { prerequisites: [absent(name, typeAny)], updates: [] };
}

/** Asks whether anything may be written here, by deleting a value that does not stand there. */
export function planLeaveProbe(name: WireName): UpdateRecords {
  const data = toRecordData(16, 'isthmus asks whether it may write here') ?? nothing;
  const update = { name, type: 16, class: recordClasses.none, ttlSeconds: 0, data };
  return { prerequisites: [], updates: [update] };
}

// Made by the server itself beside whatever stands at a name; a CNAME too.
const madeByServer = new Set([46, 47, 50]);

/** Records of the Internet class as canonical sets, in the order in which they first come. */
export function foldRecordSets(records: readonly WireRecord[]): readonly ZoneRecordSet[] {
  const sets = new Map<
    string,
    { name: WireName; type: number; ttlSeconds: number; values: Set<string> }
  >();
  for (const { name, type, class: recordClass, ttlSeconds, data } of records) {
    if (recordClass !== recordClasses.internet || madeByServer.has(type)) continue;
    const key = `${type} ${name}`;
    const set = sets.get(key) ?? { name, type, ttlSeconds, values: new Set<string>() };
    // RFC 2181 5.2: one TTL a set; where a server says otherwise the lowest counts.
    set.ttlSeconds = Math.min(set.ttlSeconds, ttlSeconds);
    set.values.add(toDataText(type, data));
    sets.set(key, set);
  }
  return [...sets.values()].map(({ name, type, ttlSeconds, values }) => ({
    name: toNameText(name),
    type: toTypeText(type),
    ttlSeconds,
    values: [...values].sort(),
  }));
}

/**
 * Names of a group that do not stand as `wanted` says: before a change its deletes do and its
 * creates do not, afterwards the other way round. Sorted.
 */
export function deviations(
  group: RecordGroup,
  standing: ReadonlyMap<string, ZoneRecordSet>,
  wanted: 'before' | 'after',
): readonly string[] {
  const [present, absentSets] =
    wanted === 'before' ? [group.deletes, group.creates] : [group.creates, group.deletes];
  const kept = new Set(present.map(setKey));
  const names = [
    ...present.filter((set) => !isSame(standing.get(setKey(set)), set, wanted === 'after')),
    ...absentSets.filter((set) => !kept.has(setKey(set)) && standing.has(setKey(set))),
    ...(wanted === 'before' ? cnameNeighbours(group, standing) : []),
  ].map(({ name }) => name);
  return [...new Set(names)].sort();
}

/** Creates that something of another type stands in the way of. */
function cnameNeighbours(
  group: RecordGroup,
  standing: ReadonlyMap<string, ZoneRecordSet>,
): readonly ZoneRecordSet[] {
  const deleted = new Set(group.deletes.map(setKey));
  const left = [...standing].filter(([key]) => !deleted.has(key)).map(([, set]) => set);
  const names = new Set(left.map(({ name }) => name));
  const aliases = new Set(left.filter(({ type }) => type === 'CNAME').map(({ name }) => name));
  return group.creates.filter(({ name, type }) =>
    type === 'CNAME' ? names.has(name) : aliases.has(name),
  );
}

export function setKey({ name, type }: ZoneRecordSet): string {
  return `${name} ${type}`;
}

/** Prerequisites do not see a TTL, so one that was edited is no conflict. */
function isSame(found: ZoneRecordSet | undefined, set: ZoneRecordSet, withTtl: boolean): boolean {
  if (found === undefined || (withTtl && found.ttlSeconds !== set.ttlSeconds)) return false;
  return (
    found.values.length === set.values.length && found.values.every((v, i) => v === set.values[i])
  );
}
