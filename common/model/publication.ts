// What DNS says about one Service in one zone, and why: desired state, kept in the log.

import type { ClusterName, ServiceKey } from './ids.ts';
import type { ShardState } from './health.ts';

export type Level = 'zone' | 'region' | 'global';

export interface RecordSet {
  /** Lower-case FQDN without the trailing dot. */
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME';
  readonly ttlSeconds: number;
  /** Sorted. Addresses, or one FQDN without the trailing dot. */
  readonly values: readonly string[];
  /** Of each value, above 0. Absent: all alike, and every answer carries all of them. */
  readonly weights?: readonly number[];
  readonly level: Level;
}

export interface PublishedShard {
  readonly cluster: ClusterName;
  readonly zones: readonly string[];
  readonly region: string | undefined;
  readonly state: ShardState;
  readonly reason: string;
  readonly sinceMs: number;
  /** Addresses that DNS may carry, already filtered by the address rules; sorted. */
  readonly addresses: readonly string[];
  readonly hostnames: readonly string[];
  /** Clusters in DNS at some level because of this publication. */
  readonly inDns: boolean;
  /** Left out of DNS because its cluster gives it up. */
  readonly isDrained?: true;
}

export interface Publication {
  readonly key: ServiceKey;
  readonly serviceUid: string;
  /** Apex of the DNS zone, e.g. `example.com`. */
  readonly zone: string;
  /** Sorted by name, then type. Empty before a shard was ever healthy. */
  readonly recordSets: readonly RecordSet[];
  readonly shards: readonly PublishedShard[];
  /** A Service that was never healthy has no names yet. */
  readonly everHealthy: boolean;
  /** Published, NeverHealthy, NotALoadBalancer, FailOpen, Withdrawn... */
  readonly reason: string;
  readonly message: string;
}
