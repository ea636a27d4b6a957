// What the service's name servers answer: each zone as of its last change that is INSYNC, over UDP.

import {
  encodeTail,
  type RecordData,
  type ResourceRecord,
} from '../../../../common/pure/dns-wire-encode.ts';
import { readRequest, toReply } from '../../../../common/pure/dns-wire-reply.ts';
import {
  fromWireName,
  recordTypes,
  responseCodes,
  toWireName,
  wireParent,
  type DnsQuery,
  type WireName,
} from '../../../../common/pure/dns-wire.ts';
import { canonicalName } from './names.ts';
import type { HostedZone } from './hosted-zone.ts';
import type { StoredSet } from './record-set.ts';

export interface DnsViewOptions {
  readonly zones: () => Iterable<HostedZone>;
  /** Addresses of alias targets outside the zones. */
  readonly addressesOf: (target: string) => readonly string[];
}

const hopsMax = 8;

/** The reply to one datagram, or none. */
export function answerDns(bytes: Uint8Array, options: DnsViewOptions): Uint8Array | undefined {
  const reading = readRequest(bytes, 'udp');
  if (reading.kind === 'drop') return undefined;
  if (reading.kind === 'reply') return reading.bytes;
  const { query } = reading;
  const zone = zoneOf(query.name, options);
  if (zone === undefined) {
    return toReply(query, { code: responseCodes.refused, tail: encodeTail(query.name, {}) }, 'udp');
  }
  const answers = answersFor(query, zone, options);
  const isThere = answers.length > 0 || zone.servedAt(textOf(query.name)).length > 0;
  const code = isThere ? responseCodes.noError : responseCodes.nameError;
  return toReply(query, { code, tail: encodeTail(query.name, { answers }) }, 'udp');
}

function zoneOf(name: WireName, { zones }: DnsViewOptions): HostedZone | undefined {
  const byName = new Map([...zones()].map((zone) => [zone.options.name, zone]));
  for (let at = name; at.length > 1; at = wireParent(at)) {
    const zone = byName.get(textOf(at));
    if (zone !== undefined) return zone;
  }
  return undefined;
}

function textOf(name: WireName): string {
  // Of names without other bytes, which is all that tests ask for.
  return canonicalName(fromWireName(name));
}

function answersFor(
  query: DnsQuery,
  zone: HostedZone,
  options: DnsViewOptions,
): readonly ResourceRecord[] {
  const answers: ResourceRecord[] = [];
  let owner = query.name;
  for (let hop = 0; hop < hopsMax; hop += 1) {
    const here = zone.servedAt(textOf(owner));
    const cname = here.find(({ type }) => type === 'CNAME');
    const sets = here.filter(({ type }) => recordTypes[type as 'A'] === query.type);
    answers.push(...choose(cname === undefined ? sets : [cname], owner, options));
    const target = cname === undefined ? undefined : toWireName(cname.values[0] ?? '');
    if (target === undefined || query.type === recordTypes.CNAME) return answers;
    owner = target;
  }
  return answers;
}

/** Of weighted sets the heaviest: what tests ask for is who may answer at all. */
function choose(
  sets: readonly StoredSet[],
  owner: WireName,
  options: DnsViewOptions,
): readonly ResourceRecord[] {
  const [chosen] = sets.toSorted((a, b) => weightOf(b) - weightOf(a));
  if (chosen === undefined) return [];
  const { type, ttl = 60, values, alias } = chosen;
  const texts = alias === undefined ? values : options.addressesOf(alias.dnsName);
  return texts.flatMap((value) => {
    const data = toData(type, value);
    return data === undefined ? [] : [{ name: owner, ttlSeconds: ttl, data }];
  });
}

function weightOf({ routing }: StoredSet): number {
  return Number(routing.find(([name]) => name === 'Weight')?.[1] ?? 0);
}

function toData(type: string, value: string): RecordData | undefined {
  switch (type) {
    case 'A':
    case 'AAAA':
      return { type, address: value };
    case 'CNAME':
    case 'NS': {
      const target = toWireName(value);
      return target === undefined ? undefined : { type, target };
    }
    case 'TXT':
      return { type, texts: [value.replace(/^"|"$/g, '')] };
    default:
      return undefined;
  }
}
