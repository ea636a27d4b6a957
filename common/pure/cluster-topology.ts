// A Cluster's topology: what its spec declares wins over what its agent detected. Two clouds may
// have a region of one name: `spec.qualifyRegion` keeps them apart by the provider's label in front.

import type { Cluster } from '../model/isthmus-kinds.ts';
import type { Topology } from '../model/topology.ts';
import { toTopologyLabel } from './level-names.ts';

export function topologyOf(cluster: Cluster): Topology {
  const declared = toTopologyLabel(cluster.spec?.zone);
  const detected = (cluster.status?.zones ?? []).flatMap((zone) => toTopologyLabel(zone) ?? []);
  return {
    zones: declared === undefined ? [...new Set(detected)].sort() : [declared],
    region: regionOf(cluster),
    provider: providerOf(cluster),
  };
}

function providerOf({ spec, status }: Cluster): string | undefined {
  return spec?.provider ?? status?.provider;
}

/** Without a known provider the region stands alone. */
function regionOf(cluster: Cluster): string | undefined {
  const { spec, status } = cluster;
  const region = toTopologyLabel(spec?.region) ?? toTopologyLabel(status?.region);
  if (region === undefined || spec?.qualifyRegion !== true) return region;
  const provider = toTopologyLabel(providerOf(cluster));
  return provider === undefined ? region : toTopologyLabel(`${provider}-${region}`);
}
