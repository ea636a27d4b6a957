// What a Cluster says of its agent's clock and version, of who may speak for it, and that one whom
// nobody let in gets nothing.

import test from 'ava';
import type { Cluster, ClusterApproval } from '../../common/model/isthmus-kinds.ts';
import type { SessionState } from '../../common/model/views.ts';
import { formatFingerprint, isAdmitted, withApproval } from '../../common/pure/cluster-approval.ts';
import { isWanted } from '../../coordinator/placement/plan.ts';
import { planClusterStatus } from '../../coordinator/status/plan-cluster.ts';

const nowText = '2026-01-02T12:00:00Z';
const key = 'ab12cd34ef567890'.repeat(4);
const other = 'ff'.repeat(32);

const cluster = (status: Cluster['status'] = {}): Cluster => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'one', uid: 'u' },
  status,
});

function conditionsOf(session: Partial<SessionState>) {
  const state: SessionState = {
    isConnected: true,
    incarnation: { session: 1, boot: 1 },
    topology: { zones: [], region: undefined, provider: undefined },
    kubernetesVersion: 'v1.34.0',
    agentVersion: '0.4.1',
    lastMessageMonotonicMs: 0,
    remoteAddress: '10.0.0.7',
    ...session,
  };
  const facts = { cluster: cluster(), verdict: undefined, session: state, nowText };
  const { conditions = [] } = planClusterStatus({ ...facts, coordinatorVersion: '0.4.0' });
  return new Map(conditions.map((condition) => [condition.type, condition]));
}

test('a clock ten minutes off is a condition that says which one, until it is right again', (t) => {
  const off = conditionsOf({ clockSkewMs: -600_000 }).get('ClockInSync');
  t.like(off, { status: 'False', reason: 'ClockSkewed' });
  t.regex(off?.message ?? '', /the agent's clock is 10m0s behind the coordinator's/);
  t.like(conditionsOf({ clockSkewMs: 900 }).get('ClockInSync'), { status: 'True' });
  t.is(conditionsOf({}).get('ClockInSync'), undefined, 'an agent that does not say');
});

test('an agent two versions apart is a condition that says whom to upgrade', (t) => {
  const old = conditionsOf({ agentVersion: '0.2.9' }).get('VersionSupported');
  t.like(old, { status: 'False', reason: 'AgentTooOld' });
  t.regex(old?.message ?? '', /upgrade the agent$/);
  const young = conditionsOf({ agentVersion: '0.6.0' }).get('VersionSupported');
  t.like(young, { status: 'False', reason: 'AgentTooNew' });
  t.regex(young?.message ?? '', /upgrade the coordinator$/);
  t.like(conditionsOf({ agentVersion: '0.3.0' }).get('VersionSupported'), { status: 'True' });
});

test('what is not known of an agent that is away stays as it was said last', (t) => {
  t.is(conditionsOf({ isConnected: false, clockSkewMs: 600_000 }).get('ClockInSync'), undefined);
});

const at = { cluster: 'one', nowText };
const approve = (status: Cluster['status'] & {}, approval: Partial<ClusterApproval>) => {
  const whole = { decision: 'Pending', publicKeyHash: key, ...approval } as const;
  return withApproval(status, whole, at);
};

const sayings: readonly (readonly [
  string,
  ReturnType<typeof approve>,
  'True' | 'False',
  string,
  RegExp,
])[] = [
  [
    'a newcomer waits',
    approve({}, { reason: 'NewCluster', remoteAddress: '10.0.0.7', joinToken: 'one-x' }),
    'False',
    'WaitingForApproval',
    /key ab12:cd34:ef56:7890 asks from 10\.0\.0\.7 with join token one-x to join.*approve one$/,
  ],
  [
    'another key waits beside the one that is in',
    approve({ publicKeyHash: other }, { reason: 'KeyReplaced' }),
    'False',
    'WaitingForApproval',
    /another key ab12.* to replace the one that is in/,
  ],
  [
    'a token let it in',
    approve({}, { decision: 'Approved', decidedBy: 'jointoken/one-x' }),
    'True',
    'ApprovedByToken',
    /approved by jointoken\/one-x$/,
  ],
  [
    'denied before it was in',
    approve({}, { decision: 'Denied', decidedBy: 'ana', message: 'not ours' }),
    'False',
    'Denied',
    /was denied by ana: not ours$/,
  ],
  [
    'denied after it was in',
    approve({ publicKeyHash: key }, { decision: 'Denied', decidedBy: 'ana' }),
    'False',
    'Revoked',
    /was revoked by ana$/,
  ],
  [
    'another key that was denied leaves the one that is in',
    approve({ publicKeyHash: other }, { decision: 'Denied', decidedBy: 'ana' }),
    'True',
    'ReplacementDenied',
    /which asked to replace the cluster's, was denied by ana$/,
  ],
];
for (const [title, status, value, reason, message] of sayings) {
  test(`A2 the condition Approved: ${title}`, (t) => {
    const condition = status.conditions?.find(({ type }) => type === 'Approved');
    t.like(condition, { status: value, reason, lastTransitionTime: nowText });
    t.regex(condition?.message ?? '', message);
  });
}

test('A1 a key is in when it joined and was not revoked since', (t) => {
  t.false(isAdmitted(undefined, key));
  t.true(isAdmitted({ publicKeyHash: key }, key));
  t.false(isAdmitted({ publicKeyHash: other }, key));
  t.false(isAdmitted(approve({ publicKeyHash: key }, { decision: 'Denied' }), key));
  t.true(isAdmitted(approve({ publicKeyHash: other }, { decision: 'Denied' }), other));
  t.true(isAdmitted(approve({ publicKeyHash: key }, { reason: 'CertificateExpired' }), key));
});

test('a cluster that nobody let in yet gets no shard; one that was thrown out keeps its own', (t) => {
  const by = { policy: undefined, requirements: [], isThere: false };
  t.false(isWanted(cluster(approve({}, { reason: 'NewCluster' })), by));
  t.false(isWanted(cluster(approve({}, { decision: 'Denied' })), by));
  t.false(isWanted(cluster(approve({}, { decision: 'Approved' })), by), 'it has not come back yet');
  t.true(isWanted(cluster(approve({ publicKeyHash: key }, { decision: 'Denied' })), by));
  t.true(isWanted(cluster(), by), 'made by its administrator beforehand');
});

test('a fingerprint is what people can compare', (t) => {
  t.is(formatFingerprint(key), 'ab12:cd34:ef56:7890');
});
