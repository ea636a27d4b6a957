// What DNS says about one Service in one zone, and why: desired state, kept in the log.

import type { ClusterName, ServiceKey } from './ids.ts';
import type { ShardState } from './health.ts';

/** Beside the three levels: one shard's own name, and a short name that the user asked for. */
export type Level = 'zone' | 'region' | 'global' | 'shard' | 'alias';

export interface RecordSet {
  /** Lower-case FQDN without the trailing dot. */
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'SRV';
  readonly ttlSeconds: number;
  /**
   * Sorted. Addresses, one FQDN without the trailing dot, or SRV data as
   * `priority weight port target`. Empty with `alias` or `items`.
   */
  readonly values: readonly string[];
  /** Of each value, above 0. Absent: all alike, and every answer carries all of them. */
  readonly weights?: readonly number[];
  readonly level: Level;
  /** Route 53: several sets of one name and type, told apart by id; weight 0 to 255. */
  readonly member?: { readonly id: string; readonly weight: number };
  /** Route 53: answered with the addresses of a load balancer or of a name of the same zone. */
  readonly alias?: {
    readonly target: string;
    readonly hostedZoneId: string;
    readonly evaluateTargetHealth: boolean;
  };
  /** Cloud DNS: a weighted round robin of several sets of values. */
  readonly items?: readonly { readonly weight: number; readonly values: readonly string[] }[];
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
  /**
   * Addresses that are answered in place of its load balancer's name, as last looked up (hostname
   * mode Flatten). Absent: the name itself is.
   */
  readonly resolved?: readonly string[];
  /** Clusters in DNS at some level because of this publication. */
  readonly inDns: boolean;
  /** Left out of DNS because its cluster gives it up. */
  readonly isDrained?: true;
  /** In DNS only while no shard that is no backup is healthy. */
  readonly isBackup?: true;
  /** Where its addresses are those of Nodes: at which port of theirs each named port answers. */
  readonly nodePorts?: readonly {
    readonly name: string;
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
    readonly nodePort: number;
  }[];
}

/** What a person should know of the names, and what became of wishes that could not be met. */
export interface PublicationNote {
  /**
   * NameBudget: names of levels without a shard are left out. NameTooLong: DNS cannot carry names.
   * AddressFamilyGap: clients of one address family get no answer at a level. WeightsIgnored: the
   * provider cannot weigh. HostnamesLeftOut: load balancers that are names stand aside for
   * addresses. Flattened: their addresses are looked up. AliasConflict: another Service has the
   * short name. AddressesLeftOut: shards whose addresses the zone may not carry. PrivateBalancer: a
   * load balancer's name leads to private addresses. AliasDenied: the DNSZone takes none. AliasLevelUnknown: a short name's level has no cluster. UnnamedPorts: ports without
   * names have no SRV records.
   */
  readonly reason:
    | 'NameBudget'
    | 'NameTooLong'
    | 'AddressesLeftOut'
    | 'AddressFamilyGap'
    | 'WeightsIgnored'
    | 'HostnamesLeftOut'
    | 'PrivateBalancer'
    | 'Flattened'
    | 'AliasConflict'
    | 'AliasDenied'
    | 'AliasLevelUnknown'
    | 'UnnamedPorts';
  readonly message: string;
  /** How many names or shards; `names` are the first of them, sorted. */
  readonly count: number;
  readonly names: readonly string[];
}

export interface Publication {
  readonly key: ServiceKey;
  readonly serviceUid: string;
  /** Domain under which the names stand, e.g. `example.com`. */
  readonly zone: string;
  /** Name of the DNSZone object. Absent: the same as `zone`, which the first ones were. */
  readonly dnsZone?: string;
  /** Sorted by name, then type. Empty before a shard was ever healthy. */
  readonly recordSets: readonly RecordSet[];
  readonly shards: readonly PublishedShard[];
  /**
   * Of the names of zones and regions without a shard, which the embedded zone makes up. Absent:
   * the global name's.
   */
  readonly fallbackTtlSeconds?: { readonly zone: number; readonly region: number };
  /** A Service that was never healthy has no names yet. */
  readonly everHealthy: boolean;
  /** Published, NeverHealthy, NotALoadBalancer, FailOpen, Withdrawn... */
  readonly reason: string;
  readonly message: string;
  /** Sorted by reason; absent where there is nothing to say. */
  readonly notes?: readonly PublicationNote[];
}
