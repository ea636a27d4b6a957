// The digest of a report stream: what an agent reports and what the coordinator holds of it are
// equal when these are. Written out field by field, so that "absent", empty and zero are one and
// the trip over the wire changes nothing; fields that the wire does not carry are left out.

import type { ServicePort } from '../model/kube-object.ts';
import type {
  IngressAddress,
  ReportItems,
  ReportKind,
  ShardIngress,
  ShardReadiness,
} from '../model/telemetry.ts';

/** One item of a report as the digest counts it: add it to a SumDigest, subtract it when it goes. */
export function toReportItem<K extends ReportKind>(report: K, item: ReportItems[K]): string {
  return report === 'health'
    ? readinessText(item as ShardReadiness) // K decides the type of the item
    : ingressText(item as ShardIngress);
}

function readinessText(item: ShardReadiness): string {
  return [item.key, item.ready, item.serving, item.terminating, item.total].join('|');
}

function ingressText(item: ShardIngress): string {
  return [
    item.key,
    item.type,
    item.addresses.map(addressText).join(','),
    item.clusterIps.join(','),
    item.ports.map(portText).join(','),
  ].join('|');
}

function addressText({ ip, hostname }: IngressAddress): string {
  return `${ip ?? ''}/${hostname ?? ''}`;
}

function portText({ name, protocol, port, nodePort }: ServicePort): string {
  return `${name ?? ''}/${protocol ?? 'TCP'}/${port}/${nodePort ?? 0}`;
}
