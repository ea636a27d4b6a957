// Which DNSZones stand in each other's way. Input: all of them. Output: of each that must not
// write, why. Pure.
//
//   C1. Two of one provider zone and one domain would write the same names with the same marks.
//   C2. Of one provider zone, with a domain within the other's: a region could have the same names
//       as the deeper domain's global level.
//   C3. The older one goes on, so that a new object takes nothing from one that works.
//   C4. Our own server is in nobody's way: it answers from all DNSZones of a domain together, and
//       of domains within each other from the deeper one (coordinator/zone/plan-zones.ts).

import type { DnsZone, DnsZoneSpec } from '../../../common/model/dns-zone.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** `all`: at least those of its place. */
export function findConflict(zone: DnsZone, all: Iterable<DnsZone>): Refusal | undefined {
  const { domain, provider } = zone.spec;
  if (provider === 'Embedded') return undefined; // C4
  const place = placeOf(zone.spec);
  for (const other of all) {
    if (other.metadata.name === zone.metadata.name || !isOlder(other, zone)) continue;
    if (placeOf(other.spec) !== place) continue;
    const { name } = other.metadata;
    if (other.spec.domain === domain) {
      const message =
        `DNSZone ${name} keeps ${domain} in the same zone of the provider already. Nothing is ` +
        `written for this one: delete it, or delete ${name} first.`;
      return { reason: 'Duplicate', message };
    }
    const isNested = isWithin(domain, other.spec.domain) || isWithin(other.spec.domain, domain);
    if (!isNested) continue;
    const message =
      `${domain} and ${other.spec.domain} of DNSZone ${name} lie within each other in the same ` +
      'zone of the provider, where a name of one could be a name of the other. Nothing is ' +
      `written for this one: choose another domain, or delete ${name} first.`;
    return { reason: 'Overlap', message };
  }
  return undefined;
}

/** A zone of the provider that cannot hold names of the domain. */
export function findMismatch(
  { domain }: DnsZoneSpec,
  { apex }: { readonly apex?: string },
): Refusal | undefined {
  if (apex === undefined || domain === apex || isWithin(domain, apex)) return undefined;
  const message =
    `The zone at the provider is ${apex}, and spec.domain ${domain} is not within it. Make a ` +
    `DNSZone with the ID of the zone of ${domain}, and delete this one.`;
  return { reason: 'DomainMismatch', message };
}

/** Where the records of a zone are kept, whatever the way there: only zones of one can conflict. */
export function placeOf(spec: DnsZoneSpec): string {
  switch (spec.provider) {
    case 'Embedded':
      return `embedded/${spec.domain}`;
    case 'Route53':
      return `route53/${spec.route53?.endpoint ?? ''}/${spec.route53?.hostedZoneId ?? ''}`;
    case 'CloudDNS': {
      const { endpoint = '', project = '', managedZone = '' } = spec.cloudDNS ?? {};
      return `cloud-dns/${endpoint}/${project}/${managedZone}`;
    }
    case 'RFC2136': {
      // A server chooses between views of one zone by the key, too.
      const { server = '', zone = spec.domain, tsigKeyName = '' } = spec.rfc2136 ?? {};
      return `rfc2136/${server}/${zone}/${tsigKeyName}`.toLowerCase();
    }
  }
}

function isWithin(domain: string, other: string): boolean {
  return domain.endsWith(`.${other}`);
}

/** C3. */
function isOlder({ metadata: a }: DnsZone, { metadata: b }: DnsZone): boolean {
  const [at, other] = [a.creationTimestamp ?? '', b.creationTimestamp ?? ''];
  return at === other ? a.name < b.name : at < other;
}
