import { createHash } from 'node:crypto';
import test from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { formatAge } from '../../coordinator/api/kinds/columns.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { created, decode, kindNamed, kinds, lines, rowOf } from '../support/api-service.ts';

for (const [ms, text] of [
  [-5000, '<invalid>'],
  [0, '0s'],
  [119_999, '119s'],
  [120_000, '2m'],
  [135_000, '2m15s'],
  [600_000, '10m'],
  [3 * 3_600_000, '3h'],
  [3 * 3_600_000 + 60_000, '3h1m'],
  [8 * 3_600_000 + 60_000, '8h'],
  [48 * 3_600_000, '2d'],
  [50 * 3_600_000, '2d2h'],
  [8 * 86_400_000 + 3_600_000, '8d'],
  [729 * 86_400_000, '729d'],
  [731 * 86_400_000, '2y1d'],
  [9 * 365 * 86_400_000, '9y'],
] as const) {
  test(`an age of ${ms} ms is ${text}`, (t) => t.is(formatAge(ms), text));
}

test('I9. a JoinToken shows its token once; only the hash of its secret is stored', (t) => {
  const kind = kindNamed('JoinToken');
  const asked = decode(
    { metadata: { name: 'first' }, spec: { cluster: 'one' } },
    'Strict',
    kind,
  ).object;
  const prepared = created(asked, kind);
  const stored = kind.toStored?.(prepared) ?? prepared;
  const secret = Buffer.alloc(32, 7).toString('base64url');
  t.deepEqual(stored.status, {
    tokenHash: createHash('sha256').update(secret).digest('hex'),
    expirationTimestamp: '2026-01-02T01:00:00Z',
  });
  t.false(JSON.stringify(stored).includes(secret));
  const answer = kind.toCreateAnswer?.(stored, prepared);
  t.like(answer?.status, { token: `isthmus.v1.first.${secret}.${'ab'.repeat(16)}` });
  t.deepEqual(kind.validate(prepared), []);
  t.like(rowOf(kind, stored), { Cluster: 'one', Expires: 'in 60m', 'Used-By': '' });
  const bad = decode(
    { metadata: { name: 'first' }, spec: { cluster: 'A', expirationSeconds: 5 } },
    'Strict',
    kind,
  );
  t.deepEqual(
    kind.validate(bad.object).map(({ field }) => field),
    ['spec.cluster', 'spec.expirationSeconds'],
  );
  const changed = { ...stored, spec: { cluster: 'two', expirationSeconds: 3600 } };
  t.is(kind.validateUpdate?.(changed, stored)[0]?.field, 'spec');
});

test('a Cluster is named like a DNS label and shows what is declared before what is found', (t) => {
  const kind = kindNamed('Cluster');
  const cluster: KubeObject = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'one', creationTimestamp: '2026-01-01T23:59:50Z' },
    spec: { zone: 'z1' },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Telemetry', status: 'False' },
      ],
      zones: ['a', 'b'],
      region: 'r',
      kubernetesVersion: 'v1.33.0',
    },
  };
  t.deepEqual(Object.values(rowOf(kind, cluster)), [
    'one',
    'True',
    'Unknown',
    'Enabled',
    'r',
    'z1',
    '',
    'v1.33.0',
    'Stale',
    '10s',
  ]);
  t.deepEqual(kind.nameRule?.('a.b', false), ['must not contain dots']);
});

test('a ServicePolicy names a Service and legal selectors', (t) => {
  const kind = kindNamed('ServicePolicy');
  const policy = (spec: object): readonly string[] =>
    lines(
      kind.validate(
        decode({ metadata: { name: 'a', namespace: 'd' }, spec }, 'Strict', kind).object,
      ),
    );
  t.deepEqual(policy({ serviceName: 'nginx', placement: { clusters: ['one'] } }), []);
  t.deepEqual(policy({}), ['spec.serviceName: Required value']);
  const matchExpressions = [
    { key: 'a', operator: 'In' },
    { key: 'b', operator: 'Has' },
  ];
  t.deepEqual(
    policy({ serviceName: 'nginx', placement: { clusterSelector: { matchExpressions } } }),
    [
      "spec.placement.clusterSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      'spec.placement.clusterSelector.matchExpressions[1].operator: Unsupported value: "Has": supported values: "DoesNotExist", "Exists", "In", "NotIn"',
    ],
  );
});

test('a Namespace carries its name as a label; three may not be deleted', (t) => {
  const kind = kindNamed('Namespace');
  const object = created(decode({ metadata: { name: 'shop' } }, 'Strict', kind).object, kind);
  t.deepEqual(object.metadata.labels, { 'kubernetes.io/metadata.name': 'shop' });
  t.deepEqual([object.spec, object.status], [{ finalizers: ['kubernetes'] }, { phase: 'Active' }]);
  t.is(kind.forbidDelete?.(object), undefined);
  const protectedOne = { ...object, metadata: { name: 'default' } };
  t.is(kind.forbidDelete?.(protectedOne), 'this namespace may not be deleted');
});

test('a Secret takes text and keeps base64; an immutable ConfigMap keeps its data', (t) => {
  const secret = kindNamed('Secret');
  const object = decode(
    { metadata: { name: 'a' }, stringData: { k: 'v' } },
    'Strict',
    secret,
  ).object;
  t.like(object, { type: 'Opaque', data: { k: 'dg==' } });
  t.false('stringData' in object);
  const map = kindNamed('ConfigMap');
  const of = (data: object) =>
    decode({ metadata: { name: 'a' }, data, immutable: true }, 'Strict', map).object;
  t.deepEqual(lines(map.validateUpdate?.(of({ a: '2' }), of({ a: '1' })) ?? []), [
    'data: Forbidden: field is immutable when `immutable` is set',
  ]);
});

test('short names and categories do not clash; projections only read and are not in `all`', (t) => {
  // Both faces of an Event have the same names, as in Kubernetes.
  const short = kinds
    .filter(({ storedAs }) => storedAs === undefined)
    .flatMap(({ shortNames }) => shortNames);
  t.is(new Set(short).size, short.length);
  for (const kind of kinds.filter(({ storage }) => storage === 'projected')) {
    // A delete decides about a shard that nobody wants.
    const isShard = kind.kind === 'ServiceShard';
    t.deepEqual(kind.verbs, ['get', 'list', 'watch', ...(isShard ? ['delete'] : [])]);
    t.false(kind.categories.includes('all'));
  }
});

test('a member cluster takes what kubectl run sends', (t) => {
  const pod = memberKinds().find(({ kind }) => kind === 'Pod');
  if (pod === undefined) throw new Error('no Pod');
  const sent = {
    metadata: { name: 'nginx', namespace: 'd', labels: { run: 'nginx' }, creationTimestamp: null },
    spec: {
      containers: [
        { name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }], resources: {} },
      ],
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
    },
    status: {},
  };
  const { object } = decode(sent, 'Strict', pod);
  t.deepEqual(pod.validate(object), []);
  t.like(object.spec, { containers: [{ ports: [{ containerPort: 80, protocol: 'TCP' }] }] });
  t.like(rowOf(pod, created(object, pod)), {
    Ready: '0/1',
    Status: 'Pending',
  });
});
