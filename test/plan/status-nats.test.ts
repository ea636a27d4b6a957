// What a Cluster's conditions say of its agent's login to NATS.

import test from 'ava';
import type { ClusterVerdict } from '../../common/model/health.ts';
import { isthmusApiVersion, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { SessionState } from '../../common/model/views.ts';
import { planClusterStatus } from '../../coordinator/status/plan-cluster.ts';

type NatsState = SessionState['nats'];

const cluster: Cluster = {
  apiVersion: isthmusApiVersion,
  kind: 'Cluster',
  metadata: { name: 'c' },
};

function conditions(telemetry: ClusterVerdict['telemetry'], nats: NatsState): readonly string[] {
  const session: SessionState = {
    isConnected: true,
    incarnation: { session: 1, boot: 1 },
    topology: { zones: [], region: undefined, provider: undefined },
    kubernetesVersion: '',
    agentVersion: '',
    lastMessageMonotonicMs: 0,
    remoteAddress: '192.0.2.1',
    nats,
  };
  const verdict = { life: 'live', reason: 'ClusterReady', message: 'm', telemetry } as const;
  const facts = { cluster, session, nowText: '2026-01-01T00:00:00Z' };
  const status = planClusterStatus({ ...facts, verdict: verdict as ClusterVerdict });
  return (status.conditions ?? [])
    .filter(({ type }) => type.startsWith('Telemetry'))
    .map(({ type, status: is, reason, message }) => `${type}=${is} ${reason}: ${message}`);
}

const refusal = { reason: 'AgentTooOld', message: 'update isthmus-agent' };

test('a login that is refused is why no heartbeat arrives', (t) => {
  t.deepEqual(conditions('stale', { refusal, lateRevocation: undefined }), [
    'Telemetry=False AgentTooOld: update isthmus-agent',
    'TelemetryRevocable=True AtOnce: Removing this Cluster ends its agent’s NATS login at once.',
  ]);
});

test('heartbeats that arrive outweigh a renewal that was refused', (t) => {
  const [first] = conditions('fresh', { refusal, lateRevocation: undefined });
  t.is(first, 'Telemetry=True Fresh: Heartbeats arrive.');
});

test('where NATS cannot revoke, the condition says for how long and why', (t) => {
  const [, second] = conditions('fresh', { refusal: undefined, lateRevocation: 'For up to …' });
  t.is(second, 'TelemetryRevocable=False WhenLoginEnds: For up to …');
});

test('an agent that says nothing of NATS has no such condition', (t) => {
  t.deepEqual(conditions('stale', undefined), [
    'Telemetry=False Stale: No heartbeat arrives over NATS.',
  ]);
});
