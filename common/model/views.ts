// Read views that one coordinator stage offers to the others. main.ts wires them; a stage never
// imports another stage. Subscriptions are wake-ups: a listener learns what to look at again,
// never what it is now. Listeners are called synchronously and must only mark work as due.

import type { ClusterName, LogKey, Revision, ServiceKey } from './ids.ts';
import type { RemovalOrder, Shard, ShardResult } from './shard.ts';
import type { ClusterVerdict, ShardVerdict } from './health.ts';
import type { Incarnation } from './session.ts';
import type { PeerService, PeerShard } from './peer-table.ts';
import type { Topology } from './topology.ts';

export type Unsubscribe = () => void;

/** From coordinator/placement: what each cluster shall have. */
export interface PlacementView {
  /** Log revision that this view has reached. */
  revision(): Revision;
  shard(cluster: ClusterName, key: ServiceKey): Shard | undefined;
  shardsOf(cluster: ClusterName): Iterable<Shard>;
  /** Clusters that shall have this Service, sorted. Empty when it is gone or placed nowhere. */
  clustersOf(key: ServiceKey): readonly ClusterName[];
  removalsOf(cluster: ClusterName): Iterable<RemovalOrder>;
  subscribe(
    listener: (due: { readonly cluster: ClusterName; readonly key: ServiceKey }) => void,
  ): Unsubscribe;
}

export interface SessionState {
  readonly isConnected: boolean;
  readonly incarnation: Incarnation;
  readonly topology: Topology;
  readonly kubernetesVersion: string;
  readonly agentVersion: string;
  /** Clock.monotonicMs of the last message on the stream: proof of life. */
  readonly lastMessageMonotonicMs: number;
  /** Address that the stream came from; vantage points with one egress are one. */
  readonly remoteAddress: string;
}

/** From coordinator/session: who is connected and what each agent did with its shards. */
export interface SessionView {
  session(cluster: ClusterName): SessionState | undefined;
  result(cluster: ClusterName, key: ServiceKey): ShardResult | undefined;
  /** Held by the agent, neither wanted nor ordered away. */
  unclaimed(cluster: ClusterName): Iterable<ServiceKey>;
  subscribe(
    listener: (due: {
      readonly cluster: ClusterName;
      readonly key: ServiceKey | undefined;
    }) => void,
  ): Unsubscribe;
}

/** From coordinator/health: verdicts with their reasons. */
export interface HealthView {
  cluster(cluster: ClusterName): ClusterVerdict | undefined;
  shard(cluster: ClusterName, key: ServiceKey): ShardVerdict | undefined;
  subscribe(
    listener: (due: {
      readonly cluster: ClusterName;
      readonly key: ServiceKey | undefined;
    }) => void,
  ): Unsubscribe;
}

/** Records a Kubernetes Event about an object of the federation. From coordinator/status. */
export interface EventRecorder {
  record(event: {
    readonly regarding: {
      readonly apiVersion: string;
      readonly kind: string;
      readonly namespace?: string | undefined;
      readonly name: string;
      readonly uid?: string | undefined;
    };
    readonly type: 'Normal' | 'Warning';
    readonly reason: string;
    readonly message: string;
  }): void;
}

/** The lease holder's fence: every status, publication and removal write names it as its guard. */
export interface TermGuard {
  guard(): { readonly key: LogKey; readonly revision: Revision };
}

/** From coordinator/health: what agents' resolvers shall know of each Service's shards. */
export interface PeerSource {
  services(): Iterable<ServiceKey>;
  /** undefined when the Service has no shard any more. */
  peers(key: ServiceKey): PeerService | undefined;
  /** One shard of it; undefined when this cluster has none (any more). */
  peer(cluster: ClusterName, key: ServiceKey): PeerShard | undefined;
  /** Told of each shard that came, changed or went: what is sent is made of nothing else. */
  subscribe(
    listener: (due: { readonly cluster: ClusterName; readonly key: ServiceKey }) => void,
  ): Unsubscribe;
}
