// The row of a Service: what `kubectl get services` shows.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import type { Column } from '../../machinery/kind.ts';
import { own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { portsOf } from './service-spec.ts';
import { ingressOf } from './service-status-rules.ts';

const none = '<none>';

export const serviceColumns: readonly Column[] = [
  nameColumn,
  column('Type', 'How the Service is exposed.', (service) =>
    ownText(ownRecord(service, 'spec'), 'type'),
  ),
  column('Cluster-IP', 'Virtual address inside the cluster.', (service) =>
    String(ownList(ownRecord(service, 'spec'), 'clusterIPs')[0] ?? none),
  ),
  column('External-IP', 'Addresses that reach the Service from outside.', formatExternalIp),
  column('Port(s)', 'Ports on which the Service is reached.', formatPorts),
  ageColumn,
  column(
    'Selector',
    'Labels of the pods behind the Service.',
    (service) => formatLabels(ownRecord(ownRecord(service, 'spec'), 'selector')),
    { priority: 1 },
  ),
];

function formatExternalIp(service: JsonObject): string {
  const spec = ownRecord(service, 'spec');
  const externalIps = ownList(spec, 'externalIPs').map(String);
  switch (ownText(spec, 'type')) {
    case 'ClusterIP':
    case 'NodePort':
      return externalIps.length > 0 ? externalIps.join(',') : none;
    case 'LoadBalancer': {
      const all = [...addressesOf(service), ...externalIps];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return ownText(spec, 'externalName');
    default:
      return '<unknown>';
  }
}

function addressesOf(service: JsonObject): readonly string[] {
  const addresses = ingressOf(service)
    .map((entry) => ownText(entry, 'ip') || ownText(entry, 'hostname'))
    .filter((address) => address !== '');
  return [...new Set(addresses)].sort();
}

function formatPorts(service: JsonObject): string {
  const ports = portsOf(ownRecord(service, 'spec'));
  if (ports.length === 0) return none;
  return ports
    .map((port) => {
      const nodePort = own(port, 'nodePort');
      const number = String(own(port, 'port') ?? 0);
      const protocol = ownText(port, 'protocol');
      return nodePort === undefined
        ? `${number}/${protocol}`
        : `${number}:${String(nodePort)}/${protocol}`;
    })
    .join(',');
}

/** `k=v,k2=v2`, sorted. */
export function formatLabels(labels: JsonObject): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
  return pairs.length === 0 ? none : pairs.sort().join(',');
}
