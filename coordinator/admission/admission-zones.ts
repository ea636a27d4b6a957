// What is warned of when a DNSZone is made: a domain within another one's, where names of regions
// and zones of the outer one are the inner one's to answer (RFC 1034 4.2). Input: the zone, and the
// log. Output: warnings. Called by admission.ts.

import { toLogPrefix } from '../../common/model/ids.ts';
import type { DnsZone } from '../../common/model/dns-zone.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import type { Desired } from '../desired/store.ts';
import { listed } from './admission-preview.ts';

const listedMax = 3;

/** Its domain cannot be changed later, so only a new one is looked at. */
export function warnOfNesting(
  { desired }: { readonly desired: Desired },
  next: DnsZone,
): readonly string[] {
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
