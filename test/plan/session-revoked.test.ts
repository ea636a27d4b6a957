// A key that was revoked stays out, whoever asks for its cluster since.

import test from 'ava';
import type { Cluster, ClusterApproval, JoinToken } from '../../common/model/isthmus-kinds.ts';
import {
  isAdmitted,
  withApproval,
  type ClusterStatus,
} from '../../common/pure/cluster-approval.ts';
import { checkAdmission } from '../../coordinator/session/hello.ts';
import { planJoin } from '../../coordinator/session/join-plan.ts';

const nowText = '2026-01-02T12:00:00Z';
const after = '2026-01-02T13:00:00Z';
const at = { cluster: 'one', nowText };
const [mine, theirs] = ['aa'.repeat(32), 'bb'.repeat(32)];
const said = (
  decision: ClusterApproval['decision'],
  publicKeyHash: string,
  more: Partial<ClusterApproval> = {},
): ClusterApproval => ({ decision, publicKeyHash, ...more });
const joined: ClusterStatus = { publicKeyHash: mine, certificateExpirationTimestamp: after };
const revoked = withApproval(joined, said('Denied', mine, { decidedBy: 'ana' }), at);
const asked = withApproval(revoked, said('Pending', theirs, { reason: 'KeyReplaced' }), at);
const cluster = (status: ClusterStatus): Cluster => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'one', uid: 'u' },
  status,
});
const joining = {
  clusterName: 'one',
  hasToken: false,
  token: undefined,
  isSecretRight: false,
  publicKeyHash: mine,
  nowText,
  joinApproval: 'Automatic',
} as const;
const approvedOf = ({ conditions = [] }: ClusterStatus) =>
  conditions.find(({ type }) => type === 'Approved');

test('I8 a revoked key is not in again because another one asks for its place', (t) => {
  t.false(isAdmitted(asked, mine));
  t.like(checkAdmission(cluster(asked), mine), { reason: 'Revoked', retry: false });
  const plan = planJoin({ ...joining, cluster: cluster(asked) });
  t.like(plan, { kind: 'refuse', reason: 'Revoked' });
});

test('I8 nor because that one is denied: the condition says both', (t) => {
  const denied = withApproval(asked, said('Denied', theirs, { decidedBy: 'ana' }), at);
  t.false(isAdmitted(denied, mine));
  t.false(isAdmitted(denied, theirs));
  t.like(approvedOf(denied), { status: 'False', reason: 'Revoked' });
});

test('I8 nor because that one is approved and has not come yet', (t) => {
  const approved = withApproval(asked, said('Approved', theirs), at);
  t.false(isAdmitted(approved, mine));
  const letIn = { ...approved, publicKeyHash: theirs };
  const next = withApproval(letIn, said('Approved', theirs), at);
  t.true(isAdmitted(next, theirs));
  t.is(next.revokedPublicKeyHash, undefined);
});

test('a person lets the revoked key in again, and nothing of it is left', (t) => {
  const approved = withApproval(asked, said('Approved', mine), at);
  t.true(isAdmitted(approved, mine));
  t.is(approved.revokedPublicKeyHash, undefined);
});

test('who denies a key that asks revokes nobody', (t) => {
  const denied = withApproval(joined, said('Denied', theirs), at);
  t.true(isAdmitted(denied, mine));
  t.like(approvedOf(denied), { status: 'True', reason: 'ReplacementDenied' });
});

test('J4 a used token does not let its key into a later Cluster of the name', (t) => {
  const token: JoinToken = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'JoinToken',
    metadata: { name: 'first' },
    status: {
      expirationTimestamp: after,
      usedBy: 'one',
      publicKeyHash: mine,
      usedAt: nowText,
      joinedAt: nowText,
    },
  };
  const had = { ...joining, hasToken: true, token, isSecretRight: true };
  const plan = planJoin({ ...had, cluster: cluster({}) });
  t.like(plan, { kind: 'refuse', reason: 'TokenUsed' });
});
