// The status of one Cluster, and the event that a change of it deserves.
// Input: the Cluster, its verdict, its Session. Output: the next status; Ready before and after.
//
//   U4. What the session stage wrote at the join (key hash, time) stays as it is.
//   U5. While no Session is known, what was detected last stands.

import type { ClusterVerdict } from '../../common/model/health.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import type { SessionState } from '../../common/model/views.ts';
import { describeClockSkew, describeVersionSkew } from '../../common/pure/skew.ts';
import { planConditions, type Said } from '../../common/pure/conditions.ts';

export interface ClusterFacts {
  readonly cluster: Cluster;
  readonly verdict: ClusterVerdict | undefined;
  readonly session: SessionState | undefined;
  /** Undefined: versions are not compared. */
  readonly coordinatorVersion?: string | undefined;
  readonly nowText: string;
}

export type ClusterStatus = NonNullable<Cluster['status']>;

export function planClusterStatus(facts: ClusterFacts): ClusterStatus {
  const { cluster, verdict, session, nowText } = facts;
  const before = cluster.status ?? {};
  const said = [
    ...(verdict === undefined ? [] : sayAll(verdict, session)),
    ...sayRevocable(session),
    ...sayClock(session),
    ...sayVersion(session, facts.coordinatorVersion),
  ];
  const conditions = planConditions(before.conditions ?? [], said, nowText);
  const region = session?.topology.region;
  const provider = session?.topology.provider;
  return {
    ...before,
    conditions,
    ...(session === undefined ? {} : { zones: session.topology.zones }),
    ...(region === undefined ? {} : { region }),
    ...(provider === undefined ? {} : { provider }),
    ...(session?.kubernetesVersion ? { kubernetesVersion: session.kubernetesVersion } : {}),
    ...(session?.agentVersion ? { agentVersion: session.agentVersion } : {}),
  };
}

export interface TransitionEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** The event for a change of Ready, or undefined. */
export function planClusterEvent(
  before: ClusterStatus | undefined,
  after: ClusterStatus,
): TransitionEvent | undefined {
  const was = before?.conditions?.find(({ type }) => type === 'Ready');
  const is = after.conditions?.find(({ type }) => type === 'Ready');
  if (is === undefined || was?.status === is.status) return undefined;
  switch (is.status) {
    case 'True':
      return { type: 'Normal', reason: 'ClusterReady', message: is.message };
    case 'False':
      return { type: 'Warning', reason: 'ClusterDead', message: is.message };
    case 'Unknown':
      if (was === undefined) return undefined; // only joined, not yet heard of
      return { type: 'Warning', reason: 'ClusterSilent', message: is.message };
  }
}

function sayAll(verdict: ClusterVerdict, session: SessionState | undefined): readonly Said[] {
  return [sayReady(verdict), sayApiFresh(verdict), sayTelemetry(verdict, session)];
}

function sayReady({ life, reason, message }: ClusterVerdict): Said {
  const type = 'Ready';
  switch (life) {
    case 'live':
      return { type, status: 'True', reason: 'ClusterReady', message };
    case 'apiStale':
      return { type, status: 'Unknown', reason: 'ApiStale', message };
    case 'silent':
    case 'pending':
      return { type, status: 'Unknown', reason, message };
    case 'dead':
      return { type, status: 'False', reason: 'ClusterDead', message };
  }
}

function sayApiFresh({ life }: ClusterVerdict): Said {
  const type = 'ApiFresh';
  switch (life) {
    case 'live':
      return { type, status: 'True', reason: 'ApiAnswers', message: 'The API server answers.' };
    case 'apiStale': {
      const message = 'The API server does not answer its agent.';
      return { type, status: 'False', reason: 'ApiStale', message };
    }
    case 'silent':
    case 'dead':
    case 'pending':
      return { type, status: 'Unknown', reason: 'AgentSilent', message: 'Nobody says.' };
  }
}

function sayTelemetry({ telemetry }: ClusterVerdict, session: SessionState | undefined): Said {
  const type = 'Telemetry';
  if (telemetry === 'fresh') {
    return { type, status: 'True', reason: 'Fresh', message: 'Heartbeats arrive.' };
  }
  const refusal = session?.nats?.refusal;
  return refusal === undefined
    ? { type, status: 'False', reason: 'Stale', message: 'No heartbeat arrives over NATS.' }
    : { type, status: 'False', reason: refusal.reason, message: refusal.message };
}

/** Whether the agent is shut out of NATS with its Cluster, or can report for a while longer. */
function sayRevocable(session: SessionState | undefined): readonly Said[] {
  if (session?.nats === undefined) return [];
  const type = 'TelemetryRevocable';
  const { lateRevocation } = session.nats;
  if (lateRevocation !== undefined) {
    return [{ type, status: 'False', reason: 'WhenLoginEnds', message: lateRevocation }];
  }
  const message = 'Removing this Cluster ends its agent’s NATS login at once.';
  return [{ type, status: 'True', reason: 'AtOnce', message }];
}

/** While an agent is connected that says what time it is. */
function sayClock(session: SessionState | undefined): readonly Said[] {
  if (session?.isConnected !== true || session.clockSkewMs === undefined) return [];
  const type = 'ClockInSync';
  const skew = describeClockSkew({ agentMs: session.clockSkewMs, coordinatorMs: 0 });
  return skew === undefined
    ? [{ type, status: 'True', reason: 'InSync', message: "The agent's clock agrees with ours." }]
    : [{ type, status: 'False', reason: 'ClockSkewed', message: skew }];
}

function sayVersion(
  session: SessionState | undefined,
  coordinatorVersion: string | undefined,
): readonly Said[] {
  if (session?.isConnected !== true || coordinatorVersion === undefined) return [];
  const type = 'VersionSupported';
  const { agentVersion } = session;
  const skew = describeVersionSkew({ agentVersion, coordinatorVersion });
  if (skew !== undefined) {
    return [{ type, status: 'False', reason: skew.reason, message: skew.message }];
  }
  const message = `Agent ${agentVersion} works with coordinator ${coordinatorVersion}.`;
  return [{ type, status: 'True', reason: 'Supported', message }];
}
