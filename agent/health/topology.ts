// Where the cluster stands, from its Nodes' labels, or as its admin declares it.

import { isIP } from 'node:net';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Topology } from '../../common/model/topology.ts';
import { toTopologyLabel } from '../../common/pure/level-names.ts';

export interface NodeAddress {
  readonly ip: string;
  /** ExternalIP, not InternalIP. */
  readonly isExternal: boolean;
}

/** Kept of one Node. */
export interface PickedNode {
  readonly name: string;
  readonly zone: string | undefined;
  readonly region: string | undefined;
  readonly provider: string | undefined;
  /** The Node's Pods: never probed by us. */
  readonly podRanges: readonly string[];
  readonly addresses: readonly NodeAddress[];
  /** It may take traffic from outside for a NodePort. */
  readonly isWayIn: boolean;
}

export interface DeclaredTopology {
  readonly zone: string | undefined;
  readonly region: string | undefined;
  readonly provider: string | undefined;
}

interface NodeObject extends KubeObject {
  readonly spec?: {
    readonly providerID?: string;
    readonly podCIDR?: string;
    readonly podCIDRs?: readonly string[];
    readonly taints?: readonly { readonly key?: string }[];
  };
  readonly status?: {
    readonly addresses?: readonly { readonly type?: string; readonly address?: string }[];
    readonly conditions?: readonly { readonly type?: string; readonly status?: string }[];
  };
}

export function pickNode(object: KubeObject): PickedNode {
  const { metadata, spec = {}, status = {} } = object as NodeObject; // watched under their path
  const labels = metadata.labels ?? {};
  const label = (name: string): string | undefined =>
    toTopologyLabel(labels[`topology.kubernetes.io/${name}`]) ??
    toTopologyLabel(labels[`failure-domain.beta.kubernetes.io/${name}`]);
  return {
    name: metadata.name,
    zone: label('zone'),
    region: label('region'),
    provider: /^([a-z][a-z0-9-]*):\/\//.exec(spec.providerID ?? '')?.[1],
    podRanges: spec.podCIDRs ?? (spec.podCIDR === undefined ? [] : [spec.podCIDR]),
    addresses: (status.addresses ?? []).flatMap(({ type, address = '' }) =>
      (type === 'ExternalIP' || type === 'InternalIP') && isIP(address) !== 0
        ? [{ ip: address, isExternal: type === 'ExternalIP' }]
        : [],
    ),
    isWayIn: isWayIn(object as NodeObject),
  };
}

// As a cloud provider's service controller chooses Nodes (k8s.io/cloud-provider).
function isWayIn({ metadata, spec = {}, status = {} }: NodeObject): boolean {
  const isLeaving =
    metadata.deletionTimestamp !== undefined ||
    (spec.taints ?? []).some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler');
  const excluded = 'node.kubernetes.io/exclude-from-external-load-balancers';
  if (isLeaving || metadata.labels?.[excluded] !== undefined) return false;
  return (status.conditions ?? []).some((one) => one.type === 'Ready' && one.status === 'True');
}

/** Whether the same Services are reached in the same way through both. */
export function isSameWayIn(a: PickedNode | undefined, b: PickedNode | undefined): boolean {
  const waysOf = (node: PickedNode | undefined): string =>
    node?.isWayIn === true ? JSON.stringify(node.addresses) : '';
  return waysOf(a) === waysOf(b);
}

/** What is declared wins. Of several regions the one with most Nodes; a tie goes by name. */
export function detectTopology(nodes: Iterable<PickedNode>, declared: DeclaredTopology): Topology {
  const all = [...nodes];
  const zone = toTopologyLabel(declared.zone);
  const zones = all.flatMap((node) => node.zone ?? []);
  return {
    zones: zone === undefined ? [...new Set(zones)].sort() : [zone],
    region:
      toTopologyLabel(declared.region) ?? mostCommon(all.flatMap((node) => node.region ?? [])),
    provider: declared.provider ?? mostCommon(all.flatMap((node) => node.provider ?? [])),
  };
}

function mostCommon(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const ranked = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return ranked[0]?.[0];
}

export function isSameTopology(a: Topology, b: Topology): boolean {
  return a.zones.join() === b.zones.join() && a.region === b.region && a.provider === b.provider;
}
