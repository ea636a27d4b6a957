// The applier's decisions, one table row each: what is wished and what is observed -> the step.

import test from 'ava';
import { toContentHash } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import {
  adoptedMark,
  confirmRemovalMark,
  shardContentMark,
  shardHashMark,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import { auditShard } from '../../agent/shard/audit.ts';
import { planShard, type ShardAction } from '../../agent/shard/plan.ts';
import {
  foreign,
  fought,
  hash,
  key,
  manifest,
  order,
  shard,
  situation,
  summarize,
  wish,
  wishOf,
  withMeta,
  withSpec,
  type Row,
} from '../support/shard-situation.ts';

const rows: readonly Row[] = [
  ['a wish for an absent Service creates it', { wish }, 'apply created'],
  [
    'a namespace that is missing is made first',
    { wish, isNamespaceMissing: true },
    'createNamespace',
  ],
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
    { wish: wishOf(manifest, toContentHash('bb')), observed: shard },
    'apply changed',
  ],
  [
    'what the server made of our last write is never applied again',
    {
      wish,
      observed: withMeta({ labels: { app: 'their own' } }),
      residue: new Set(['metadata.labels.app="their own"']),
    },
    'nothing applied FieldsIgnored',
  ],
  [
    'what the server makes of a field that is wholly ours is told as a failure, and not fought',
    {
      wish,
      observed: withSpec({ type: 'ClusterIP' }),
      residue: new Set(['spec.type="ClusterIP"']),
    },
    'nothing failed FieldsOverruled',
  ],
  [
    'another value than the one that the server makes of our write is drift',
    {
      wish,
      observed: withSpec({ type: 'NodePort' }),
      residue: new Set(['spec.type="ClusterIP"']),
    },
    'apply drifted',
  ],
  [
    'a drift that is fought for is left alone in a truce',
    { wish, observed: withSpec({ type: 'ClusterIP' }), fight: { result: fought, isTruce: true } },
    'nothing failed FieldFight',
  ],
  [
    'a fight is told of as long as it lasts, also while all is as wished',
    { wish, observed: shard, fight: { result: fought, isTruce: false } },
    'nothing failed FieldFight',
  ],
  [
    'a new wish is applied in a truce too',
    {
      wish: wishOf(manifest, toContentHash('bb')),
      observed: shard,
      fight: { result: fought, isTruce: true },
    },
    'apply changed',
  ],
  [
    'a Service that is deleted again and again is not made anew in a truce',
    { wish, fight: { result: fought, isTruce: true } },
    'nothing failed FieldFight',
  ],
  [
    'a port that is not ours is taken out',
    { wish, observed: withSpec({ ports: [...(shard.spec.ports ?? []), { port: 99 }] }) },
    'repair',
  ],
  [
    'a shard that an agent of before applied gets its content, and that is no drift',
    {
      wish,
      observed: withMeta({ annotations: { [shardOfMark]: 'fed', [shardHashMark]: hash } }),
    },
    'apply changed',
  ],
  [
    'what others wrote into a port of ours is put right by an apply',
    { wish, observed: withSpec({ ports: [{ name: 'theirs', port: 80 }] }) },
    'apply drifted',
  ],
  [
    'what an apply leaves in a port of ours is taken out',
    { wish, observed: withSpec({ ports: [{ name: 'theirs', port: 80 }] }), hasApplied: true },
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
    'an order to release releases our shard',
    { order: order('release'), observed: shard },
    'release',
  ],
  [
    'a release without removals left is not a removal',
    { order: order('release'), observed: shard, removalsLeft: 0 },
    'release',
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

test('marks that a user copied into the manifest are not passed on', (t) => {
  const copied = {
    ...manifest,
    metadata: {
      ...manifest.metadata,
      annotations: { [adoptedMark]: 'true', [confirmRemovalMark]: 'true', note: 'n' },
    },
  };
  const action = planShard(situation({ wish: wishOf(copied) }));
  if (action.kind !== 'apply') return t.fail();
  t.deepEqual((action.configuration as unknown as Service).metadata.annotations, {
    note: 'n',
    [shardOfMark]: 'fed',
    [shardHashMark]: hash,
    [shardContentMark]: toCanonicalJson(copied),
  });
});

test('a repair keeps allocated node ports and names the version it was made for', (t) => {
  const observed = withSpec({ ports: [...(shard.spec.ports ?? []), { port: 99 }] });
  const action = planShard(situation({ wish, observed }));
  if (action.kind !== 'repair') return t.fail();
  t.deepEqual(action.patch, [
    { op: 'replace', path: '/metadata/resourceVersion', value: '10' },
    { op: 'add', path: '/spec/ports', value: [{ name: 'http', port: 80, nodePort: 30_001 }] },
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
