// Who may join: the table of the decision.

import test from 'ava';
import type { Cluster, ClusterApproval, JoinToken } from '../../common/model/isthmus-kinds.ts';
import {
  parseToken,
  planJoin,
  type JoinInput,
  type JoinPlan,
} from '../../coordinator/session/join-plan.ts';

const nowText = '2026-01-02T12:00:00Z';
const before = '2026-01-02T11:00:00Z';
const after = '2026-01-02T13:00:00Z';
const token = (status: JoinToken['status'] = {}, spec: JoinToken['spec'] = {}): JoinToken => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'JoinToken',
  metadata: { name: 'first' },
  spec,
  status: { expirationTimestamp: after, ...status },
});
const cluster = (status: Cluster['status'] = {}, isGoing = false): Cluster => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'one', uid: 'u', ...(isGoing ? { deletionTimestamp: before } : {}) },
  status,
});
const approval = (
  decision: ClusterApproval['decision'],
  publicKeyHash = 'mine',
  more: Partial<ClusterApproval> = {},
): ClusterApproval => ({ decision, publicKeyHash, ...more });
const base: JoinInput = {
  clusterName: 'one',
  hasToken: true,
  token: token(),
  isSecretRight: true,
  cluster: undefined,
  publicKeyHash: 'mine',
  nowText,
  joinApproval: 'Automatic',
};
const none = { hasToken: false, token: undefined, isSecretRight: false };
const usedByMe = { usedBy: 'one', usedAt: before, publicKeyHash: 'mine' };
const inDate = { publicKeyHash: 'mine', certificateExpirationTimestamp: after };
const ended = { publicKeyHash: 'mine', certificateExpirationTimestamp: before };
const boundToOne = token({}, { cluster: 'one' });
type Row = readonly [string, Partial<JoinInput>, Partial<Extract<JoinPlan, { kind: 'grant' }>>];

const grants: readonly Row[] = [
  ['a new token and a new name', {}, { byToken: true, bindsToken: true, changesKey: true }],
  [
    'J2 the same key again, before the Cluster was written',
    { token: token(usedByMe) },
    { byToken: true, bindsToken: false, changesKey: true },
  ],
  [
    'J5 the same key again, whose answer was lost',
    { token: token({ ...usedByMe, joinedAt: before }), cluster: cluster(inDate) },
    { byToken: false, bindsToken: false, changesKey: false },
  ],
  [
    'J5 the same, when the token has ended or was revoked meanwhile',
    { token: undefined, cluster: cluster(inDate) },
    { byToken: false, bindsToken: false, changesKey: false },
  ],
  [
    'another token for a key that is in',
    { cluster: cluster(inDate) },
    { byToken: true, bindsToken: true, changesKey: false },
  ],
  [
    'a Cluster that its admin made beforehand',
    { cluster: cluster() },
    { byToken: true, bindsToken: true, changesKey: true },
  ],
  [
    'J3 a token bound to the name, for a lost key',
    { token: boundToOne, cluster: cluster({ publicKeyHash: 'lost' }) },
    { byToken: true, bindsToken: true, changesKey: true },
  ],
  [
    'J3 such a join cut short by a crash',
    {
      token: token(usedByMe, { cluster: 'one' }),
      cluster: cluster({
        publicKeyHash: 'lost',
        approval: approval('Approved', 'lost', { decidedAt: '2026-01-01T00:00:00Z' }),
      }),
    },
    { byToken: true, bindsToken: false, changesKey: true },
  ],
  [
    'J6 a key that a person approved, after its token has ended',
    {
      token: token({ ...usedByMe, expirationTimestamp: before }),
      cluster: cluster({ approval: approval('Approved', 'mine', { decidedAt: before }) }),
    },
    { byToken: false, bindsToken: false, changesKey: true },
  ],
  [
    'J6 a key that a person approved, with a token that says Manual',
    {
      token: token(usedByMe, { approval: 'Manual' }),
      cluster: cluster({ approval: approval('Approved', 'mine', { decidedAt: before }) }),
    },
    { byToken: true, bindsToken: false, changesKey: true },
  ],
  [
    'J5 a key whose certificate has ended, approved since',
    {
      ...none,
      cluster: cluster({
        ...ended,
        approval: approval('Approved', 'mine', { decidedAt: nowText }),
      }),
    },
    { byToken: false, bindsToken: false, changesKey: false },
  ],
  [
    'J5 a key whose certificate has ended, with a new token',
    { cluster: cluster(ended) },
    { byToken: true, bindsToken: true, changesKey: false },
  ],
  [
    'a name whose first claimant was denied',
    { cluster: cluster({ approval: approval('Denied', 'theirs') }) },
    { byToken: true, bindsToken: true, changesKey: true },
  ],
  [
    'an automatic token, where others wait by default',
    { joinApproval: 'Manual', token: token({}, { approval: 'Automatic' }) },
    { byToken: true, bindsToken: true, changesKey: true },
  ],
];

for (const [title, given, expected] of grants) {
  test(`granted: ${title}`, (t) => {
    t.deepEqual(planJoin({ ...base, ...given }), { kind: 'grant', ...expected } as never);
  });
}

const waits: readonly (readonly [string, string, boolean, Partial<JoinInput>])[] = [
  ['a token that says Manual', 'NewCluster', true, { token: token({}, { approval: 'Manual' }) }],
  ['any token, where that is the default', 'NewCluster', true, { joinApproval: 'Manual' }],
  [
    'another key, by a token bound to the name',
    'KeyReplaced',
    true,
    { joinApproval: 'Manual', token: boundToOne, cluster: cluster({ publicKeyHash: 'lost' }) },
  ],
  [
    'who waits already, when the token has ended',
    'NewCluster',
    false,
    {
      token: token({ ...usedByMe, expirationTimestamp: before }),
      cluster: cluster({ approval: approval('Pending', 'mine', { reason: 'NewCluster' }) }),
    },
  ],
  [
    'J5 a certificate that has ended',
    'CertificateExpired',
    false,
    { ...none, cluster: cluster(ended) },
  ],
  [
    'J5 the same, with the token of long ago',
    'CertificateExpired',
    false,
    { token: token({ ...usedByMe, joinedAt: before }), cluster: cluster(ended) },
  ],
  [
    'J5 an approval is for one certificate, not for ever',
    'CertificateExpired',
    false,
    {
      ...none,
      cluster: cluster({
        ...ended,
        approval: approval('Approved', 'mine', { decidedAt: '2026-01-01T00:00:00Z' }),
      }),
    },
  ],
  [
    'a cluster that joined with a version that recorded no end',
    'CertificateExpired',
    false,
    { ...none, cluster: cluster({ publicKeyHash: 'mine' }) },
  ],
];

for (const [title, reason, bindsToken, given] of waits) {
  test(`waits for a person: ${title}`, (t) => {
    t.deepEqual(planJoin({ ...base, ...given }), { kind: 'wait', bindsToken, reason } as never);
  });
}

const refusals: readonly (readonly [string, string, Partial<JoinInput>])[] = [
  ['J1 an unknown token', 'TokenUnknown', { token: undefined }],
  ['J1 a wrong secret', 'TokenUnknown', { isSecretRight: false }],
  ['J1 a token at its end', 'TokenExpired', { token: token({ expirationTimestamp: nowText }) }],
  ['J1 a token for another name', 'TokenForOtherCluster', { token: token({}, { cluster: 'two' }) }],
  ['J1 no token and a key that nobody knows', 'TokenMissing', none],
  [
    'J1 no token and a key that was replaced',
    'TokenMissing',
    { ...none, cluster: cluster({ publicKeyHash: 'theirs' }) },
  ],
  [
    'J2 a token that another key used',
    'TokenUsed',
    { token: token({ usedBy: 'one', publicKeyHash: 'theirs' }) },
  ],
  [
    'J2 a token that this key used for another name',
    'TokenUsed',
    { token: token({ usedBy: 'two', publicKeyHash: 'mine' }) },
  ],
  ['J3 a name with another key', 'NameTaken', { cluster: cluster({ publicKeyHash: 'theirs' }) }],
  [
    'J3 a name that another key waits for',
    'NameTaken',
    { cluster: cluster({ approval: approval('Pending', 'theirs') }) },
  ],
  [
    'J3 a key that was replaced, with the token of long ago',
    'KeyReplaced',
    {
      token: token({ ...usedByMe, joinedAt: before }, { cluster: 'one' }),
      cluster: cluster({ publicKeyHash: 'theirs' }),
    },
  ],
  [
    'J3 a key that waited, and was replaced by another that waits',
    'KeyReplaced',
    {
      joinApproval: 'Manual',
      token: token(usedByMe, { cluster: 'one' }),
      cluster: cluster({ approval: approval('Pending', 'theirs', { requestedAt: nowText }) }),
    },
  ],
  [
    'J4 a used token whose Cluster was removed',
    'ClusterRemoved',
    { token: token({ ...usedByMe, joinedAt: before }) },
  ],
  ['J4 a Cluster that is being removed', 'ClusterRemoved', { cluster: cluster(inDate, true) }],
  [
    'J6 a key that a person denied, whatever its token',
    'Denied',
    { cluster: cluster({ approval: approval('Denied') }) },
  ],
  [
    'J6 a key that a person revoked, with its certificate in date',
    'Revoked',
    { cluster: cluster({ ...inDate, approval: approval('Denied') }) },
  ],
  ...['', 'Upper', 'a.b', '-a', 'a_b', 'a/b', 'x'.repeat(64)].map(
    (clusterName) =>
      [`the name "${clusterName.slice(0, 20)}"`, 'InvalidClusterName', { clusterName }] as const,
  ),
];

for (const [title, reason, given] of refusals) {
  test(`refused: ${title}`, (t) => {
    const plan = planJoin({ ...base, ...given });
    t.like(plan, { kind: 'refuse', reason, retry: false });
  });
}

test('no refusal tells whether a token of that name exists', (t) => {
  const unknown = planJoin({ ...base, token: undefined, isSecretRight: false });
  const wrong = planJoin({ ...base, isSecretRight: false });
  t.deepEqual(unknown, wrong);
});

test('a token is read only in its one form', (t) => {
  const secret = 'abcdefghijklmnop';
  const caHash = '0123456789abcdef0123456789abcdef';
  t.deepEqual(parseToken(`isthmus.v1.first.${secret}.${caHash}`), {
    name: 'first',
    secret,
    caHash,
  });
  for (const bad of [
    '',
    'isthmus',
    `isthmus.v2.first.${secret}.${caHash}`,
    `isthmus.v1.first.${secret}`,
    `isthmus.v1.first.short.${caHash}`,
    `isthmus.v1.first.${secret}.${caHash}.more`,
    `isthmus.v1.first.${secret}.${caHash.toUpperCase()}`,
    ` isthmus.v1.first.${secret}.${caHash}`,
    `isthmus.v1.first.${secret}.${caHash}\n`,
    `isthmus.v1.a/b.${secret}.${caHash}`,
  ]) {
    t.is(parseToken(bad), undefined, bad);
  }
});

test('J7 the agent of a Cluster that is on its way out comes back to obey, with a word of a person', (t) => {
  const asked = { ...base, ...none, cluster: cluster(ended, true) };
  t.like(planJoin(asked), { kind: 'wait', reason: 'CertificateExpired' });
  const vouched = { ...ended, approval: approval('Approved', 'mine', { decidedAt: after }) };
  t.like(planJoin({ ...asked, cluster: cluster(vouched, true) }), { kind: 'grant' });
  t.like(planJoin({ ...asked, publicKeyHash: 'other' }), { kind: 'refuse' });
  const revoked = { ...ended, approval: approval('Denied') };
  t.like(planJoin({ ...asked, cluster: cluster(revoked, true) }), { reason: 'Revoked' });
  // A token would begin a new membership, and that of this Cluster is over.
  const byToken = { ...base, token: boundToOne, cluster: cluster(ended, true) };
  t.like(planJoin(byToken), { kind: 'refuse', reason: 'ClusterRemoved' });
});
