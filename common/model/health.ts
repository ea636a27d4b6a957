// The coordinator's judgement of clusters and shards, with its evidence (DESIGN: health).

import type { ClusterName, ServiceKey } from './ids.ts';
import type { IngressAddress } from './telemetry.ts';
import type { ServicePort } from './kube-object.ts';

/**
 * live: proof of life is recent and the API is fresh.
 * apiStale: the agent lives, its API server does not answer.
 * silent: no proof of life; not proved dead.
 * dead: silence (or a stale API) and failed probes from enough vantage points.
 * pending: joined, never heard of yet.
 */
export type ClusterLife = 'live' | 'apiStale' | 'silent' | 'dead' | 'pending';

export interface ClusterVerdict {
  readonly cluster: ClusterName;
  readonly life: ClusterLife;
  readonly telemetry: 'fresh' | 'stale';
  /** CamelCase reason for a condition, and a sentence. */
  readonly reason: string;
  readonly message: string;
  /** Epoch milliseconds of the last change of `life`. */
  readonly sinceMs: number;
  readonly lastProofOfLifeMs: number | undefined;
}

/**
 * healthy: in DNS.
 * notReady: too few ready endpoints. noAddress: no outside address yet.
 * heldDown: ready again, waiting out the damping time. dead: its cluster is proved dead.
 * pending: nothing known yet.
 */
export type ShardState = 'healthy' | 'notReady' | 'noAddress' | 'heldDown' | 'dead' | 'pending';

export interface ShardVerdict {
  readonly key: ServiceKey;
  readonly cluster: ClusterName;
  readonly state: ShardState;
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
  readonly ready: number;
  readonly total: number;
  /** Last known; kept through silence. */
  readonly addresses: readonly IngressAddress[];
  readonly clusterIps: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Its addresses are those of Nodes: they answer at its node ports. */
  readonly isAtNodePorts?: boolean;
}
