// Where the cluster stands, from its Nodes' labels, or as its admin declares it.

import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Topology } from '../../common/model/topology.ts';
import { toTopologyLabel } from '../../common/pure/level-names.ts';

/** Kept of one Node. */
export interface PickedNode {
  readonly zone: string | undefined;
  readonly region: string | undefined;
  readonly provider: string | undefined;
  /** The Node's Pods: never probed by us. */
  readonly podRanges: readonly string[];
}

export interface DeclaredTopology {
  readonly zone: string | undefined;
  readonly region: string | undefined;
  readonly provider: string | undefined;
}

export function pickNode(object: KubeObject): PickedNode {
  const labels = object.metadata.labels ?? {};
  const spec = (object.spec ?? {}) as {
    readonly providerID?: string;
    readonly podCIDR?: string;
    readonly podCIDRs?: readonly string[];
  }; // watched under the path of Nodes
  return {
    zone: toTopologyLabel(
      labels['topology.kubernetes.io/zone'] ?? labels['failure-domain.beta.kubernetes.io/zone'],
    ),
    region: toTopologyLabel(
      labels['topology.kubernetes.io/region'] ?? labels['failure-domain.beta.kubernetes.io/region'],
    ),
    provider: /^([a-z][a-z0-9-]*):\/\//.exec(spec.providerID ?? '')?.[1],
    podRanges: spec.podCIDRs ?? (spec.podCIDR === undefined ? [] : [spec.podCIDR]),
  };
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
