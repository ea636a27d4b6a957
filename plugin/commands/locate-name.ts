// Which name of which Service a DNS name is, or which of its parts is wrong. Input: the name, and what
// the federation has. Output: its place, or why it has none. Pure.
//
//   SERVICE.NAMESPACE.FEDERATION.svc[.ZONE][.REGION].DOMAIN     and a Pod's SERVICE.NAMESPACE.FEDERATION

import type { DnsZone } from '../../common/model/dns-zone.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';

export type NameForm =
  | {
      readonly kind: 'level';
      readonly service: string;
      readonly namespace: string;
      readonly federation: string;
      readonly domain: string;
      readonly region: string | undefined;
      readonly zone: string | undefined;
    }
  /** What Pods ask. */
  | {
      readonly kind: 'short';
      /** Those of DNSZones, none of which it is below. */
      readonly domains: string;
      readonly service: string;
      readonly namespace: string;
      readonly federation: string;
    }
  | { readonly kind: 'wrong'; readonly why: string };

const labelsOfService = 4; // SERVICE.NAMESPACE.FEDERATION.svc

export function toDnsName(text: string): string {
  return text.trim().toLowerCase().replace(/\.$/, '');
}

export function parseName(name: string, zones: readonly DnsZone[]): NameForm {
  const wrong = (why: string): NameForm => ({ kind: 'wrong', why });
  const labels = name.split('.');
  if (labels.some((label) => label === '' || label.length > 63) || name.length > 253) {
    return wrong(`"${name}" is no name of DNS: labels have 1 to 63 characters, names 253 at most`);
  }
  const domain = zones
    .map(({ spec }) => spec.domain)
    .filter((each) => name.endsWith(`.${each}`))
    .sort((a, b) => b.length - a.length)[0];
  const [service = '', namespace = '', federation = '', svc] = labels;
  if (domain === undefined) {
    const domains = [...new Set(zones.map(({ spec }) => spec.domain))].sort().join(', ');
    if (labels.length === 3) return { kind: 'short', domains, service, namespace, federation };
    return wrong(`"${name}" is ${belowNone(domains)}`);
  }
  const own = labels.slice(0, labels.length - domain.split('.').length);
  if (svc !== 'svc' || own.length < labelsOfService || own.length > labelsOfService + 2) {
    return wrong(
      `"${own.join('.')}" in front of ${domain} is neither a short name of a ServicePolicy ` +
        '(spec.dns.aliases) nor of the form SERVICE.NAMESPACE.FEDERATION.svc[.ZONE][.REGION]',
    );
  }
  const place = own.slice(labelsOfService);
  const region = place.at(-1);
  const zone = place.length === 2 ? place[0] : undefined;
  return { kind: 'level', service, namespace, federation, domain, region, zone };
}

function belowNone(domains: string): string {
  const known = domains === '' ? 'there is no DNSZone' : `DNSZones have: ${domains}`;
  return `below no domain of this federation; ${known}`;
}

export interface NameWorld {
  readonly federation: string | undefined;
  readonly hasNamespace: boolean;
  readonly hasService: boolean;
  /** Namespaces that have a Service of this name. */
  readonly elsewhere: readonly string[];
  readonly clusters: readonly Cluster[];
}

/** The part that matches nothing; undefined: each part does. */
export function findWrongPart(
  form: Exclude<NameForm, { readonly kind: 'wrong' }>,
  world: NameWorld,
): string | undefined {
  const { service, namespace, federation } = form;
  const say = (why: string): string =>
    form.kind === 'short' ? `it is ${belowNone(form.domains)}; and as what Pods ask: ${why}` : why;
  if (world.federation !== undefined && federation !== world.federation) {
    return say(`the federation is "${world.federation}", not "${federation}"`);
  }
  if (!world.hasService) {
    const places = world.elsewhere.join(', ');
    const hint = places === '' ? '' : `; there is one in: ${places}`;
    const space = world.hasNamespace ? '' : ', which does not exist';
    return say(`there is no Service "${service}" in namespace "${namespace}"${space}${hint}`);
  }
  if (form.kind === 'short') return undefined;
  return findWrongPlace(form, world.clusters);
}

function findWrongPlace(
  { region, zone }: { readonly region: string | undefined; readonly zone: string | undefined },
  clusters: readonly Cluster[],
): string | undefined {
  if (region === undefined) return undefined;
  const places = clusters.map(topologyOf);
  const regions = sorted(places.flatMap((place) => place.region ?? []));
  if (!regions.includes(region)) {
    return `no cluster is in a region "${region}"; there are: ${regions.join(', ') || 'none'}`;
  }
  const inRegion = places.filter((place) => place.region === region);
  const zones = sorted(inRegion.flatMap((place) => place.zones));
  if (zone === undefined || zones.includes(zone)) return undefined;
  return `no cluster of region ${region} is in a zone "${zone}"; there are: ${zones.join(', ') || 'none'}`;
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}
