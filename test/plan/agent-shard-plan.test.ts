// The applier's decisions, one table row each: what is wished and what is observed -> the step.

import test from 'ava';
import { toContentHash, toRevision, toServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { RemovalOrder, ShardManifest } from '../../common/model/shard.ts';
import { toClusterName } from '../../common/model/ids.ts';
import {
  adoptedMark,
  formerSpecMark,
  shardHashMark,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import { auditShard } from '../../agent/shard/audit.ts';
import { planReleasePatch } from '../../agent/shard/plan-configuration.ts';
import { planShard, type ShardAction, type ShardSituation } from '../../agent/shard/plan.ts';

const key = toServiceKey({ namespace: 'shop', name: 'nginx' });
const hash = toContentHash('aa');
const manifest: ShardManifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx', namespace: 'shop', labels: { app: 'nginx' } },
  spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }], selector: { app: 'nginx' } },
};
const order = (mode: 'delete' | 'release'): RemovalOrder => ({
  cluster: toClusterName('a'),
  key,
  mode,
  revision: toRevision(7),
});

/** The Service as an API server shows it after our apply, defaults and allocations included. */
const shard: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'nginx',
    namespace: 'shop',
    uid: 'u1',
    resourceVersion: '10',
    labels: { app: 'nginx' },
    annotations: { [shardOfMark]: 'fed', [shardHashMark]: hash },
  },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.0.0.1',
    clusterIPs: ['10.0.0.1'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80, nodePort: 30_001 }],
    selector: { app: 'nginx' },
  },
};
const foreign: Service = {
  ...shard,
  metadata: { name: 'nginx', namespace: 'shop', uid: 'u0', resourceVersion: '3' },
};

const situation = (part: Partial<ShardSituation>): ShardSituation => ({
  key,
  federation: 'fed',
  guard: { allowedNamespaces: [], removalsPerMinute: 60 },
  wish: undefined,
  order: undefined,
  observed: undefined,
  written: undefined,
  isNamespaceMissing: false,
  isRepaired: false,
  removalsLeft: 60,
  ...part,
});
const wish = { hash, manifest };
const withSpec = (spec: Partial<Service['spec']>): Service => ({
  ...shard,
  spec: { ...shard.spec, ...spec },
});
const withMeta = (meta: Partial<Service['metadata']>): Service => ({
  ...shard,
  metadata: { ...shard.metadata, ...meta },
});

const summarize = (action: ShardAction): string => {
  if (action.kind === 'apply') return `apply ${action.cause}`;
  if (action.kind === 'nothing' || action.kind === 'refuse') {
    return `${action.kind} ${action.result?.outcome ?? '-'} ${action.result?.reason ?? '-'}`;
  }
  return action.kind;
};

const rows: readonly (readonly [string, Partial<ShardSituation>, string])[] = [
  ['a wish for an absent Service creates it', { wish }, 'apply created'],
  [
    'a namespace that is missing is made first',
    { wish, isNamespaceMissing: true },
    'createNamespace',
  ],
  ['a Service that was there before is adopted', { wish, observed: foreign }, 'apply adopted'],
  ['a Service as wished is left alone', { wish, observed: shard }, 'nothing applied Applied'],
  [
    'defaults and allocations of the API server are no drift',
    { wish, observed: withSpec({ externalIPs: ['1.2.3.4'], clusterIP: '10.9.9.9' }) },
    'nothing applied Applied',
  ],
  [
    'labels and annotations of others are no drift',
    {
      wish,
      observed: withMeta({ labels: { app: 'nginx', team: 'x' } }),
    },
    'nothing applied Applied',
  ],
  [
    'after a repair its fields are made ours again',
    { wish, observed: shard, isRepaired: true },
    'apply drifted',
  ],
  [
    'a changed label of ours is drift',
    { wish, observed: withMeta({ labels: { app: 'other' } }) },
    'apply drifted',
  ],
  ['a changed type is drift', { wish, observed: withSpec({ type: 'ClusterIP' }) }, 'apply drifted'],
  [
    'a changed selector value is drift',
    { wish, observed: withSpec({ selector: { app: 'x' } }) },
    'apply drifted',
  ],
  ['a missing port is drift', { wish, observed: withSpec({ ports: [] }) }, 'apply drifted'],
  [
    'a changed target port is drift',
    { wish, observed: withSpec({ ports: [{ name: 'http', port: 80, targetPort: 8080 }] }) },
    'apply drifted',
  ],
  [
    'another hash is a changed wish, though all fields agree',
    { wish: { hash: toContentHash('bb'), manifest }, observed: shard },
    'apply changed',
  ],
  [
    'what the server made of our last write is never applied again',
    { wish, observed: withSpec({ type: 'ClusterIP' }), written: { hash, resourceVersion: '10' } },
    'nothing applied Applied',
  ],
  [
    'a port that is not ours is taken out',
    { wish, observed: withSpec({ ports: [...(shard.spec.ports ?? []), { port: 99 }] }) },
    'repair',
  ],
  [
    'a selector label that is not ours is taken out',
    { wish, observed: withSpec({ selector: { app: 'nginx', extra: 'y' } }) },
    'repair',
  ],
  [
    'a Service that is being deleted is waited for',
    {
      wish,
      observed: withMeta({ deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    'nothing failed Terminating',
  ],
  [
    'I4: a shard of another federation is refused',
    {
      wish,
      observed: withMeta({ annotations: { [shardOfMark]: 'other' } }),
    },
    'refuse refused OtherFederation',
  ],
  ['I2: neither wish nor order does nothing', { observed: shard }, 'nothing - -'],
  [
    'I2: a wish beside an order wins',
    { wish, order: order('delete'), observed: shard },
    'nothing applied Applied',
  ],
  ['an order to delete deletes our shard', { order: order('delete'), observed: shard }, 'delete'],
  [
    'an adopted Service is deleted by an order too, as the guide says',
    {
      order: order('delete'),
      observed: withMeta({ annotations: { [shardOfMark]: 'fed', [adoptedMark]: 'true' } }),
    },
    'delete',
  ],
  ['an order for an absent Service is done', { order: order('delete') }, 'nothing removed Removed'],
  [
    'I4: an order never deletes a Service of others',
    { order: order('delete'), observed: foreign },
    'nothing removed NotOurs',
  ],
  [
    'a deletion under way is waited for',
    {
      order: order('delete'),
      observed: withMeta({ deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    'nothing - -',
  ],
  [
    'I13: too many removals wait',
    { order: order('delete'), observed: shard, removalsLeft: 0 },
    'refuse failed LocalGuard',
  ],
  [
    'an order to release releases our shard',
    { order: order('release'), observed: shard },
    'release',
  ],
  [
    'a release without removals left is not a removal',
    { order: order('release'), observed: shard, removalsLeft: 0 },
    'release',
  ],
  [
    'I13: namespaces that are not allowed are refused',
    {
      wish,
      guard: { allowedNamespaces: ['other'], removalsPerMinute: 1 },
    },
    'refuse refused LocalGuard',
  ],
  [
    'I13: an order outside the allowed namespaces is refused',
    {
      order: order('delete'),
      observed: shard,
      guard: { allowedNamespaces: ['other'], removalsPerMinute: 1 },
    },
    'refuse refused LocalGuard',
  ],
];

for (const [title, part, expected] of rows) {
  test(title, (t) => {
    const given = situation(part);
    const action = planShard(given);
    t.is(summarize(action), expected);
    t.is(auditShard(action, given), undefined);
  });
}

for (const guarded of [
  toServiceKey({ namespace: 'kube-system', name: 'dns' }),
  toServiceKey({ namespace: 'kube-public', name: 'x' }),
  toServiceKey({ namespace: 'default', name: 'kubernetes' }),
]) {
  test(`I13: ${guarded} is never touched`, (t) => {
    t.is(summarize(planShard(situation({ key: guarded, wish }))), 'refuse refused LocalGuard');
    t.is(
      summarize(planShard(situation({ key: guarded, order: order('delete') }))),
      'refuse refused LocalGuard',
    );
  });
}

test('adoption keeps the former shape on record, through every later apply', (t) => {
  const action = planShard(situation({ wish, observed: foreign }));
  t.is(action.kind, 'apply');
  if (action.kind !== 'apply') return;
  t.like(action.result, { outcome: 'applied', reason: 'Adopted', adopted: true });
  const adopted = action.configuration as unknown as Service;
  t.is(adopted.metadata.annotations?.[adoptedMark], 'true');
  const former = JSON.parse(adopted.metadata.annotations?.[formerSpecMark] ?? '') as {
    spec: { type: string };
  };
  t.is(former.spec.type, 'LoadBalancer');
  const later = planShard(
    situation({
      wish: { hash: toContentHash('cc'), manifest },
      observed: {
        ...foreign,
        metadata: { ...foreign.metadata, annotations: adopted.metadata.annotations ?? {} },
      },
    }),
  );
  t.is(summarize(later), 'apply changed');
  if (later.kind !== 'apply') return;
  const annotations = (later.configuration as unknown as Service).metadata.annotations;
  t.is(annotations?.[formerSpecMark], adopted.metadata.annotations?.[formerSpecMark]);
});

test('a former shape of 32 KB and more is not recorded', (t) => {
  const labels = { big: 'x'.repeat(33_000) };
  const action = planShard(
    situation({ wish, observed: { ...foreign, metadata: { ...foreign.metadata, labels } } }),
  );
  if (action.kind !== 'apply') return t.fail();
  const annotations = (action.configuration as unknown as Service).metadata.annotations;
  t.is(annotations?.[formerSpecMark], '{"tooLarge":true}');
});

test('marks that a user copied into the manifest are not passed on', (t) => {
  const copied = {
    ...manifest,
    metadata: { ...manifest.metadata, annotations: { [adoptedMark]: 'true', note: 'n' } },
  };
  const action = planShard(situation({ wish: { hash, manifest: copied } }));
  if (action.kind !== 'apply') return t.fail();
  t.deepEqual((action.configuration as unknown as Service).metadata.annotations, {
    note: 'n',
    [shardOfMark]: 'fed',
    [shardHashMark]: hash,
  });
});

test('a repair keeps allocated node ports and names the version it was made for', (t) => {
  const observed = withSpec({ ports: [...(shard.spec.ports ?? []), { port: 99 }] });
  const action = planShard(situation({ wish, observed }));
  if (action.kind !== 'repair') return t.fail();
  t.deepEqual(action.patch, [
    { op: 'replace', path: '/metadata/resourceVersion', value: '10' },
    { op: 'replace', path: '/spec/ports', value: [{ name: 'http', port: 80, nodePort: 30_001 }] },
  ]);
});

test('a repair of a Service not yet ours records the adoption in the same step', (t) => {
  const observed = { ...foreign, spec: { ...foreign.spec, ports: [{ port: 99 }] } };
  const action = planShard(situation({ wish, observed }));
  if (action.kind !== 'repair') return t.fail();
  const added = action.patch.find(({ path }) => path === '/metadata/annotations');
  t.like(added?.['value'], { [shardOfMark]: 'fed', [adoptedMark]: 'true' });
});

test('a release takes our marks and our managed fields, and nothing else', (t) => {
  const live: Service = withMeta({
    annotations: { [shardOfMark]: 'fed', [shardHashMark]: hash, note: 'n' },
    managedFields: [{ manager: 'isthmus' }, { manager: 'kubectl' }],
  });
  t.deepEqual(planReleasePatch(live, 'isthmus'), [
    { op: 'replace', path: '/metadata/resourceVersion', value: '10' },
    { op: 'remove', path: '/metadata/annotations/isthmus.dev~1shard-of' },
    { op: 'remove', path: '/metadata/annotations/isthmus.dev~1shard-hash' },
    { op: 'replace', path: '/metadata/managedFields', value: [{ manager: 'kubectl' }] },
  ]);
});

test('I2: the audit doubts a delete without its order, and one of another object', (t) => {
  const result = {
    key,
    hash: undefined,
    outcome: 'removed',
    reason: 'Deleted',
    message: '',
  } as const;
  const action: ShardAction = { kind: 'delete', uid: 'u1', result };
  t.regex(auditShard(action, situation({ observed: shard })) ?? '', /^I2/);
  t.regex(auditShard(action, situation({ observed: shard, order: order('release') })) ?? '', /^I2/);
  t.regex(
    auditShard(action, situation({ observed: shard, order: order('delete'), wish })) ?? '',
    /^I2/,
  );
  t.regex(
    auditShard(action, situation({ observed: foreign, order: order('delete') })) ?? '',
    /^I4/,
  );
  t.regex(
    auditShard({ ...action, uid: 'u2' }, situation({ observed: shard, order: order('delete') })) ??
      '',
    /^I4/,
  );
});
