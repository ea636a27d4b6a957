// clusters/approval: who may let a cluster in, and what no other endpoint can do.

import test from 'ava';
import { toLogKey } from '../../common/model/ids.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { clusterKind } from '../../coordinator/api/kinds/isthmus/cluster.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';

const path = '/apis/isthmus.dev/v1alpha1/clusters/one';
const merge = { 'content-type': 'application/merge-patch+json' };
const mine = 'ab'.repeat(32);
const other = 'cd'.repeat(32);
const pending = {
  decision: 'Pending',
  publicKeyHash: mine,
  reason: 'NewCluster',
  requestedAt: '2026-01-02T03:04:05Z',
} as const;

async function serve(status?: object): Promise<ApiFixture> {
  const api = await createApiFixture({ kinds: [clusterKind] });
  const body = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'one' },
    spec: { zone: 'z' },
  };
  await api.call('POST', path.replace('/one', ''), body);
  const key = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name: 'one' });
  const stored = api.desired.get(key);
  if (stored !== undefined && status !== undefined) {
    const object: KubeObject = { ...stored.object, status };
    await api.desired.write({ key, object, expected: stored.revision });
  }
  return api;
}

async function decide(api: ApiFixture, approval: object, extra: object = {}) {
  const body = { ...extra, status: { approval, zones: ['forged'] } };
  const answer = await api.call('PATCH', `${path}/approval`, body, merge);
  return { ...answer, cluster: answer.json as unknown as Cluster };
}

test('a person approves the key that waits: who and when are recorded, and nothing else', async (t) => {
  const api = await serve({ approval: pending });
  const { status, cluster } = await decide(
    api,
    { decision: 'Approved', publicKeyHash: mine, message: 'by phone', decidedBy: 'root' },
    { spec: { zone: 'forged' }, metadata: { labels: { forged: 'yes' } } },
  );
  t.is(status, 200);
  t.like(cluster.status, {
    approval: {
      decision: 'Approved',
      publicKeyHash: mine,
      decidedBy: 'admin',
      message: 'by phone',
      requestedAt: pending.requestedAt,
    },
  });
  t.truthy(cluster.status?.approval?.decidedAt);
  t.is(cluster.status?.zones, undefined);
  t.is(cluster.spec?.zone, 'z');
  t.is(cluster.metadata.labels, undefined);
  t.is(cluster.metadata.generation, 1);
  t.like(cluster.status?.conditions?.[0], {
    type: 'Approved',
    status: 'True',
    reason: 'ApprovedByPerson',
    message: 'key abab:abab:abab:abab was approved by admin: by phone',
  });
});

test('a denial of a key that was in is a revocation, and can be lifted', async (t) => {
  const api = await serve({ publicKeyHash: mine });
  const { cluster } = await decide(api, { decision: 'Denied', publicKeyHash: mine });
  t.like(cluster.status?.conditions?.[0], { status: 'False', reason: 'Revoked' });
  const { cluster: again } = await decide(api, { decision: 'Approved' });
  t.like(again.status?.conditions?.[0], { status: 'True', reason: 'ApprovedByPerson' });
  t.is(again.status?.publicKeyHash, mine);
});

test('the former message is not taken for one of the next decision', async (t) => {
  const api = await serve({ approval: pending });
  await decide(api, { decision: 'Denied', message: 'unknown machine' });
  const { cluster } = await decide(api, { decision: 'Approved' });
  t.is(cluster.status?.approval?.message, undefined);
});

const refusals: readonly (readonly [string, object | undefined, object, RegExp])[] = [
  ['nobody asked', undefined, { decision: 'Approved' }, /status\.approval\.decision.*nothing to/],
  [
    'another key waits by now',
    { approval: pending },
    { decision: 'Approved', publicKeyHash: other },
    /status\.approval\.publicKeyHash.*another key waits by now: abab/,
  ],
  [
    'the decision is none',
    { approval: pending },
    { decision: 'Maybe' },
    /status\.approval\.decision/,
  ],
  [
    'a decision cannot be taken back to waiting',
    { approval: { ...pending, decision: 'Approved' } },
    { decision: 'Pending' },
    /a decision is Approved or Denied/,
  ],
];

for (const [title, status, approval, message] of refusals) {
  test(`refused with the field named: ${title}`, async (t) => {
    const api = await serve(status);
    const answer = await decide(api, approval);
    t.is(answer.status, 422);
    t.regex(String(answer.json['message']), message);
  });
}

test('no other endpoint approves', async (t) => {
  const api = await serve({ approval: pending });
  const approval = { ...pending, decision: 'Approved' };
  const conditions = [
    {
      type: 'Approved',
      status: 'True',
      reason: 'Forged',
      message: '',
      lastTransitionTime: '2026-01-02T03:04:05Z',
    },
  ];
  for (const at of [path, `${path}/status`]) {
    const body = { status: { approval, conditions, region: 'r', publicKeyHash: other } };
    const { status, json } = await api.call('PATCH', at, body, merge);
    t.is(status, 200);
    const cluster = json as unknown as Cluster;
    t.deepEqual(cluster.status?.approval, pending);
    t.is(cluster.status?.conditions, undefined);
    t.is(cluster.status?.publicKeyHash, undefined);
    if (at !== path) t.is(cluster.status?.region, 'r');
  }
  const read = await api.call('GET', `${path}/approval`);
  t.deepEqual((read.json as unknown as Cluster).status?.approval, pending);
});

test('an approval of what has changed since it was read conflicts', async (t) => {
  const api = await serve({ approval: pending });
  const answer = await decide(
    api,
    { decision: 'Approved' },
    { metadata: { resourceVersion: '1' } },
  );
  t.is(answer.status, 409);
});

test('PUT of the whole Cluster decides too, and leaves the rest', async (t) => {
  const api = await serve({ approval: pending });
  const { json } = await api.call('GET', path);
  const { status: _status, ...rest } = json;
  const body = { ...rest, spec: {}, status: { approval: { ...pending, decision: 'Approved' } } };
  const { status, json: after } = await api.call('PUT', `${path}/approval`, body);
  t.is(status, 200);
  const cluster = after as unknown as Cluster;
  t.is(cluster.status?.approval?.decision, 'Approved');
  t.is(cluster.spec?.zone, 'z');
  t.true(JSON.stringify(cluster.metadata.managedFields).includes('"subresource":"approval"'));
});

test('I8 a write of the status cannot say which key is in, nor until when', async (t) => {
  const joined = {
    publicKeyHash: mine,
    certificateExpirationTimestamp: '2026-01-02T03:04:05Z',
    joinedAt: '2026-01-01T03:04:05Z',
    trustDigest: 'd',
  };
  const api = await serve({ ...joined, region: 'eu' });
  const forged = {
    publicKeyHash: other,
    revokedPublicKeyHash: mine,
    certificateExpirationTimestamp: '2036-01-02T03:04:05Z',
    joinedAt: '2020-01-01T03:04:05Z',
    trustDigest: 'e',
    region: 'us',
  };
  const answer = await api.call('PATCH', `${path}/status`, { status: forged }, merge);
  t.is(answer.status, 200);
  t.deepEqual((answer.json as unknown as Cluster).status, { ...joined, region: 'us' });
  const bare = await serve();
  const onBare = await bare.call('PATCH', `${path}/status`, { status: forged }, merge);
  t.deepEqual((onBare.json as unknown as Cluster).status, { region: 'us' });
});
