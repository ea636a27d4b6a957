// Planned answers as records: always the complete chain, since cluster DNS does not follow a
// CNAME that a stub zone returns. Input: the question and what was planned. Output: tails.

import { encodeTail, type ResourceRecord, type Tail } from '../../common/pure/dns-wire-encode.ts';
import {
  prependLabels,
  recordTypes,
  responseCodes,
  toWireName,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import type { Answer } from '../../common/pure/dns-wire-reply.ts';
import { toNamePrefix } from '../../common/pure/level-names.ts';
import type { LevelPlace } from './names.ts';
import type { PlannedAnswer } from './plan.ts';

/** Cluster DNS caches at least 5 s; failover inside a cluster must not wait longer than that. */
export const answerTtlSeconds = 5;
const rotationsMax = 16;

export type Found = Extract<PlannedAnswer, { kind: 'found' }>;

/**
 * Variants of the answer, each beginning with another address. `resolved` are the addresses of a
 * load balancer that is a name.
 */
export function toTails(
  question: { readonly name: WireName; readonly type: number },
  found: Found,
  options: {
    readonly federation: string;
    readonly resolved: readonly string[];
    readonly serial: number;
  },
): readonly Tail[] {
  const { aliases, end } = climb(question.name, found, options.federation);
  const { type } = question;
  const all = found.target.kind === 'addresses' ? found.target.addresses : options.resolved;
  const addresses = all
    .map((address) => addressRecord(end, address))
    .filter(({ data }) => wants(type, data.type));
  const kept = type === recordTypes.CNAME ? aliases.slice(0, 1) : aliases;
  const authorities =
    addresses.length > 0 || kept.length > 0 ? [] : [soaRecord(found.zone, options.serial)];
  const turns = Math.min(Math.max(addresses.length, 1), rotationsMax);
  return Array.from({ length: turns }, (_, turn) =>
    encodeTail(question.name, {
      answers: [...kept, ...addresses.slice(turn), ...addresses.slice(0, turn)],
      authorities,
    }),
  );
}

function wants(type: number, family: ResourceRecord['data']['type']): boolean {
  return type === recordTypes.ANY || recordTypes[family] === type;
}

/** The CNAMEs from the name asked to the name that carries the addresses. */
function climb(
  name: WireName,
  found: Found,
  federation: string,
): { readonly aliases: readonly ResourceRecord[]; readonly end: WireName } {
  const aliases: ResourceRecord[] = [];
  let end = name;
  const step = (target: WireName | undefined): void => {
    if (target === undefined || target === end) return;
    aliases.push({ name: end, ttlSeconds: answerTtlSeconds, data: { type: 'CNAME', target } });
    end = target;
  };
  for (const place of found.climb) step(levelName(found, place, federation));
  if (found.target.kind === 'hostname') step(toWireName(found.target.hostname));
  return { aliases, end };
}

function levelName(
  found: Found,
  { zone, region }: LevelPlace,
  federation: string,
): WireName | undefined {
  const labels = [toNamePrefix(found.key, federation), zone, region].filter(
    (label) => label !== undefined,
  );
  return prependLabels(labels.join('.'), found.zone);
}

function addressRecord(name: WireName, address: string): ResourceRecord {
  const type = address.includes(':') ? 'AAAA' : 'A';
  return { name, ttlSeconds: answerTtlSeconds, data: { type, address } };
}

/** NODATA or NXDOMAIN, with the SOA (RFC 2308). */
export function toNegative(
  name: WireName,
  zone: WireName,
  options: { readonly exists: boolean; readonly serial: number },
): Answer {
  const code = options.exists ? responseCodes.noError : responseCodes.nameError;
  return { code, tail: encodeTail(name, { authorities: [soaRecord(zone, options.serial)] }) };
}

/** SOA and NS of a zone that this resolver serves. */
export function toApex(zone: WireName, type: number, serial: number): Answer {
  const code = responseCodes.noError;
  if (type === recordTypes.SOA || type === recordTypes.ANY) {
    return { code, tail: encodeTail(zone, { answers: [soaRecord(zone, serial)] }) };
  }
  const target = serverOf(zone);
  if (type !== recordTypes.NS) return toNegative(zone, zone, { exists: true, serial });
  const record: ResourceRecord = {
    name: zone,
    ttlSeconds: answerTtlSeconds,
    data: { type: 'NS', target },
  };
  return { code, tail: encodeTail(zone, { answers: [record] }) };
}

function serverOf(zone: WireName): WireName {
  return prependLabels('ns.dns', zone) ?? zone;
}

function soaRecord(zone: WireName, serial: number): ResourceRecord {
  return {
    name: zone,
    ttlSeconds: answerTtlSeconds,
    data: {
      type: 'SOA',
      primary: serverOf(zone),
      mailbox: prependLabels('hostmaster', zone) ?? zone,
      serial,
      refreshSeconds: 3_600,
      retrySeconds: 600,
      expireSeconds: 86_400,
      minimumSeconds: answerTtlSeconds,
    },
  };
}
