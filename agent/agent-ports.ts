// The ports that an agent is wired from, and what its parts see of the cluster.

import type { ForeignChange } from '../common/model/foreign.ts';
import type { PeerService } from '../common/model/peer-table.ts';
import type { CoordinatorMessage, Incarnation } from '../common/model/session.ts';
import type { ShardResult } from '../common/model/shard.ts';
import type { TelemetryBus } from '../common/runtime/telemetry-bus.ts';
import type { Assignment } from './shard/assignment.ts';
import type { ClusterName, Revision, ServiceKey } from '../common/model/ids.ts';
import type { Service } from '../common/model/kube-object.ts';
import type { Topology } from '../common/model/topology.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Informer } from '../common/runtime/informer.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import type { Log } from '../common/runtime/log.ts';
import type { Metrics } from '../common/runtime/metrics.ts';
import type { Prober } from '../common/runtime/prober.ts';
import type { ApiFreshness } from './health/api-freshness.ts';
import type { PickedSlice } from './health/pick-slice.ts';
import type { DeclaredTopology, PickedNode } from './health/topology.ts';
import type { HostLookup } from './resolver/host-lookup.ts';
import type { AnswerDns } from './session/dns-questions.ts';
import type { LocalGuard } from './shard/plan-guard.ts';

export type Welcome = Extract<CoordinatorMessage, { kind: 'welcome' }>;

/** Services of which something changed, whole, and those that are gone. */
export interface PeerUpdate {
  readonly upserts: readonly PeerService[];
  readonly removals: readonly ServiceKey[];
}

export interface AgentSession {
  /** Of this run, else of the last one, from disk; undefined before the first ever. */
  welcome(): Welcome | undefined;
  onWelcome(listener: (welcome: Welcome) => void): () => void;
  /** Peer table of the last run, from disk. */
  peers(): readonly PeerService[];
  onPeers(listener: (update: PeerUpdate) => void): () => void;
  isOpen(): boolean;
  incarnation(): Incarnation;
  viewRevision(): Revision;
  readonly assignment: Assignment;
  /** Outcome of one shard or order; the session sends it, now or when it is open again. */
  report(result: ShardResult): void;
  /** Topology or version is no longer what Hello said. */
  announceTopology(): void;
  /** Services here that are nobody's shards; nothing while it is not open. */
  tellForeign(change: ForeignChange): void;
  /** Who answers the coordinator's questions about names; without it they are answered empty. */
  readonly onDnsQuestion?: (answer: AnswerDns) => () => void;
  start(): void;
  stop(): Promise<void>;
}

export interface BusConnector {
  /** Another value means that the bus must be opened anew: other servers. undefined: not yet. */
  identity(urls: readonly string[]): string | undefined;
  /** Called when `identity` may have changed. */
  onChange(listener: () => void): () => void;
  /** Returns at once and connects behind it, again and again. Throws when it cannot begin. */
  connect(urls: readonly string[]): TelemetryBus;
}

/** Whether this replica may act for the agent: have the session, change the cluster, report. */
export interface Leadership {
  isLeading(): boolean;
  /** Told of each change; the next one waits for what is returned. */
  subscribe(listener: (isLeading: boolean) => void | Promise<void>): () => void;
}

export interface AgentPorts {
  readonly kube: KubeClient;
  readonly session: AgentSession;
  readonly busConnector: BusConnector;
  readonly prober: Prober;
  readonly hostLookup: HostLookup;
  /** Absent: this process is the whole agent. */
  readonly leadership?: Leadership;
  /** Topology of the last run: the cluster's API may be away when the agent starts. */
  readonly recordedTopology: { read(): Topology | undefined; write(topology: Topology): void };
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface AgentSettings {
  readonly cluster: ClusterName;
  readonly declared: DeclaredTopology;
  readonly guard: LocalGuard;
  readonly allowLoopback: boolean;
  /** Ranges of this cluster that its Nodes do not tell, such as that of its Services. */
  readonly neverProbe?: readonly string[];
  /** CIDRs of addresses that are reported before others, best first. Default: public ones. */
  readonly addressPreference?: readonly string[];
  /** How often a quiet API server is asked whether it lives; default: rarely, see api-freshness. */
  readonly apiCheckMs?: number;
  /** Where we may read: absent, the whole cluster. */
  readonly readNamespaces?: readonly string[];
  /** False: Nodes are none of our business; zone and region are declared. Default true. */
  readonly readNodes?: boolean;
}

/** What every part of the agent sees of the cluster: one watch each, shared. */
export interface ClusterCaches {
  readonly services: Informer<Service>;
  readonly slices: Informer<PickedSlice>;
  readonly nodes: Informer<PickedNode>;
  readonly freshness: ApiFreshness;
}
