// The kinds of isthmus.dev/v1alpha1 as the API stores or shows them. The API's definitions
// (schema, columns, validation) are in coordinator/api/kinds; these are only the shapes.

import type { Condition, KubeObject } from './kube-object.ts';

export const isthmusGroup = 'isthmus.dev';
export const isthmusApiVersion = 'isthmus.dev/v1alpha1';

/** Finalizer that holds a Service until removal orders for its shards are in the log. */
export const shardsFinalizer = 'isthmus.dev/shards';

/** Field manager of every write of ours into a member cluster, and of our status writes. */
export const fieldManager = 'isthmus';

export interface Cluster extends KubeObject {
  readonly kind: 'Cluster';
  readonly spec?: {
    /** Declared topology; wins over what the agent detects from node labels. */
    readonly zone?: string;
    readonly region?: string;
    readonly provider?: string;
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
    readonly joinedAt?: string;
  };
}

export interface JoinToken extends KubeObject {
  readonly kind: 'JoinToken';
  readonly spec?: {
    /** Only this cluster may use the token; it may then also replace a cluster's lost key. */
    readonly cluster?: string;
    /** Lifetime from creation. Default 3600, 60 to 31536000. */
    readonly expirationSeconds?: number;
  };
  readonly status?: {
    /** Present in the answer to the create request only; never stored. */
    readonly token?: string;
    /** Lower-case hex SHA-256 of the secret part. */
    readonly tokenHash?: string;
    readonly expirationTimestamp?: string;
    /** Cluster and key of the first CSR made with it; another key is refused. */
    readonly usedBy?: string;
    readonly publicKeyHash?: string;
    /** Once set, the Cluster was made: should it be removed, this token does not make it again. */
    readonly joinedAt?: string;
  };
}

export interface ServicePolicy extends KubeObject {
  readonly kind: 'ServicePolicy';
  readonly spec?: {
    /** Service of the same namespace that this policy is for. */
    readonly serviceName?: string;
    readonly placement?: {
      /** Exactly these clusters. */
      readonly clusters?: readonly string[];
      readonly clusterSelector?: {
        readonly matchLabels?: Readonly<Record<string, string>>;
        readonly matchExpressions?: readonly {
          readonly key: string;
          readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
          readonly values?: readonly string[];
        }[];
      };
    };
    readonly health?: { readonly minReadyEndpoints?: number };
  };
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

/** Read-only, projected: what one name answers. */
export interface DNSRecordSet extends KubeObject {
  readonly kind: 'DNSRecordSet';
  readonly spec: {
    readonly dnsName: string;
    readonly recordType: 'A' | 'AAAA' | 'CNAME';
    readonly ttlSeconds: number;
    readonly targets: readonly string[];
    readonly service: string;
    readonly level: 'zone' | 'region' | 'global';
    readonly zone: string;
  };
  readonly status: {
    readonly published: boolean;
    readonly reason: string;
    readonly message?: string;
  };
}
