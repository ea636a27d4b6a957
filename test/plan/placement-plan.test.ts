import test from 'ava';
import { toClusterName, toRevision, type ClusterName } from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { ServiceSpec } from '../../common/model/kube-object.ts';
import { auditRecords } from '../../coordinator/placement/audit.ts';
import { PendingRevisions } from '../../coordinator/placement/pending.ts';
import { planRecords, type RecordsInput } from '../../coordinator/placement/plan-records.ts';
import { emptyRecord, type PlacementRecord } from '../../coordinator/placement/records.ts';
import { v1SelectorAnnotation } from '../../coordinator/placement/plan-manifest.ts';
import { planPlacement } from '../../coordinator/placement/plan.ts';
import { cluster, nginx, policy, service } from './placement-world.ts';

const clusters = [
  cluster('ams', { region: 'eu', tier: 'gold', size: '10' }),
  cluster('fra', { region: 'eu', size: '3' }),
  cluster('nyc', { region: 'us', tier: 'tin', size: 'many' }),
] as readonly Cluster[];

function placed(policies: readonly object[], annotation?: string): readonly string[] | string {
  const annotations = annotation === undefined ? {} : { [v1SelectorAnnotation]: annotation };
  const plan = planPlacement({
    service: service('nginx', undefined, { annotations }),
    policies: policies as readonly ServicePolicy[],
    clusters,
  });
  return plan.kind === 'placed' ? plan.clusters : `${plan.reason}: ${plan.message}`;
}

test('P1 without a policy a Service goes to every cluster, with one where it says', (t) => {
  const rows: readonly (readonly [object | undefined, readonly string[]])[] = [
    [undefined, ['ams', 'fra', 'nyc']],
    [{}, ['ams', 'fra', 'nyc']],
    [{ clusters: ['nyc', 'unknown', 'ams'] }, ['ams', 'nyc']],
    [{ clusters: [] }, []],
    [{ clusterSelector: {} }, ['ams', 'fra', 'nyc']],
    [{ clusterSelector: { matchLabels: { region: 'eu' } } }, ['ams', 'fra']],
    [select('In', ['gold', 'tin']), ['ams', 'nyc']],
    [select('NotIn', ['gold']), ['fra', 'nyc']],
    [select('Exists'), ['ams', 'nyc']],
    [select('DoesNotExist'), ['fra']],
    [{ clusters: ['ams', 'nyc'], ...select('In', ['gold']) }, ['ams']],
  ];
  for (const [placement, expected] of rows) {
    const policies = placement === undefined ? [] : [policy('nginx', placement)];
    t.deepEqual(placed(policies), expected, JSON.stringify(placement));
  }
});

function select(operator: string, values?: readonly string[]): object {
  return { clusterSelector: { matchExpressions: [{ key: 'tier', operator, values }] } };
}

test('P4 a policy of another Service counts for nothing; of two of one Service the older', (t) => {
  t.deepEqual(placed([policy('other', { clusters: [] })]), ['ams', 'fra', 'nyc']);
  const aged = (name: string, creationTimestamp: string, clusters: readonly string[]) => ({
    ...policy('nginx', { clusters }),
    metadata: { name, namespace: 'web', creationTimestamp },
  });
  const older = aged('z', '2026-01-01T00:00:00Z', ['ams']);
  const younger = aged('a', '2026-01-02T00:00:00Z', ['fra']);
  t.deepEqual(placed([younger, older]), ['ams']);
  const twin = aged('b', '2026-01-02T00:00:00Z', ['nyc']);
  t.deepEqual(placed([twin, younger]), ['fra'], 'of one age the first by name');
  const plan = planPlacement({
    service: service('nginx'),
    policies: [twin, younger, older] as readonly ServicePolicy[],
    clusters,
  });
  t.deepEqual(
    plan.overruled.map(({ metadata }) => metadata.name),
    ['a', 'b'],
  );
});

test("v1's annotation selects with every operator that v1 knew", (t) => {
  const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['=', ['gold'], ['ams']],
    ['==', ['gold'], ['ams']],
    ['in', ['gold', 'tin'], ['ams', 'nyc']],
    ['In', ['gold'], ['ams']],
    ['!=', ['gold'], ['fra', 'nyc']],
    ['notin', ['gold', 'tin'], ['fra']],
    ['NotIn', ['gold'], ['fra', 'nyc']],
    ['exists', [], ['ams', 'nyc']],
    ['Exists', [], ['ams', 'nyc']],
    ['!', [], ['fra']],
    ['DoesNotExist', [], ['fra']],
  ];
  for (const [operator, values, expected] of rows) {
    const annotation = JSON.stringify([{ key: 'tier', operator, values }]);
    t.deepEqual(placed([], annotation), expected, operator);
  }
  for (const operator of ['gt', 'Gt', '>']) {
    t.deepEqual(placed([], JSON.stringify([{ key: 'size', operator, values: ['3'] }])), ['ams']);
  }
  for (const operator of ['lt', 'Lt', '<']) {
    t.deepEqual(placed([], JSON.stringify([{ key: 'size', operator, values: ['10'] }])), ['fra']);
  }
  t.deepEqual(placed([], '[]'), ['ams', 'fra', 'nyc']);
});

test('I3 P2 an annotation that cannot be read is refused with the place of the fault', (t) => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['', /not JSON/],
    ['{}', /expected a JSON list/],
    ['[1]', /\[0\]: expected an object/],
    ['[{"operator":"in","values":["x"]}]', /\[0\]: key/],
    ['[{"key":"a","operator":"exists"},{"key":"a","operator":"like"}]', /\[1\]: operator/],
    ['[{"key":"a","operator":"toString"}]', /\[0\]: operator/],
    ['[{"key":"a","operator":"in"}]', /\[0\]: values: In needs at least one/],
    ['[{"key":"a","operator":"in","values":"x"}]', /\[0\]: values: expected a list/],
    ['[{"key":"a","operator":"exists","values":["x"]}]', /\[0\]: values: Exists takes none/],
    ['[{"key":"a","operator":"=","values":["x","y"]}]', /\[0\]: values: = needs exactly one/],
    ['[{"key":"a","operator":"gt","values":["x"]}]', /\[0\]: values: Gt needs one whole number/],
  ];
  for (const [annotation, expected] of rows) {
    t.regex(String(placed([], annotation)), expected, annotation);
  }
});

function manifestOf(spec: ServiceSpec & Readonly<Record<string, unknown>>) {
  const object = service('nginx', spec, {
    uid: 'u',
    resourceVersion: '7',
    labels: { run: 'nginx' },
    annotations: {
      'example.com/kept': 'yes',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'isthmus.dev/note': 'x',
      [v1SelectorAnnotation]: '[]',
    },
  });
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
  return planPlacement({ service: { ...object, status }, policies: [], clusters }).manifest;
}

test('P3 the manifest holds what the user wrote and nothing that a cluster allocates', (t) => {
  const manifest = manifestOf({
    type: 'LoadBalancer',
    ports: [{ name: 'http', port: 80, targetPort: 'web', nodePort: 30_080 }],
    selector: { run: 'nginx' },
    clusterIP: '10.0.0.1',
    clusterIPs: ['10.0.0.1'],
    ipFamilies: ['IPv4'],
    healthCheckNodePort: 31_000,
    loadBalancerIP: '192.0.2.9',
    externalTrafficPolicy: 'Local',
  });
  t.deepEqual(manifest, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'nginx',
      namespace: 'web',
      labels: { run: 'nginx' },
      annotations: { 'example.com/kept': 'yes' },
    },
    spec: {
      type: 'LoadBalancer',
      ports: [{ name: 'http', port: 80, targetPort: 'web' }],
      selector: { run: 'nginx' },
      loadBalancerIP: '192.0.2.9',
      externalTrafficPolicy: 'Local',
    },
  });
  t.is(manifestOf({ clusterIP: 'None', clusterIPs: ['None'] }).spec['clusterIP'], 'None');
  t.is(manifestOf({ type: 'ExternalName', externalName: 'x.org' }).spec['externalName'], 'x.org');
  t.is(manifestOf({}).spec.type, 'ClusterIP');
});

const [ams, fra] = [toClusterName('ams'), toClusterName('fra')];

function records(
  more: Partial<Omit<RecordsInput, 'recorded'>> & { readonly recorded?: readonly ClusterName[] },
): RecordsInput {
  const known = new Set<ClusterName>([ams, fra]);
  const wish = { kind: 'place' as const, clusters: [ams, fra] };
  return {
    wish,
    orders: [],
    clusters: known,
    staying: new Map(),
    kept: new Map(),
    going: new Map(),
    ...more,
    recorded: record(...(more.recorded ?? [])),
  };
}

function record(...names: readonly ClusterName[]): PlacementRecord {
  return { ...emptyRecord, clusters: names };
}

function order(name: ClusterName, mode: 'delete' | 'release' = 'delete') {
  return { cluster: name, key: nginx, mode, revision: toRevision(5) };
}

test('R2 an order stands before the record forgets its cluster', (t) => {
  const wish = { kind: 'place' as const, clusters: [ams] };
  t.deepEqual(planRecords(records({ wish, recorded: [ams, fra] })), [
    { kind: 'order', cluster: fra, mode: 'delete' },
    { kind: 'record', record: record(ams) },
  ]);
});

test('R1 R3 the record names a cluster before its standing order is withdrawn', (t) => {
  t.deepEqual(planRecords(records({ recorded: [ams], orders: [order(fra)] })), [
    { kind: 'record', record: record(ams, fra) },
    { kind: 'cancel', order: order(fra) },
  ]);
});

test('a plan that already holds needs no step; a Service that goes keeps its orders', (t) => {
  t.deepEqual(planRecords(records({ recorded: [ams, fra] })), []);
  const wish = { kind: 'remove' as const, mode: 'release' as const };
  t.deepEqual(planRecords(records({ wish, orders: [order(ams, 'release')] })), []);
  t.deepEqual(planRecords(records({ wish, recorded: [ams], orders: [order(ams)] })), [
    { kind: 'order', cluster: ams, mode: 'release' },
    { kind: 'record', record: undefined },
  ]);
});

test('R3 a cluster that is gone needs no order and keeps none', (t) => {
  const wish = { kind: 'place' as const, clusters: [ams] };
  const known = new Set<ClusterName>([ams]);
  t.deepEqual(
    planRecords(records({ wish, recorded: [ams, fra], orders: [order(fra)], clusters: known })),
    [
      { kind: 'record', record: record(ams) },
      { kind: 'cancel', order: order(fra) },
    ],
  );
});

test('I2 I3 the audit doubts steps that lose, contradict or invent a removal', (t) => {
  const doubt = (
    more: Parameters<typeof records>[0],
    steps: ReturnType<typeof planRecords>,
  ): string => auditRecords(records(more), steps) ?? '';
  const recorded = [ams, fra];
  const drop = { kind: 'record' as const, record: record(ams) };
  const remove = { kind: 'order' as const, cluster: fra, mode: 'delete' as const };
  t.regex(doubt({ recorded }, [drop]), /fra would be forgotten/);
  t.regex(doubt({ recorded }, [drop, remove]), /fra would be forgotten/);
  t.regex(doubt({ recorded }, [remove]), /wanted and ordered away/);
  t.regex(
    doubt({ recorded, wish: { kind: 'keep', clusters: recorded } }, [remove]),
    /cannot be read/,
  );
  const nowhere = { kind: 'place' as const, clusters: [] };
  t.regex(doubt({ recorded, wish: nowhere, clusters: new Set() }, [remove]), /no cluster is known/);
  const going = { kind: 'remove' as const, mode: 'delete' as const };
  const cancel = { kind: 'cancel' as const, order: order(fra) };
  t.regex(doubt({ wish: going, orders: [order(fra)] }, [cancel]), /before it was obeyed/);
  t.is(doubt({ recorded, wish: nowhere }, [remove, drop]), '');
});

test('G1 what comes during a run stays pending until a run that began after it', (t) => {
  const pending = new PendingRevisions();
  const revision = (value: number) => toRevision(value);
  pending.expect('a', revision(10));
  pending.begin('a');
  pending.expect('a', revision(15));
  pending.expect('b', revision(12));
  pending.expect('a', revision(18));
  t.is(pending.lowest(), revision(10));
  pending.settle('a');
  t.is(pending.lowest(), revision(12));
  pending.begin('b');
  pending.settle('b');
  t.is(pending.lowest(), revision(15));
  pending.begin('a');
  pending.begin('a'); // the first run met a conflict
  t.is(pending.lowest(), revision(15));
  pending.settle('a');
  t.is(pending.lowest(), undefined);
});
