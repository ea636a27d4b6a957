// The digest of a report stream: what an agent reports and what the coordinator holds of it are
// equal when these are. Items are brought to one form first, so that an absent field, an empty one
// and a default are the same, and the trip over the wire (which knows no absence, and carries no
// target ports) changes nothing.

import type { ServicePort } from '../model/kube-object.ts';
import type { ReportItems, ReportKind, ShardIngress, ShardReadiness } from '../model/telemetry.ts';
import { toCanonicalJson } from './canonical-json.ts';

/** One item of a report as the digest counts it: added to a SumDigest, subtracted when it goes. */
export function toReportItem<K extends ReportKind>(report: K, item: ReportItems[K]): string {
  const plain =
    report === 'health'
      ? (item as ShardReadiness) // K decides the type of the item
      : normalizeIngress(item as ShardIngress);
  return `${item.key}=${toCanonicalJson(plain)}`;
}

function normalizeIngress(item: ShardIngress): ShardIngress {
  return {
    key: item.key,
    type: item.type,
    addresses: item.addresses.map(({ ip, hostname }) => ({
      ...(ip === undefined || ip === '' ? {} : { ip }),
      ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    })),
    clusterIps: item.clusterIps,
    ports: item.ports.map(toReportPort),
  };
}

/** A port with the fields that a report carries, defaults written out. */
export function toReportPort({ name, protocol, port, nodePort }: ServicePort): ServicePort {
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    protocol: protocol ?? 'TCP',
    port,
    ...(nodePort === undefined || nodePort === 0 ? {} : { nodePort }),
  };
}
