// Adoption: which Services of others become shards, what is kept of them, and how they get it back.

import test from 'ava';
import { toContentHash } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import {
  adoptedMark,
  formerSpecMark,
  shardHashMark,
  shardOfMark,
  adoptionMark,
} from '../../common/pure/shard-marks.ts';
import { auditShard } from '../../agent/shard/audit.ts';
import { parseFormerShape, toFormerShape } from '../../agent/shard/former-shape.ts';
import { planRelease } from '../../agent/shard/plan-release.ts';
import { planShard } from '../../agent/shard/plan.ts';
import { toManifest } from '../../coordinator/placement/plan-manifest.ts';
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

test('the policy’s adoption reaches the agent in the shard’s bytes, and always says nothing', (t) => {
  const service: Service = { ...foreign, spec: manifest.spec };
  const marks = (adoption?: 'always' | 'ifEqual' | 'never'): object | undefined =>
    toManifest(service, {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'ServicePolicy',
      metadata: { name: 'p' },
      spec: { serviceName: 'nginx', ...(adoption === undefined ? {} : { adoption }) },
    }).metadata.annotations;
  t.is(marks(), undefined);
  t.is(marks('always'), undefined);
  t.deepEqual(marks('never'), { [adoptionMark]: 'never' });
  t.deepEqual(marks('ifEqual'), { [adoptionMark]: 'ifEqual' });
});

test('a released Service that was adopted gets back what we changed, and keeps what others own', (t) => {
  const before: Service = {
    ...foreign,
    metadata: {
      ...foreign.metadata,
      labels: { app: 'old', team: 'web' },
      annotations: { note: 'n', theirs: '1' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.0.0.1',
      ports: [{ name: 'a', port: 81, protocol: 'TCP', targetPort: 81 }],
      selector: { app: 'old' },
    },
  };
  const marks = {
    [shardOfMark]: 'fed',
    [adoptedMark]: 'true',
    [formerSpecMark]: toFormerShape(before),
  };
  const withAffinity: Service['spec'] & { readonly sessionAffinity: string } = {
    ...shard.spec,
    sessionAffinity: 'ClientIP',
    externalIPs: ['1.2.3.4'],
  };
  const live: Service = {
    ...shard,
    metadata: {
      ...shard.metadata,
      labels: { app: 'nginx', team: 'theirs since', extra: 'ours' },
      annotations: { ...marks, note: 'n', theirs: '2', added: 'ours' },
      managedFields: [
        {
          manager: 'isthmus',
          operation: 'Apply',
          fieldsV1: {
            'f:metadata': {
              'f:labels': { 'f:app': {}, 'f:extra': {} },
              'f:annotations': { 'f:added': {}, 'f:isthmus.dev/shard-of': {} },
            },
            'f:spec': { 'f:type': {}, 'f:ports': {}, 'f:selector': {}, 'f:sessionAffinity': {} },
          },
        },
        { manager: 'them', operation: 'Update' },
      ],
    },
    spec: withAffinity,
  };
  const { patch, isRestored } = planRelease(live, 'isthmus');
  t.true(isRestored);
  const by = new Map(
    patch.map(({ op, path, value }) => [String(path), op === 'remove' ? op : value]),
  );
  t.is(by.get('/metadata/labels/app'), 'old');
  t.is(by.get('/metadata/labels/extra'), 'remove');
  t.false(by.has('/metadata/labels/team'));
  t.is(by.get('/metadata/annotations/added'), 'remove');
  t.false(by.has('/metadata/annotations/theirs'));
  t.is(by.get('/metadata/annotations/isthmus.dev~1former-spec'), 'remove');
  t.is(by.get('/spec/type'), 'ClusterIP');
  t.deepEqual(by.get('/spec/selector'), { app: 'old' });
  t.deepEqual(by.get('/spec/ports'), before.spec.ports);
  t.is(by.get('/spec/sessionAffinity'), 'remove');
  t.false(by.has('/spec/externalIPs'));
  t.deepEqual(by.get('/metadata/managedFields'), [{ manager: 'them', operation: 'Update' }]);
});

test('what is on record of a former shape is read with care', (t) => {
  for (const text of ['', 'nonsense', '[]', '{"tooLarge":true}', '{"spec":{"ports":[]}}', '7']) {
    t.is(parseFormerShape(text), undefined, text);
  }
  const read = parseFormerShape(toFormerShape(foreign));
  t.is(read?.spec['type'], 'LoadBalancer');
  t.false('clusterIP' in (read?.spec ?? {}));
});
