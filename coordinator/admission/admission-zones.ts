// What is warned of before a DNSZone is stored. Input: the zone, and the log. Output: warnings.
// Called by admission.ts.
//
//   Z1. A domain within another one's: names of regions and zones of the outer one are the inner
//       one's to answer (RFC 1034 4.2).
//   Z2. Services that would leave the zone: that is a person's wish, which the fuse does not hold,
//       and a mistyped namespace takes every name away at once. A dry run says so beforehand.

import { toLogKey, toLogPrefix } from '../../common/model/ids.ts';
import type { DnsZone } from '../../common/model/dns-zone.ts';
import {
  isthmusGroup,
  type Cluster,
  type ServicePolicy,
} from '../../common/model/isthmus-kinds.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { dnsZoneOf, readPublication } from '../../common/pure/publication-object.ts';
import type { Desired } from '../desired/store.ts';
import { isPublishedIn } from '../dns/zones/selection.ts';
import { listed } from './admission-preview.ts';

const listedMax = 3;

interface ZoneOptions {
  readonly desired: Desired;
}

/** Z2. What changes of a zone's names by its own selection; a deleted zone says so by itself. */
export function warnOfLeaving(
  { desired }: ZoneOptions,
  old: DnsZone,
  next: DnsZone,
): readonly string[] {
  if (isSameJson(selectionOf(old), selectionOf(next))) return [];
  const { name } = next.metadata;
  const labels = new Map<string, Readonly<Record<string, string>>>();
  const zonesWanted = zonesByService(desired);
  const leaving: string[] = [];
  for (const { object } of desired.list(toLogPrefix(isthmusGroup, 'publications'))) {
    const publication = readPublication(object);
    if (publication === undefined || dnsZoneOf(publication) !== name) continue;
    if (publication.recordSets.length === 0) continue;
    const { namespace = '' } = object.metadata;
    const namespaceLabels = labels.get(namespace) ?? labelsOf(desired, namespace);
    labels.set(namespace, namespaceLabels);
    const zones = zonesWanted.get(publication.key);
    const stays = isPublishedIn({ name, spec: next.spec }, { namespace, namespaceLabels, zones });
    if (!stays) leaving.push(publication.key);
  }
  if (leaving.length === 0) return [];
  const one = leaving.length === 1;
  return [
    `spec: ${one ? 'one Service leaves' : `${leaving.length} Services leave`} DNSZone ${name}, and ` +
      `${one ? 'its' : 'their'} names in ${next.spec.domain} go at once: ` +
      listed(leaving.sort(), listedMax, 'Services'),
  ];
}

function selectionOf({ spec }: DnsZone): unknown {
  const { namespaces, namespaceSelector, services } = spec;
  return { namespaces: namespaces ?? null, selector: namespaceSelector ?? null, services };
}

function labelsOf(desired: Desired, namespace: string): Readonly<Record<string, string>> {
  const at = toLogKey({ group: '', resource: 'namespaces', name: namespace });
  return desired.get(at)?.object.metadata.labels ?? {};
}

/** Of Services whose policy names DNSZones. */
function zonesByService(desired: Desired): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { object } of desired.list(toLogPrefix(isthmusGroup, 'servicepolicies'))) {
    const { metadata, spec } = object as ServicePolicy; // by its prefix
    if (spec?.dns?.zones !== undefined)
      found.set(`${metadata.namespace ?? ''}/${spec.serviceName}`, spec.dns.zones);
  }
  return found;
}

/** Z1. Its domain cannot be changed later, so only a new one is looked at. */
export function warnOfNesting({ desired }: ZoneOptions, next: DnsZone): readonly string[] {
  const others = [...desired.list(toLogPrefix(isthmusGroup, 'dnszones'))]
    .map(({ object }) => object as DnsZone) // by its prefix
    .filter(({ metadata }) => metadata.name !== next.metadata.name);
  const { domain } = next.spec;
  const warnings = others.flatMap(({ metadata, spec }) => {
    const isInner = domain.endsWith(`.${spec.domain}`);
    const [inner, outer] = isInner ? [domain, spec.domain] : [spec.domain, domain];
    const level = levelWithin(inner, outer);
    if (level === undefined) return [];
    const there = clustersAt(desired, level);
    const who =
      there.length === 0 ? 'no cluster is there yet' : listed(there, listedMax, 'clusters');
    const of = isInner ? `of DNSZone ${metadata.name}` : 'of this one';
    return [
      `spec.domain: names of ${describe(level)} (${who}) ${of} lie within ${inner}` +
        `${isInner ? '' : ` of DNSZone ${metadata.name}`}, and whoever serves that answers them: ` +
        'keep domains apart from the names of regions',
    ];
  });
  return warnings.slice(0, listedMax);
}

interface PlaceName {
  readonly region: string;
  readonly zone: string | undefined;
}

/** The level of `outer` whose names all lie within `inner`; undefined: there can be none. */
function levelWithin(inner: string, outer: string): PlaceName | undefined {
  if (!inner.endsWith(`.${outer}`)) return undefined;
  const labels = inner.slice(0, -1 - outer.length).split('.');
  const [first = '', second] = labels;
  if (labels.length > 2) return undefined;
  return second === undefined
    ? { region: first, zone: undefined }
    : { region: second, zone: first };
}

function describe({ region, zone }: PlaceName): string {
  return zone === undefined ? `the region ${region}` : `the zone ${zone} of the region ${region}`;
}

function clustersAt(desired: Desired, { region, zone }: PlaceName): readonly string[] {
  return [...desired.list(toLogPrefix(isthmusGroup, 'clusters'))].flatMap(({ object }) => {
    const at = topologyOf(object as Cluster); // by its prefix
    const isThere = at.region === region && (zone === undefined || at.zones.includes(zone));
    return isThere ? [object.metadata.name] : [];
  });
}
