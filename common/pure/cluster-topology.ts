// A Cluster's topology: what its spec declares wins over what its agent detected.

import type { Cluster } from '../model/isthmus-kinds.ts';
import type { Topology } from '../model/topology.ts';
import { toTopologyLabel } from './level-names.ts';

export function topologyOf(cluster: Cluster): Topology {
  const declared = toTopologyLabel(cluster.spec?.zone);
  const detected = (cluster.status?.zones ?? []).flatMap((zone) => toTopologyLabel(zone) ?? []);
  return {
    zones: declared === undefined ? [...new Set(detected)].sort() : [declared],
    region: toTopologyLabel(cluster.spec?.region) ?? toTopologyLabel(cluster.status?.region),
    provider: cluster.spec?.provider ?? cluster.status?.provider,
  };
}
