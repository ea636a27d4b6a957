// A DNSZone: where the federation's public names are kept, and how. Cluster-scoped, written by
// people; the coordinator makes one for its own `--domain`, answered by the embedded zone.

import type { Condition, KubeObject } from './kube-object.ts';

export type DnsProviderName = 'Embedded' | 'Route53' | 'CloudDNS' | 'RFC2136';

/** How load balancers that are hostnames are published where no alias or weight can be. */
export type HostnameMode = 'Prefer' | 'Flatten' | 'PerShard';

/** Seconds that resolvers may keep answers, where a level's shall not be as the others'. */
export interface LevelTtls {
  readonly zone?: number;
  readonly region?: number;
  readonly global?: number;
}

export interface DnsZoneSpec {
  /** Names stand below it; lower-case, no trailing dot. It may be deeper than the zone's apex. */
  readonly domain: string;
  /** Cannot be changed: make another DNSZone of the same domain, then delete this one. */
  readonly provider: DnsProviderName;
  /** Private zones may carry private addresses. Default: Public. */
  readonly visibility?: 'Public' | 'Private';
  /** Default: every namespace. Both given: both hold. */
  readonly namespaces?: readonly string[];
  readonly namespaceSelector?: {
    readonly matchLabels?: Readonly<Record<string, string>>;
    readonly matchExpressions?: readonly {
      readonly key: string;
      readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
      readonly values?: readonly string[];
    }[];
  };
  /** ByPolicy: only Services whose ServicePolicy names this zone (spec.dns.zones). Default: All. */
  readonly services?: 'All' | 'ByPolicy';
  /** Default: the coordinator's. A ServicePolicy's counts more. */
  readonly ttlSeconds?: number;
  readonly levelTtlSeconds?: LevelTtls;
  readonly hostnameMode?: HostnameMode;
  /** Whether ServicePolicies may have short names of their own here. Default: Allow. */
  readonly aliases?: 'Allow' | 'Deny';
  /** What the global name says when no shard is healthy. Default: FailOpen. */
  readonly allUnhealthy?: 'FailOpen' | 'Remove';
  /** Most names that we keep here. Default: from the provider's quota. */
  readonly nameBudget?: number;
  /** Larger changes at once are held until confirmed. Defaults: 20 record sets, 30 %. */
  readonly massChange?: { readonly recordSets?: number; readonly percent?: number };
  /** True: nothing is written here until it is false again. */
  readonly frozen?: boolean;
  /**
   * What a deleted DNSZone leaves at the provider. Delete: nothing of ours. Orphan: every record
   * stays as it is and only our marks and the fence go, so that somebody else may own them.
   * Default: Delete.
   */
  readonly deletionPolicy?: 'Delete' | 'Orphan';
  /** Hash of a held plan that may go ahead. */
  readonly confirmedPlan?: string;
  /** Owner id of a former writer whose marks we take over (Isthmus or external-dns). */
  readonly takeOverFrom?: readonly string[];
  /** Credentials, where the SDK's usual chain shall not be used. */
  readonly secretRef?: { readonly namespace: string; readonly name: string };
  readonly route53?: {
    readonly hostedZoneId: string;
    readonly roleArn?: string;
    readonly externalId?: string;
    readonly endpoint?: string;
  };
  readonly cloudDNS?: {
    readonly project: string;
    readonly managedZone: string;
    readonly endpoint?: string;
  };
  readonly rfc2136?: {
    /** host:port of the primary. Updates and reads go there, over TCP. */
    readonly server: string;
    /** Apex of the zone at the server. Default: the domain. */
    readonly zone?: string;
    readonly tsigKeyName: string;
    readonly tsigAlgorithm?: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';
  };
  readonly embedded?: {
    /** Names of the NS records. */
    readonly nameServers?: readonly string[];
    /** Addresses of those name servers that are within the domain: nobody else can say them. */
    readonly glue?: readonly { readonly name: string; readonly addresses: readonly string[] }[];
    /** host:port of secondaries that are told of changes (NOTIFY, RFC 1996). */
    readonly notify?: readonly string[];
    /** Networks that may transfer the zone (AXFR, RFC 5936). Default: none. */
    readonly allowTransfer?: readonly string[];
    /**
     * Only transfers that are signed with it are given, and NOTIFYs are signed (TSIG, RFC 8945). Its
     * secret is `tsig-secret` of secretRef. Without allowTransfer it is enough, from anywhere.
     */
    readonly transferKey?: {
      readonly name: string;
      readonly algorithm?: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';
    };
  };
}

export interface DnsZone extends KubeObject {
  readonly kind: 'DNSZone';
  readonly spec: DnsZoneSpec;
  readonly status?: {
    /** Ready, Authorized, Delegated, Frozen, PlanHeld, NameBudget, SingleServer, Fenced. */
    readonly conditions?: readonly Condition[];
    readonly nameServers?: readonly string[];
    /** Record sets that we own here, and those that wait to be written. */
    readonly recordSets?: number;
    readonly pending?: number;
    /** Of the plan that is held, to confirm. */
    readonly heldPlan?: string;
  };
}

/** What became of one Service's names in one zone; from coordinator/dns/apply. */
export interface AppliedState {
  /**
   * live: served everywhere. submitted: written, not yet everywhere. pending: waits its turn.
   * held: frozen or by the fuse. foreign: somebody else's records stand in the way.
   * rejected: the provider will not have it. failing: the provider cannot be written.
   */
  readonly state: 'live' | 'submitted' | 'pending' | 'held' | 'foreign' | 'rejected' | 'failing';
  readonly reason: string;
  readonly message: string;
  /** Epoch milliseconds of the last change of `state`. */
  readonly sinceMs: number;
  /** Names in the way, or that the provider will not have. */
  readonly names?: readonly string[];
}
