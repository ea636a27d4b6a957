// What the coordinator tells an agent's resolver about the other shards of a Service.

import type { ClusterName, ServiceKey } from './ids.ts';

export interface PeerShard {
  readonly cluster: ClusterName;
  readonly zones: readonly string[];
  readonly region: string | undefined;
  /** Outside addresses, literal IPv4 or IPv6, sorted. */
  readonly addresses: readonly string[];
  /** Load balancers that are names. */
  readonly hostnames: readonly string[];
  /** Ports that can be probed. */
  readonly tcpPorts: readonly number[];
  readonly isHealthy: boolean;
}

/** All shards of a Service, as they are known. */
export interface PeerService {
  readonly key: ServiceKey;
  /** Sorted by cluster; includes the receiver's own shard. */
  readonly shards: readonly PeerShard[];
}

/** What is told of a Service at once. Folded by common/pure/peer-fold.ts. */
export interface PeerChange {
  readonly key: ServiceKey;
  /** Sorted by cluster: all of them, or of a delta those that are new or changed. */
  readonly shards: readonly PeerShard[];
  /** Of a delta: clusters whose shards are gone, sorted. */
  readonly removedClusters: readonly ClusterName[];
  /** True: shards that are not named here stay as they were told before. */
  readonly isDelta: boolean;
}
