// What agents' resolvers shall know of each Service's shards.
// Input: placement, shard verdicts, topology of clusters. Output: PeerService, sorted by cluster.
// A view without memory: it is computed when asked for.

import type { ShardVerdict } from '../../common/model/health.ts';
import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { PeerService, PeerShard } from '../../common/model/peer-table.ts';
import type { Topology } from '../../common/model/topology.ts';
import type { PeerSource, PlacementView, Unsubscribe } from '../../common/model/views.ts';
import type { AddressRules } from '../../common/pure/address-rules.ts';
import { hostnamesOf, publishableAddresses, tcpPorts } from './plan-targets.ts';

export interface Peers extends PeerSource {
  /** Something about this shard changed. */
  changed(cluster: ClusterName, key: ServiceKey): void;
}

export function createPeers(options: {
  readonly placement: PlacementView;
  readonly clusters: () => Iterable<ClusterName>;
  readonly topology: (cluster: ClusterName) => Topology;
  readonly verdict: (cluster: ClusterName, key: ServiceKey) => ShardVerdict | undefined;
  /** Ports that the Service has at the federation: no others may be probed. */
  readonly wantedPorts: (key: ServiceKey) => ReadonlySet<number>;
  readonly rules: AddressRules;
}): Peers {
  const { placement, rules } = options;
  const listeners = new Set<Parameters<PeerSource['subscribe']>[0]>();

  const toPeer = (
    cluster: ClusterName,
    key: ServiceKey,
    wanted: ReadonlySet<number>,
  ): PeerShard => {
    const verdict = options.verdict(cluster, key);
    const { zones, region } = options.topology(cluster);
    const addresses = publishableAddresses(verdict?.addresses ?? [], rules);
    const hostnames = hostnamesOf(verdict?.addresses ?? []);
    // With private addresses alone it is healthy to clients of its private zone, not to Pods.
    const hasWay = addresses.length > 0 || hostnames.length > 0;
    return {
      cluster,
      zones,
      region,
      addresses,
      hostnames,
      // Node ports are each cluster's own: nobody measures the way to them.
      tcpPorts:
        verdict?.isAtNodePorts === true
          ? []
          : tcpPorts(verdict?.ports ?? []).filter((port) => wanted.has(port)),
      isHealthy:
        verdict?.state === 'healthy' && hasWay && !placement.traffic(cluster, key).isDrained,
    };
  };

  const peers = (key: ServiceKey): PeerService | undefined => {
    const clusters = placement.clustersOf(key);
    if (clusters.length === 0) return undefined;
    const wanted = options.wantedPorts(key);
    return { key, shards: clusters.map((cluster) => toPeer(cluster, key, wanted)) };
  };

  const services = (): Iterable<ServiceKey> => {
    const keys = new Set<ServiceKey>();
    for (const cluster of options.clusters()) {
      for (const { key } of placement.shardsOf(cluster)) keys.add(key);
    }
    return keys;
  };

  return {
    services,
    peers,
    peer: (cluster, key) =>
      placement.shard(cluster, key) === undefined
        ? undefined
        : toPeer(cluster, key, options.wantedPorts(key)),
    subscribe: (listener): Unsubscribe => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    changed: (cluster, key) => {
      for (const listener of listeners) listener({ cluster, key });
    },
  };
}

/** Whether resolvers are told the same after both verdicts: counts and reasons are not for them. */
export function isSameForPeers(a: ShardVerdict | undefined, b: ShardVerdict | undefined): boolean {
  const told = (of: ShardVerdict | undefined): string =>
    JSON.stringify([of?.addresses ?? [], of?.ports ?? [], of?.state === 'healthy']);
  return told(a) === told(b);
}
