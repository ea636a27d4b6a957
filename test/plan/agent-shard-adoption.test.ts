// Adoption: which Services of others become shards, what is kept of them, and how they get it back.

import test from 'ava';
import { toContentHash } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import {
  adoptedMark,
  formerSpecMark,
  shardHashMark,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import { auditShard } from '../../agent/shard/audit.ts';
import { planRelease } from '../../agent/shard/plan-release.ts';
import { planShard } from '../../agent/shard/plan.ts';
import {
  careful,
  foreign,
  hash,
  manifest,
  order,
  shard,
  situation,
  summarize,
  wish,
  wishOf,
  withMeta,
  type Row,
} from '../support/shard-situation.ts';

const rows: readonly Row[] = [
  ['a Service that was there before is adopted', { wish, observed: foreign }, 'apply adopted'],
  [
    'adoption never: a Service of others keeps its name',
    { wish: wishOf(careful('never')), observed: foreign },
    'refuse refused ServiceExists',
  ],
  [
    'adoption never: an absent Service is created by a call that adopts nothing',
    { wish: wishOf(careful('never')) },
    'create',
  ],
  [
    'adoption ifEqual: a Service that differs keeps its name',
    { wish: wishOf(careful('ifEqual')), observed: foreign },
    'refuse refused ServiceDiffers',
  ],
  [
    'adoption ifEqual: an equal Service is adopted',
    {
      wish: wishOf(careful('ifEqual')),
      observed: { ...foreign, metadata: { ...foreign.metadata, labels: { app: 'nginx' } } },
    },
    'apply adopted',
  ],
  [
    'adoption never is no reason to leave a shard of ours',
    { wish: wishOf(careful('never')), observed: shard },
    'apply drifted',
  ],
  [
    'an adoption policy that this version does not know adopts nothing',
    { wish: wishOf(careful('whenever')), observed: foreign },
    'refuse refused ServiceExists',
  ],
  [
    'a name held by a controller is not taken',
    {
      wish,
      observed: {
        ...foreign,
        metadata: {
          ...foreign.metadata,
          ownerReferences: [
            { apiVersion: 'g/v1', kind: 'Gateway', name: 'gw', uid: 'x', controller: true },
          ],
        },
      },
    },
    'refuse refused NameHeldByController',
  ],
  [
    'an owner that is no controller holds no name',
    {
      wish,
      observed: {
        ...foreign,
        metadata: {
          ...foreign.metadata,
          ownerReferences: [{ apiVersion: 'g/v1', kind: 'App', name: 'a', uid: 'x' }],
        },
      },
    },
    'apply adopted',
  ],
  [
    'an adopted Service is deleted by an order too, as the guide says',
    {
      order: order('delete'),
      observed: withMeta({ annotations: { [shardOfMark]: 'fed', [adoptedMark]: 'true' } }),
    },
    'delete',
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
      wish: wishOf(manifest, toContentHash('cc')),
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

test('of a former shape above 32 KB the annotations go first', (t) => {
  const annotations = { big: 'x'.repeat(33_000) };
  const labels = { team: 'web' };
  const metadata = { ...foreign.metadata, annotations, labels };
  const action = planShard(situation({ wish, observed: { ...foreign, metadata } }));
  if (action.kind !== 'apply') return t.fail();
  const applied = (action.configuration as unknown as Service).metadata.annotations;
  const former = JSON.parse(applied?.[formerSpecMark] ?? '') as object;
  t.deepEqual(Object.keys(former).sort(), ['labels', 'spec']);
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
  t.deepEqual(planRelease(live, 'isthmus').patch, [
    { op: 'replace', path: '/metadata/resourceVersion', value: '10' },
    { op: 'remove', path: '/metadata/annotations/isthmus.dev~1shard-of' },
    { op: 'remove', path: '/metadata/annotations/isthmus.dev~1shard-hash' },
    { op: 'replace', path: '/metadata/managedFields', value: [{ manager: 'kubectl' }] },
  ]);
});
