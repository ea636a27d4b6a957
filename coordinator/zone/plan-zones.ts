// Which zones this server answers for, and how: one per domain. Input: the DNSZones of the log,
// and the settings of the process. Output: zones, sorted by domain.
//
//   E1. DNSZones of one domain are one zone: a server gives one answer to a name. Of a Service in
//       several of them, the first DNSZone by name that has records of it speaks (feed.ts).
//   E2. Until a DNSZone says who serves the process's own domain, we do.
//   E3. A zone that shall have a key is never transferred without one.

import type { DnsZone } from '../../common/model/dns-zone.ts';
import { prependLabels, toWireName } from '../../common/pure/dns-wire.ts';
import type { TsigAlgorithm } from '../../common/pure/tsig.ts';

export interface ZoneSettings {
  /** Apex without the trailing dot. */
  readonly domain: string;
  readonly federation: string;
  /** How long "no such name" may be kept. Short: a new Service's name is often asked early. */
  readonly negativeTtlSeconds?: number;
}

/** One zone, structured-clonable: it crosses to the worker. */
export interface EmbeddedZone {
  readonly domain: string;
  /** Names of its DNSZones, sorted: the first has precedence. */
  readonly dnsZones: readonly string[];
  /** Empty: `ns1.<domain>`. */
  readonly nameServers: readonly string[];
  /** Addresses of those name servers that are within the zone. */
  readonly glue: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** host:port of secondaries. */
  readonly notify: readonly string[];
  /** Networks that may transfer the zone. */
  readonly allowTransfer: readonly string[];
  /** Transfers have to be signed with it, and NOTIFYs are. */
  readonly transferKey?: TransferKey;
}

export interface TransferKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  /** Base64. Absent: the Secret is not there, or is no key; until then nobody has it (E3). */
  readonly secret?: string;
}

export function planEmbeddedZones(
  dnsZones: readonly DnsZone[],
  settings: Pick<ZoneSettings, 'domain'>,
  secretOf: (zone: DnsZone) => string | undefined = () => undefined,
): readonly EmbeddedZone[] {
  const byDomain = new Map<string, DnsZone[]>();
  for (const zone of [...dnsZones].sort(byName)) {
    if (zone.spec.provider !== 'Embedded') continue;
    const known = byDomain.get(zone.spec.domain);
    if (known === undefined) byDomain.set(zone.spec.domain, [zone]);
    else known.push(zone);
  }
  const zones = [...byDomain]
    .filter(([domain]) => hasRoom(domain))
    .map(([domain, parts]) => toEmbeddedZone(domain, parts, secretOf));
  const isSaid = dnsZones.some(({ spec }) => spec.domain === settings.domain);
  if (!isSaid)
    zones.push({ ...toEmbeddedZone(settings.domain, [], secretOf), dnsZones: [settings.domain] });
  return zones.sort((a, b) => (a.domain < b.domain ? -1 : 1));
}

function toEmbeddedZone(
  domain: string,
  parts: readonly DnsZone[],
  secretOf: (zone: DnsZone) => string | undefined,
): EmbeddedZone {
  const specs = parts.flatMap(({ spec }) => spec.embedded ?? []);
  const { nameServers = [] } = specs.find((spec) => (spec.nameServers ?? []).length > 0) ?? {};
  return {
    domain,
    dnsZones: parts.map(({ metadata }) => metadata.name),
    nameServers,
    glue: specs.flatMap(({ glue = [] }) => glue),
    notify: unique(specs.flatMap(({ notify = [] }) => notify)),
    allowTransfer: unique(specs.flatMap(({ allowTransfer = [] }) => allowTransfer)),
    ...toTransferKey(parts, secretOf),
  };
}

/** The first DNSZone by name that has one speaks. */
function toTransferKey(
  parts: readonly DnsZone[],
  secretOf: (zone: DnsZone) => string | undefined,
): Pick<EmbeddedZone, 'transferKey'> {
  const part = parts.find(({ spec }) => spec.embedded?.transferKey !== undefined);
  const said = part?.spec.embedded?.transferKey;
  if (part === undefined || said === undefined) return {};
  const { name, algorithm = 'hmac-sha256' } = said;
  const secret = secretOf(part);
  return { transferKey: { name, algorithm, ...(secret === undefined ? {} : { secret }) } };
}

/** For the mailbox of its SOA, and so for any name at all. */
function hasRoom(domain: string): boolean {
  const wire = toWireName(domain);
  return wire !== undefined && prependLabels('hostmaster', wire) !== undefined;
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}

function byName(a: DnsZone, b: DnsZone): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
