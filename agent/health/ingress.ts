// Where clients out of the cluster reach a shard: addresses from its Service and the cluster's
// Nodes, as its admin prefers them.
//   input    the Service, the Nodes, the Nodes with endpoints, the preferred ranges
//   output   one ShardIngress
//
//   A1. A load balancer's addresses and host names, external IPs of any Service, and for type
//       NodePort the addresses of Nodes: ExternalIP before InternalIP (kube-proxy, cloud providers).
//   A2. Per family only the best kind is told: the first preferred range that has any, then public
//       addresses, then others. A cloud behind floating IPs states both of one load balancer.
//   A3. Nodes that are not ready, leave, or are excluded from load balancers are no way in; with
//       externalTrafficPolicy Local neither are those without an endpoint.
//   A4. At most `nodesMax` Nodes, the first by name: names lead to all Pods through each of them.

import ipaddr from 'ipaddr.js';
import type { ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { IngressAddress, ShardIngress } from '../../common/model/telemetry.ts';
import { addressFamily, isPublishable } from '../../common/pure/address-rules.ts';
import { toReportPort } from '../../common/pure/report-digest.ts';
import type { NodeAddress, PickedNode } from './topology.ts';

const nodesMax = 8;

export interface IngressSurroundings {
  readonly nodes: Iterable<PickedNode>;
  /** Nodes with an endpoint of the Service; asked for with externalTrafficPolicy Local only. */
  readonly nodesInUse: () => ReadonlySet<string>;
  /** CIDRs, the most preferred first. */
  readonly preferred: readonly string[];
}

const nowhere: IngressSurroundings = { nodes: [], nodesInUse: () => new Set(), preferred: [] };

export function toIngress(
  key: ServiceKey,
  service: Service,
  around: IngressSurroundings = nowhere,
): ShardIngress {
  const { spec } = service;
  const clusterIps = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return {
    key,
    type: spec.type ?? 'ClusterIP',
    addresses: [...hostnamesOf(service), ...literalsOf(service, around)].sort(compareAddresses),
    clusterIps: clusterIps.filter((address) => address !== '' && address !== 'None'),
    ports: (spec.ports ?? []).map(toReportPort),
  };
}

function hostnamesOf({ status }: Service): readonly IngressAddress[] {
  const names = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) =>
    isGiven(ip) || !isGiven(hostname) ? [] : hostname,
  );
  return [...new Set(names)].map((hostname) => ({ hostname }));
}

function literalsOf(service: Service, around: IngressSurroundings): readonly IngressAddress[] {
  const { spec, status } = service;
  const balanced = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) =>
    isGiven(ip) ? ip : [],
  );
  const own = [...balanced, ...(spec.externalIPs ?? [])];
  const ips = own.length > 0 || spec.type !== 'NodePort' ? own : nodeAddresses(service, around);
  return preferOf([...new Set(ips)], around.preferred).map((ip) => ({ ip }));
}

/** A3, A4. */
function nodeAddresses(service: Service, around: IngressSurroundings): readonly string[] {
  const usable = [...around.nodes].filter(({ isWayIn }) => isWayIn);
  const inUse = service.spec.externalTrafficPolicy === 'Local' ? around.nodesInUse() : undefined;
  return usable
    .filter(({ name }) => inUse === undefined || inUse.has(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, nodesMax)
    .flatMap(({ addresses }) => addressesOfNode(addresses, around.preferred));
}

/** Of each family the best address of one Node: preferred ranges, then ExternalIP. */
function addressesOfNode(
  addresses: readonly NodeAddress[],
  preferred: readonly string[],
): readonly string[] {
  const rank = ({ ip, isExternal }: NodeAddress): number =>
    2 * rangeOf(ip, preferred) + (isExternal ? 0 : 1);
  const best = new Map<number, NodeAddress>();
  for (const address of addresses) {
    const family = addressFamily(address.ip);
    const known = best.get(family);
    if (known === undefined || rank(address) < rank(known)) best.set(family, address);
  }
  return [...best.values()].map(({ ip }) => ip);
}

/** A2. Text that is no address stays: the coordinator says what it thinks of it. */
function preferOf(ips: readonly string[], preferred: readonly string[]): readonly string[] {
  const ranks = new Map<string, number>();
  const best = new Map<number, number>();
  for (const ip of ips) {
    const isPublic = isPublishable(ip, { allowLoopback: false });
    const rank = 2 * rangeOf(ip, preferred) + (isPublic ? 0 : 1);
    ranks.set(ip, rank);
    const family = addressFamily(ip);
    best.set(family, Math.min(rank, best.get(family) ?? Infinity));
  }
  return ips.filter((ip) => ranks.get(ip) === best.get(addressFamily(ip)));
}

/** Index of the first range that holds it; their number when none does. */
function rangeOf(ip: string, ranges: readonly string[]): number {
  if (ranges.length === 0 || !ipaddr.isValid(ip)) return ranges.length;
  const address = ipaddr.process(ip);
  const index = ranges.findIndex((range) => {
    const [network, bits] = ipaddr.parseCIDR(range); // checked when the settings were read
    return network.kind() === address.kind() && address.match(network, bits);
  });
  return index === -1 ? ranges.length : index;
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function compareAddresses(a: IngressAddress, b: IngressAddress): number {
  const [left, right] = [a, b].map(({ ip, hostname }) => `${ip ?? ''}/${hostname ?? ''}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
