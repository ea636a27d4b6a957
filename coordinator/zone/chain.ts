// What is said of one name: its aliases followed to their end, through any of our zones, and
// encoded once for each order in which the addresses are given out.
//
//   H2. CNAMEs are followed within our zones, to the end, in the answer section.
//   H3. Where the addresses of a name have weights, an answer carries one address: resolvers keep
//       and shuffle what they get, so only whole answers can be given out in proportion.

import {
  recordTypes,
  responseCodes,
  type ResponseCode,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import { encodeTail, type ResourceRecord, type Tail } from '../../common/pure/dns-wire-encode.ts';
import { addressRecord, negativeTtl, soaRecord } from './apex.ts';
import type { Fallback } from './fold.ts';
import type { NameRecords, PublishedService, ServiceTarget } from './published-service.ts';
import type { ServedZone, ServedZones } from './served-zones.ts';
import { WeightedTails } from './weighted-tails.ts';

/** Types that a Service's name can have. `other`: answered by its CNAME or by NODATA. */
export type Shown = 'A' | 'AAAA' | 'CNAME' | 'SRV' | 'other';

export function shownType(type: number): Shown {
  if (type === recordTypes.A) return 'A';
  if (type === recordTypes.AAAA) return 'AAAA';
  if (type === recordTypes.CNAME) return 'CNAME';
  return type === recordTypes.SRV ? 'SRV' : 'other';
}

/** RFC 8482 4.1: of a name that is asked for everything, one record set. */
export function anyType(records: NameRecords): Shown {
  if (records.cname !== undefined) return 'CNAME';
  if (records.a.length > 0) return 'A';
  return records.aaaa.length > 0 ? 'AAAA' : 'SRV';
}

/** A name and what stands there, in the zone that holds it. */
export interface Standing {
  readonly name: WireName;
  readonly records: NameRecords;
  readonly owner: PublishedService;
  readonly zone: ServedZone;
}

export interface SaidOf {
  /** None: NODATA. Else each with another address first, or by weights. */
  readonly tails: readonly Tail[] | WeightedTails;
  /** Of the name at the end of the aliases (RFC 6604 3). */
  readonly code: ResponseCode;
  /** All of it is of one Service, and so is stale no earlier than that Service's records. */
  readonly isOwn: boolean;
  /** It carries the SOA of this zone, with this serial. */
  readonly soa?: { readonly zone: ServedZone; readonly serial: number } | undefined;
}

// Zone, region, global and a load balancer's name; more would be a circle.
const chainMax = 8;
// Variants of one answer that differ in which address comes first.
const rotationsMax = 16;

export function tellOf(zones: ServedZones, from: Standing, shown: Shown): SaidOf {
  const chain = follow(zones, from, shown);
  const { answers, aliases, isOwn, end } = chain;
  const code = end?.isAbsent === true ? responseCodes.nameError : responseCodes.noError;
  if (answers.length === 0 && aliases.length === 0) return { tails: [], code, isOwn };
  const soa = end && { zone: end.zone, serial: end.zone.table.serial };
  const tails = toWeighted(from.name, chain) ?? rotate(from.name, chain);
  return { tails, code, isOwn, soa };
}

interface Chain {
  readonly aliases: readonly ResourceRecord[];
  readonly answers: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** Where the aliases end without data: the answer carries that zone's SOA (RFC 2308 2). */
  readonly end?: { readonly zone: ServedZone; readonly isAbsent: boolean };
  /** Of the answers, in their order. */
  readonly weights?: readonly number[] | undefined;
  readonly isOwn: boolean;
}

function follow(zones: ServedZones, from: Standing, shown: Shown): Chain {
  const aliases: ResourceRecord[] = [];
  let at = from;
  let isOwn = true;
  for (let step = 0; step < chainMax && at.records.cname !== undefined; step += 1) {
    const { cname: target, ttlSeconds } = at.records;
    aliases.push({ name: at.name, ttlSeconds, data: { type: 'CNAME', target } });
    if (shown === 'CNAME') return { ...nothing, aliases, isOwn };
    const next = standingAt(zones, target);
    if (next.kind === 'elsewhere') return { ...nothing, aliases, isOwn };
    if (next.kind === 'none') return { ...nothing, aliases, isOwn: false, end: next };
    isOwn &&= next.owner === from.owner;
    at = next;
  }
  const { records, name, zone } = at;
  if (shown === 'SRV' && records.srv.length > 0) return toServiceChain(zones, at, aliases, isOwn);
  const values = shown === 'A' ? records.a : shown === 'AAAA' ? records.aaaa : [];
  if (values.length === 0) return { ...nothing, aliases, isOwn, end: { zone, isAbsent: false } };
  return {
    ...nothing,
    aliases,
    isOwn,
    answers: values.map((value) => addressRecord(name, records.ttlSeconds, value)),
    weights: shown === 'A' ? records.aWeights : records.aaaaWeights,
  };
}

const nothing = { answers: [], additionals: [] } as const;

/** RFC 2782: the addresses of the targets go along, where they are ours. */
function toServiceChain(
  zones: ServedZones,
  { name, owner, records }: Standing,
  aliases: readonly ResourceRecord[],
  isOwnSoFar: boolean,
): Chain {
  const { ttlSeconds, srv } = records;
  const targets = new Set(srv.map(({ target }) => target));
  const found = [...targets].map((target) => standingAt(zones, target));
  const isOwn = found.every(
    (at) => at.kind === 'elsewhere' || (at.kind === 'standing' && at.owner === owner),
  );
  const additionals = found.flatMap((at) => (at.kind === 'standing' ? addressesOf(at) : []));
  const answers = srv.map((value) => serviceRecord(name, ttlSeconds, value));
  return { aliases, answers, additionals, isOwn: isOwn && isOwnSoFar };
}

function addressesOf({ name, records }: Standing): readonly ResourceRecord[] {
  const { a, aaaa, ttlSeconds } = records;
  return [...a, ...aaaa].map((value) => addressRecord(name, ttlSeconds, value));
}

export function serviceRecord(
  name: WireName,
  ttlSeconds: number,
  value: ServiceTarget,
): ResourceRecord {
  return { name, ttlSeconds, data: { type: 'SRV', ...value } };
}

type Reached =
  | ({ readonly kind: 'standing' } & Standing)
  /** In a zone of ours, without records. */
  | { readonly kind: 'none'; readonly zone: ServedZone; readonly isAbsent: boolean }
  /** In none of our zones. */
  | { readonly kind: 'elsewhere' };

function standingAt(zones: ServedZones, name: WireName): Reached {
  const zone = zones.find(name);
  if (zone === undefined) return { kind: 'elsewhere' };
  if (name === zone.apex.name) return { kind: 'none', zone, isAbsent: false };
  const found = zone.table.find(name);
  switch (found.kind) {
    case 'records': {
      const { records, owner } = found.entry;
      return { kind: 'standing', name, records, owner, zone };
    }
    case 'fallback':
      return { kind: 'standing', name, records: fallbackRecords(found), owner: found.owner, zone };
    default:
      return { kind: 'none', zone, isAbsent: found.kind === 'absent' && !zones.hasBelow(name) };
  }
}

export function fallbackRecords({ parent, ttlSeconds }: Fallback): NameRecords {
  return { ttlSeconds, a: [], aaaa: [], srv: [], cname: parent };
}

/** H3. */
function toWeighted(name: WireName, { aliases, answers, weights }: Chain) {
  if (weights === undefined || weights.length !== answers.length || answers.length < 2)
    return undefined;
  const tails = answers.map((answer) => encodeTail(name, { answers: [...aliases, answer] }));
  return new WeightedTails(tails, weights);
}

/** The same answer with each address first in turn, since many clients take the first. */
function rotate(name: WireName, { aliases, answers, additionals, end }: Chain): readonly Tail[] {
  const authorities =
    end === undefined
      ? []
      : [soaRecord(end.zone.apex, end.zone.table.serial, negativeTtl(end.zone.apex))];
  const turns = Math.min(Math.max(answers.length, 1), rotationsMax);
  return Array.from({ length: turns }, (_, turn) =>
    encodeTail(name, {
      answers: [...aliases, ...answers.slice(turn), ...answers.slice(0, turn)],
      authorities,
      additionals,
    }),
  );
}
