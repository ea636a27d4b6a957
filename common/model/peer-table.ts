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

export interface PeerService {
  readonly key: ServiceKey;
  /** Sorted by cluster; includes the receiver's own shard. */
  readonly shards: readonly PeerShard[];
}
