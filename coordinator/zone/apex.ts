// The top of one zone: its name servers, their addresses and the numbers of its SOA.

import {
  isWithin,
  prependLabels,
  toWireName,
  wireParent,
  type WireName,
} from '../../common/pure/dns-wire.ts';
import type { ResourceRecord } from '../../common/pure/dns-wire-encode.ts';
import { invariant } from '../../common/pure/errors.ts';
import type { EmbeddedZone, ZoneSettings } from './plan-zones.ts';

export interface ZoneApex {
  readonly name: WireName;
  /** At least one; the first is the primary of the SOA. */
  readonly nameServers: readonly WireName[];
  /** Of name servers within the zone; without addresses where none is known. */
  readonly glue: ReadonlyMap<WireName, readonly string[]>;
  /** Those names, and the ones between them and the apex, which have no records (RFC 8020). */
  readonly serverNames: ReadonlyMap<WireName, readonly string[] | 'above'>;
  readonly mailbox: WireName;
  /** TTL of SOA, NS and the name servers' addresses. */
  readonly ttlSeconds: number;
  /** How long resolvers may keep a negative answer. */
  readonly negativeTtlSeconds: number;
}

const apexTtlSeconds = 3_600;
const negativeTtlDefaultSeconds = 5;
// A secondary that misses a NOTIFY is behind for no longer than a record may be cached.
const refreshSeconds = 60;
const retrySeconds = 30;
// Secondaries answer for a week while every primary is away.
const expireSeconds = 604_800;

/** `selfAddresses` are published for the default name server, `ns1.<domain>`. */
export function toZoneApex(
  zone: Pick<EmbeddedZone, 'domain'> & Partial<EmbeddedZone>,
  settings: Pick<ZoneSettings, 'negativeTtlSeconds'>,
  selfAddresses: readonly string[],
): ZoneApex {
  const name = wireOf(zone.domain);
  const mailbox = prependLabels('hostmaster', name);
  invariant(mailbox !== undefined, `${zone.domain} leaves no room for a name below it`);
  const isDefault = (zone.nameServers ?? []).length === 0;
  const nameServers = isDefault ? [`ns1.${zone.domain}`] : (zone.nameServers ?? []);
  const known = new Map((zone.glue ?? []).map((each) => [wireOf(each.name), each.addresses]));
  const servers = nameServers.map(wireOf);
  const within = servers.filter((server) => isWithin(server, name));
  const unsaid = isDefault ? selfAddresses : [];
  const glue = new Map(within.map((server) => [server, known.get(server) ?? unsaid]));
  return {
    name,
    nameServers: servers,
    glue,
    serverNames: new Map<WireName, readonly string[] | 'above'>([
      ...namesAbove(within, name),
      ...glue,
    ]),
    mailbox,
    ttlSeconds: apexTtlSeconds,
    negativeTtlSeconds: settings.negativeTtlSeconds ?? negativeTtlDefaultSeconds,
  };
}

export function soaRecord(apex: ZoneApex, serial: number, ttlSeconds: number): ResourceRecord {
  const data = {
    type: 'SOA' as const,
    primary: apex.nameServers[0] ?? apex.name,
    mailbox: apex.mailbox,
    serial,
    refreshSeconds,
    retrySeconds,
    expireSeconds,
    minimumSeconds: apex.negativeTtlSeconds,
  };
  return { name: apex.name, ttlSeconds, data };
}

/** RFC 2308 3: the smaller of the SOA's own TTL and its MINIMUM. */
export function negativeTtl(apex: ZoneApex): number {
  return Math.min(apex.negativeTtlSeconds, apex.ttlSeconds);
}

/** NS records of the zone, owned by its apex: at the apex itself, or in the parent at the cut. */
export function serverRecords(apex: ZoneApex): readonly ResourceRecord[] {
  const { name, ttlSeconds } = apex;
  return apex.nameServers.map((target) => ({ name, ttlSeconds, data: { type: 'NS', target } }));
}

export function glueRecords(apex: ZoneApex): readonly ResourceRecord[] {
  return [...apex.glue].flatMap(([name, addresses]) =>
    addresses.map((address) => addressRecord(name, apex.ttlSeconds, address)),
  );
}

export function addressRecord(name: WireName, ttlSeconds: number, address: string): ResourceRecord {
  return { name, ttlSeconds, data: { type: address.includes(':') ? 'AAAA' : 'A', address } };
}

function namesAbove(
  servers: readonly WireName[],
  apex: WireName,
): readonly (readonly [WireName, 'above'])[] {
  const above: (readonly [WireName, 'above'])[] = [];
  for (const server of servers) {
    for (let at = wireParent(server); at !== apex && isWithin(at, apex); at = wireParent(at))
      above.push([at, 'above']);
  }
  return above;
}

function wireOf(name: string): WireName {
  const wire = toWireName(name);
  invariant(wire !== undefined, `${name} is no DNS name`);
  return wire;
}
