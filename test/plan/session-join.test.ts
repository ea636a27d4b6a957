// Who may join: the table of the decision.

import test from 'ava';
import type { Cluster, JoinToken } from '../../common/model/isthmus-kinds.ts';
import { parseToken, planJoin, type JoinInput } from '../../coordinator/session/join-plan.ts';

const nowMs = 1_000_000;
const token = (status: JoinToken['status'] = {}, spec: JoinToken['spec'] = {}): JoinToken => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'JoinToken',
  metadata: { name: 'first' },
  spec,
  status,
});
const cluster = (publicKeyHash: string | undefined, isGoing = false): Cluster => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Cluster',
  metadata: {
    name: 'one',
    uid: 'u',
    ...(isGoing ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  ...(publicKeyHash === undefined ? {} : { status: { publicKeyHash } }),
});
const base: JoinInput = {
  clusterName: 'one',
  token: token(),
  isSecretRight: true,
  cluster: undefined,
  publicKeyHash: 'mine',
  nowMs,
  expiresAtMs: nowMs + 1,
};
const usedByMe = { usedBy: 'one', publicKeyHash: 'mine' };

const grants: readonly (readonly [string, Partial<JoinInput>, object])[] = [
  ['a new token and a new name', {}, { bindsToken: true, changesKey: true }],
  [
    'the same key again, before the Cluster was written',
    { token: token(usedByMe) },
    { bindsToken: false, changesKey: true },
  ],
  [
    'the same key again, whose answer was lost',
    { token: token({ ...usedByMe, joinedAt: 'then' }), cluster: cluster('mine') },
    { bindsToken: false, changesKey: false },
  ],
  [
    'another token for a key that is in',
    { cluster: cluster('mine') },
    { bindsToken: true, changesKey: false },
  ],
  [
    'a Cluster that its admin made beforehand',
    { cluster: cluster(undefined) },
    { bindsToken: true, changesKey: true },
  ],
  [
    'a token bound to the name, for a lost key',
    { token: token({}, { cluster: 'one' }), cluster: cluster('lost') },
    { bindsToken: true, changesKey: true },
  ],
];

for (const [title, given, expected] of grants) {
  test(`granted: ${title}`, (t) => {
    t.deepEqual(planJoin({ ...base, ...given }), { kind: 'grant', ...expected } as never);
  });
}

const refusals: readonly (readonly [string, string, Partial<JoinInput>])[] = [
  ['an unknown token', 'TokenUnknown', { token: undefined }],
  ['a wrong secret', 'TokenUnknown', { isSecretRight: false }],
  ['a token at its end', 'TokenExpired', { expiresAtMs: nowMs }],
  ['a token without an end', 'TokenExpired', { expiresAtMs: undefined }],
  ['a token for another name', 'TokenForOtherCluster', { token: token({}, { cluster: 'two' }) }],
  [
    'a token that another key used',
    'TokenUsed',
    { token: token({ usedBy: 'one', publicKeyHash: 'theirs' }) },
  ],
  [
    'a token that this key used for another name',
    'TokenUsed',
    { token: token({ usedBy: 'two', publicKeyHash: 'mine' }) },
  ],
  ['a name with another key', 'NameTaken', { cluster: cluster('theirs') }],
  [
    'J4 a used token whose Cluster was removed',
    'ClusterRemoved',
    { token: token({ ...usedByMe, joinedAt: 'then' }) },
  ],
  ['J4 a Cluster that is being removed', 'ClusterRemoved', { cluster: cluster('mine', true) }],
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
