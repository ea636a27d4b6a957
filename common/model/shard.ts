// A shard on its way from placement to a member cluster, and the order to remove one.

import type { ClusterName, ContentHash, Revision, ServiceKey } from './ids.ts';
import type { ServicePort } from './kube-object.ts';

/** What one cluster shall have of one Service. Encoded once, sent to many. */
export interface Shard {
  readonly key: ServiceKey;
  /** UTF-8 JSON of a ShardManifest, keys sorted. */
  readonly bytes: Uint8Array;
  /** contentHash(bytes). */
  readonly hash: ContentHash;
}

/** The apply configuration of the shard's Service: only what the user wrote, defaults included. */
export interface ShardManifest {
  readonly apiVersion: 'v1';
  readonly kind: 'Service';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
    readonly ports?: readonly ServicePort[];
    readonly selector?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
}

/** I2: a shard leaves a cluster only by one of these. Durable until acknowledged. */
export interface RemovalOrder {
  readonly cluster: ClusterName;
  readonly key: ServiceKey;
  /** delete: remove the Service. release: keep it, give up our fields and marks. */
  readonly mode: 'delete' | 'release';
  /** Revision of the order's log record: tells a repeated order from a new one. */
  readonly revision: Revision;
}

/** What the agent did with one shard or removal order of a batch. */
export interface ShardResult {
  readonly key: ServiceKey;
  /** Hash of the shard applied; empty for removals. */
  readonly hash: ContentHash | undefined;
  readonly outcome: 'applied' | 'removed' | 'released' | 'refused' | 'failed';
  /** CamelCase, for a condition: Applied, Adopted, LocalGuard, NamespaceForbidden, ApiUnreachable... */
  readonly reason: string;
  readonly message: string;
  /** True when the Service was there before we first applied. */
  readonly adopted?: boolean;
}
