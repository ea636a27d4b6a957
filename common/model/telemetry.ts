// What agents report over NATS, and probes. proto/telemetry.proto is the wire form.

import type { ClusterName, Revision, ServiceKey } from './ids.ts';
import type { Incarnation } from './session.ts';
import type { ServicePort } from './kube-object.ts';

/** Observed readiness of one shard, from its EndpointSlices. */
export interface ShardReadiness {
  readonly key: ServiceKey;
  /** Distinct endpoints that are ready; serving; terminating; all. */
  readonly ready: number;
  readonly serving: number;
  readonly terminating: number;
  readonly total: number;
  /** Ports whose ready endpoints are fewer, sorted by name; absent when there are none. */
  readonly ports?: readonly PortReadiness[];
}

/** Endpoints can differ by port: a Pod need not have a port that is named. */
export interface PortReadiness {
  /** Of the Service's port; empty for the only one. */
  readonly name: string;
  readonly ready: number;
}

export interface IngressAddress {
  readonly ip?: string;
  readonly hostname?: string;
}

/** Observed addresses of one shard, from its Service. */
export interface ShardIngress {
  readonly key: ServiceKey;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly addresses: readonly IngressAddress[];
  readonly clusterIps: readonly string[];
  readonly ports: readonly ServicePort[];
}

export interface Heartbeat {
  readonly kind: 'heartbeat';
  readonly cluster: ClusterName;
  readonly incarnation: Incarnation;
  /** Rises by one with each heartbeat of an incarnation. */
  readonly sequence: number;
  readonly viewRevision: Revision;
  /** reportDigest of each report stream; a difference asks for the full state. */
  readonly healthDigest: string;
  readonly ingressDigest: string;
  /** Last sequence of each report stream. */
  readonly healthSequence: number;
  readonly ingressSequence: number;
  /** False when the agent's active check of its own API server fails. */
  readonly apiFresh: boolean;
  /** Age of the last good answer of the API server. */
  readonly apiAgeMs: number;
}

export type ReportKind = 'health' | 'ingress';

export interface ReportItems {
  readonly health: ShardReadiness;
  readonly ingress: ShardIngress;
}

/** Changes since `previousSequence`; a gap asks for the full state. */
export interface ReportDelta<K extends ReportKind> {
  readonly kind: 'delta';
  readonly report: K;
  readonly cluster: ClusterName;
  readonly incarnation: Incarnation;
  readonly sequence: number;
  readonly previousSequence: number;
  readonly changed: readonly ReportItems[K][];
  readonly removed: readonly ServiceKey[];
}

/** One page of the complete state at `sequence`. */
export interface ReportFull<K extends ReportKind> {
  readonly kind: 'full';
  readonly report: K;
  readonly cluster: ClusterName;
  readonly incarnation: Incarnation;
  readonly sequence: number;
  /** 1-based page of `parts`. */
  readonly part: number;
  readonly parts: number;
  readonly items: readonly ReportItems[K][];
}

/** Something rare that a person should read: becomes an Event at the federation. */
export interface AgentEvent {
  readonly kind: 'event';
  readonly cluster: ClusterName;
  readonly incarnation: Incarnation;
  readonly key: ServiceKey | undefined;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type TelemetryMessage =
  | Heartbeat
  | ReportDelta<'health'>
  | ReportDelta<'ingress'>
  | ReportFull<'health'>
  | ReportFull<'ingress'>
  | AgentEvent;

/** coordinator -> agent, request/reply. */
export interface SyncRequest {
  readonly report: ReportKind;
}

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** tcp: connected and not closed within the hold time. tls: handshake answered. */
  readonly method: 'tcp' | 'tls';
}

export interface ProbeRequest {
  readonly targets: readonly ProbeTarget[];
  readonly deadlineMs: number;
}

export interface ProbeResult {
  readonly target: ProbeTarget;
  readonly ok: boolean;
  readonly roundTripMs: number;
  /** Refused, TimedOut, Unreachable, ClosedEarly, NotAllowed, TlsFailed; empty when ok. */
  readonly reason: string;
  /** Of a failure: how long ago this vantage point reached the target; undefined: not lately. */
  readonly reachedAgoMs?: number;
}

export interface ProbeReply {
  readonly results: readonly ProbeResult[];
}
