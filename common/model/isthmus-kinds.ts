// The kinds of isthmus.dev/v1alpha1 as the API stores or shows them. The API's definitions
// (schema, columns, validation) are in coordinator/api/kinds; these are only the shapes.

import type { AppliedState, HostnameMode, LevelTtls } from './dns-zone.ts';
import type { Condition, Json, KubeObject } from './kube-object.ts';

export const isthmusGroup = 'isthmus.dev';
export const isthmusApiVersion = 'isthmus.dev/v1alpha1';

/** Finalizer that holds a Service until removal orders for its shards are in the log. */
export const shardsFinalizer = 'isthmus.dev/shards';

/** Finalizer that holds a Cluster until its names and its shards are gone. */
export const unjoinFinalizer = 'isthmus.dev/unjoin';

/** Finalizer that holds a DNSZone until our records are gone from its provider. */
export const dnsZoneFinalizer = 'isthmus.dev/dnszone';

/** Field manager of every write of ours into a member cluster, and of our status writes. */
export const fieldManager = 'isthmus';

export interface Cluster extends KubeObject {
  readonly kind: 'Cluster';
  readonly spec?: {
    /** Declared topology; wins over what the agent detects from node labels. */
    readonly zone?: string;
    readonly region?: string;
    readonly provider?: string;
    /** The region's label in DNS names begins with the provider: two clouds have one of its name. */
    readonly qualifyRegion?: boolean;
    /** Cordoned: no new shards; those that are there stay. */
    readonly unschedulable?: boolean;
    readonly taints?: readonly ClusterTaint[];
    /** How long a deleted Cluster waits for an agent that is away. Default 600; 0 waits for nobody. */
    readonly unjoinWaitSeconds?: number;
  };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly zones?: readonly string[];
    readonly region?: string;
    readonly provider?: string;
    readonly kubernetesVersion?: string;
    readonly agentVersion?: string;
    /** Lower-case hex SHA-256 of the public key (SPKI) that joined; a different key is refused. */
    readonly publicKeyHash?: string;
    /** The same key, once it was revoked: also while another one asks, or was denied, since. */
    readonly revokedPublicKeyHash?: string;
    readonly joinedAt?: string;
    readonly approval?: ClusterApproval;
    /** End of the newest certificate given to that key, RFC 3339. */
    readonly certificateExpirationTimestamp?: string;
    /** Of the CAs that its agent trusts: see common/runtime/certificates.ts. */
    readonly trustDigest?: string;
  };
}

/** Whether a key may speak for the Cluster. Written by joins and by the approval endpoint only. */
export interface ClusterApproval {
  readonly decision: 'Pending' | 'Approved' | 'Denied';
  /** Of the key that asks, or that was decided on. */
  readonly publicKeyHash: string;
  /** Why it asks. */
  readonly reason?: 'NewCluster' | 'CertificateExpired' | 'KeyReplaced';
  readonly requestedAt?: string;
  readonly remoteAddress?: string;
  readonly agentVersion?: string;
  /** Name of the JoinToken that it came with. */
  readonly joinToken?: string;
  readonly decidedAt?: string;
  /** An API user, or `jointoken/NAME`. */
  readonly decidedBy?: string;
  /** What the person who decided has to say. */
  readonly message?: string;
}

/** Whether a token lets its cluster in by itself, or only as far as a person's approval. */
export type ApprovalMode = 'Automatic' | 'Manual';

/** As on Nodes: what a policy must tolerate. */
export interface ClusterTaint {
  readonly key: string;
  readonly value?: string;
  /** NoSchedule: no new shards. NoExecute: those that are there leave too. */
  readonly effect: 'NoSchedule' | 'NoExecute';
}

export interface JoinToken extends KubeObject {
  readonly kind: 'JoinToken';
  readonly spec?: {
    /** Only this cluster may use the token; it may then also replace a cluster's lost key. */
    readonly cluster?: string;
    /** Lifetime from creation. Default 3600, 60 to 31536000. */
    readonly expirationSeconds?: number;
    /** Default: the coordinator's setting join-approval. */
    readonly approval?: ApprovalMode;
  };
  readonly status?: {
    /** Present in the answer to the create request only; never stored. */
    readonly token?: string;
    /** Lower-case hex SHA-256 of the secret part. */
    readonly tokenHash?: string;
    readonly expirationTimestamp?: string;
    /** Cluster and key of the first CSR made with it; another key is refused. */
    readonly usedBy?: string;
    readonly usedAt?: string;
    readonly publicKeyHash?: string;
    /** Once set, the Cluster was made: should it be removed, this token does not make it again. */
    readonly joinedAt?: string;
  };
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

/** Both given: both must choose. Neither: every cluster. */
export interface ClusterChoice {
  readonly clusters?: readonly string[];
  readonly clusterSelector?: LabelSelector;
}

export interface Toleration {
  /** Absent, with operator Exists: every taint. */
  readonly key?: string;
  /** Default Equal. */
  readonly operator?: 'Equal' | 'Exists';
  readonly value?: string;
  /** Absent: both effects. */
  readonly effect?: ClusterTaint['effect'];
}

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  readonly path: string;
  readonly from?: string;
  readonly value?: Json;
}

/** What the shards of some clusters say differently: the typed fields first, then the patch. */
export interface ShardOverride extends ClusterChoice {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly loadBalancerClass?: string;
  readonly loadBalancerIP?: string;
  readonly externalTrafficPolicy?: 'Cluster' | 'Local';
  readonly nodePorts?: readonly {
    readonly port: number;
    readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
    readonly nodePort: number;
  }[];
  readonly patch?: readonly JsonPatchOperation[];
}

export interface ShardWeight extends ClusterChoice {
  /** 0 to 100. */
  readonly weight: number;
}

/** A short name of the user's own, which leads to one of the Service's levels. */
export interface DnsAlias {
  /** Within the domain of a DNSZone; lower-case, no trailing dot. */
  readonly name: string;
  /** As in DNS names. Without it: the global name. */
  readonly region?: string;
  /** Of the region. Without it: the region's name. */
  readonly zone?: string;
}

/** What DNS says of one Service, beside what its DNSZones say of all. */
export interface ServiceDns {
  /** DNSZones, by name. Absent: those that publish every Service. */
  readonly zones?: readonly string[];
  readonly ttlSeconds?: number;
  readonly levelTtlSeconds?: LevelTtls;
  readonly allUnhealthy?: 'FailOpen' | 'Remove';
  readonly hostnameMode?: HostnameMode;
  /** The shards that the choice leaves out are backups: only while no primary is healthy. */
  readonly failover?: { readonly primary: ClusterChoice };
  readonly aliases?: readonly DnsAlias[];
}

export interface ServicePolicy extends KubeObject {
  readonly kind: 'ServicePolicy';
  readonly spec?: {
    /** Service of the same namespace that this policy is for. */
    readonly serviceName?: string;
    readonly placement?: ClusterChoice & {
      readonly tolerations?: readonly Toleration[];
    };
    readonly move?: {
      /** Default WhenHealthy. */
      readonly strategy?: 'WhenHealthy' | 'AfterTimeout' | 'AtOnce';
      /** Default 600. */
      readonly timeoutSeconds?: number;
    };
    /** In order; a later one wins. */
    readonly overrides?: readonly ShardOverride[];
    /** The first that chooses a cluster holds for it; others have 100. */
    readonly weights?: readonly ShardWeight[];
    readonly health?: { readonly minReadyEndpoints?: number };
    readonly dns?: ServiceDns;
    /** What becomes of a Service of others that is there already. Default always. */
    readonly adoption?: 'always' | 'ifEqual' | 'never';
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** Read-only, projected: one cluster's part of a Service. Name `<service>.<cluster>`. */
export interface ServiceShard extends KubeObject {
  readonly kind: 'ServiceShard';
  readonly spec: { readonly service: string; readonly cluster: string };
  readonly status: {
    readonly zones: readonly string[];
    readonly region?: string;
    readonly ready: number;
    readonly total: number;
    readonly ingress: readonly string[];
    readonly health: string;
    readonly applied: boolean;
    readonly reason: string;
    readonly message?: string;
    /** RFC 3339, of the verdict's last change. */
    readonly since?: string;
    readonly lastProofOfLife?: string;
    readonly conditions?: readonly Condition[];
  };
}

/** Answered with the addresses of another name of the provider's. */
export interface RecordAlias {
  readonly target: string;
  readonly hostedZoneId: string;
  readonly evaluateTargetHealth: boolean;
}

/** Read-only, projected: what one name answers. */
export interface DNSRecordSet extends KubeObject {
  readonly kind: 'DNSRecordSet';
  readonly spec: {
    readonly dnsName: string;
    readonly recordType: 'A' | 'AAAA' | 'CNAME' | 'SRV';
    readonly ttlSeconds: number;
    /** Of all members. */
    readonly targets: readonly string[];
    /** Of the targets, in their order; absent: all alike. */
    readonly weights?: readonly number[];
    /** Several weighted answers of one name, each with its targets. */
    readonly members?: readonly {
      readonly id?: string;
      readonly weight: number;
      readonly targets: readonly string[];
      readonly alias?: RecordAlias;
    }[];
    readonly alias?: RecordAlias;
    readonly service: string;
    readonly level: 'zone' | 'region' | 'global' | 'shard' | 'alias';
    /** Domain. */
    readonly zone: string;
    /** Name of the DNSZone. */
    readonly dnsZone: string;
  };
  readonly status: {
    /** The name answers so, as far as the provider says. */
    readonly published: boolean;
    readonly state: AppliedState['state'];
    readonly reason: string;
    readonly message?: string;
    /** RFC 3339, of the state's last change; absent where it is at once. */
    readonly since?: string;
  };
}
