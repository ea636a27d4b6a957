// What the commands about DNS read of the federation, in one shape.

import type { Cluster, DNSRecordSet, ServiceShard } from '../../common/model/isthmus-kinds.ts';
import type { DnsZone } from '../../common/model/dns-zone.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Argument } from '../command.ts';
import { isthmus, type Federation } from '../federation.ts';
import { clustersPath } from './clusters.ts';

export const dnsZonesPath = `${isthmus}/dnszones`;
export const zoneArgument: Argument = { name: 'DNSZONE', completes: 'dnszones' };

/** What is known of one Service, its shards and its names. */
export interface DnsFacts {
  readonly namespace: string;
  readonly name: string;
  /** undefined: it is gone, or was never there. */
  readonly service: KubeObject | undefined;
  readonly clusters: readonly Cluster[];
  readonly shards: readonly ServiceShard[];
  readonly records: readonly DNSRecordSet[];
  readonly zones: readonly DnsZone[];
}

/** The API answers the kinds that were asked for. */
const asKind = <T extends KubeObject>(objects: readonly KubeObject[]): readonly T[] =>
  objects as readonly T[];

export async function readDnsFacts(
  to: Federation,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<DnsFacts> {
  const space = encodeURIComponent(namespace);
  const selector = `?fieldSelector=${encodeURIComponent(`spec.service=${name}`)}`;
  const own = `${isthmus}/namespaces/${space}`;
  const [service, clusters, shards, records, zones] = await Promise.all([
    to.get(`/api/v1/namespaces/${space}/services/${encodeURIComponent(name)}`),
    to.list(clustersPath),
    to.list(`${own}/serviceshards${selector}`),
    to.list(`${own}/dnsrecordsets${selector}`),
    to.list(dnsZonesPath),
  ]);
  return {
    namespace,
    name,
    service,
    clusters: asKind(clusters),
    shards: asKind(shards),
    records: asKind(records),
    zones: asKind(zones),
  };
}

/** Of any Service, in any DNSZone. */
export async function readRecordsOf(
  to: Federation,
  dnsName: string,
): Promise<readonly DNSRecordSet[]> {
  const selector = `?fieldSelector=${encodeURIComponent(`spec.dnsName=${dnsName}`)}`;
  return asKind(await to.list(`${isthmus}/dnsrecordsets${selector}`));
}

export async function readZones(to: Federation): Promise<readonly DnsZone[]> {
  return asKind(await to.list(dnsZonesPath));
}

/** Throws MeshError with the names that there are. */
export async function requireZone(to: Federation, name: string): Promise<DnsZone> {
  const zones = await readZones(to);
  const found = zones.find(({ metadata }) => metadata.name === name);
  if (found !== undefined) return found;
  const names = zones.map(({ metadata }) => metadata.name).join(', ');
  const known = names === '' ? 'it has none' : `there are: ${names}`;
  throw new MeshError('fatal', 'NO_DNS_ZONE', `the federation has no DNSZone "${name}"; ${known}`);
}

export function dnsZonePath(name: string): string {
  return `${dnsZonesPath}/${encodeURIComponent(name)}`;
}
