// The kinds of isthmus.dev have what custom resources have: schemas that say and check everything,
// generations, a status of their own, columns, apply by field.

import { readFileSync } from 'node:fs';
import test from 'ava';
import { clusterKind } from '../../coordinator/api/kinds/isthmus/cluster.ts';
import { joinTokenKind } from '../../coordinator/api/kinds/isthmus/join-token.ts';
import { namespaceKind } from '../../coordinator/api/kinds/namespace.ts';
import { servicePolicyKind } from '../../coordinator/api/kinds/isthmus/service-policy.ts';
import type { Schema } from '../../coordinator/api/machinery/schema/schema.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { kinds } from '../support/api-service.ts';

const base = '/apis/isthmus.dev/v1alpha1';
const clusters = `${base}/clusters`;
const policies = `${base}/namespaces/default/servicepolicies`;
const tokens = `${base}/jointokens`;
const merge = { 'content-type': 'application/merge-patch+json' };
const apply = { 'content-type': 'application/apply-patch+yaml' };
const ours = kinds.filter(({ group }) => group === 'isthmus.dev');

function serve(): Promise<ApiFixture> {
  const caHash = 'ab'.repeat(32);
  return createApiFixture({
    kinds: [namespaceKind, clusterKind, joinTokenKind({ caHash }), servicePolicyKind],
  });
}

interface Stored {
  readonly metadata: {
    readonly generation?: number;
    readonly resourceVersion: string;
    readonly managedFields?: readonly object[];
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

function stored({ json }: { readonly json: object }): Stored {
  return json as Stored;
}

/** Paths of what has no description. */
function silent(schema: Schema, path: string): readonly string[] {
  const here = /\S{2}.*[.?]$/.test(schema.description) ? [] : [path];
  switch (schema.type) {
    case 'object':
      return [
        ...here,
        ...Object.entries(schema.fields).flatMap(([name, field]) =>
          silent(field, `${path}.${name}`),
        ),
      ];
    case 'list':
      return [...here, ...silent(schema.items, `${path}[]`)];
    case 'map':
      return [...here, ...silent(schema.values, `${path}{}`)];
    default:
      return here;
  }
}

test('[k8s 116] every field of our kinds has a description that is a sentence', (t) => {
  t.deepEqual(ours.map(({ kind }) => kind).sort(), [
    'Cluster',
    'DNSAnswerReview',
    'DNSImportReview',
    'DNSPlanReview',
    'DNSRecordSet',
    'DNSZone',
    'JoinToken',
    'ServicePolicy',
    'ServiceShard',
  ]);
  t.deepEqual(
    ours.flatMap(({ kind, schema }) => silent(schema, kind)),
    [],
  );
});

test('[k8s 116] discovery names them with short names, category, verbs and a status', async (t) => {
  const api = await serve();
  const { json } = await api.call('GET', base);
  const all = json['resources'] as readonly Readonly<Record<string, unknown>>[];
  const named = (name: string): unknown => all.find((each) => each['name'] === name);
  t.like(named('clusters'), {
    singularName: 'cluster',
    namespaced: false,
    kind: 'Cluster',
    shortNames: ['cl'],
    categories: ['isthmus'],
  });
  t.like(named('clusters/status'), { kind: 'Cluster', verbs: ['get', 'patch', 'update'] });
  t.like(named('jointokens'), { shortNames: ['jt'], categories: ['isthmus'] });
  t.like(named('servicepolicies'), { shortNames: ['svcpol'], namespaced: true });
  t.like(named('servicepolicies/status'), { kind: 'ServicePolicy' });
});

test('[k8s 116] OpenAPI carries the bounds that the server holds values to', async (t) => {
  const api = await serve();
  const { json } = await api.call('GET', '/openapi/v3/apis/isthmus.dev/v1alpha1');
  const { schemas } = json['components'] as {
    readonly schemas: Readonly<Record<string, { readonly properties: object }>>;
  };
  const of = (name: string): unknown => schemas[`dev.isthmus.v1alpha1.${name}`]?.properties;
  t.like(of('JoinTokenSpec'), {
    cluster: { maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' },
    expirationSeconds: { minimum: 60, maximum: 31536000 },
  });
  t.like(of('Placement'), { clusters: { maxItems: 5000, 'x-kubernetes-list-type': 'set' } });
  t.like(of('ClusterStatus'), {
    conditions: { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
  });
  const v2 = await api.call('GET', '/openapi/v2', undefined, {
    accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  });
  t.is(v2.status, 200);
});

const name = { name: 'x' };
const label = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
const refused: readonly (readonly [string, string, object, string])[] = [
  [
    'a dot in the name',
    clusters,
    { metadata: { name: 'a.b' } },
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ],
  [
    'a long zone',
    clusters,
    { metadata: name, spec: { zone: 'z'.repeat(64) } },
    'spec.zone: Too long: may not be more than 63 bytes',
  ],
  [
    'a life too short',
    tokens,
    { metadata: name, spec: { expirationSeconds: 5 } },
    'spec.expirationSeconds: Invalid value: 5: spec.expirationSeconds in body should be greater than or equal to 60',
  ],
  [
    'a life too long',
    tokens,
    { metadata: name, spec: { expirationSeconds: 31536001 } },
    'spec.expirationSeconds: Invalid value: 31536001: spec.expirationSeconds in body should be less than or equal to 31536000',
  ],
  [
    'a cluster in capitals',
    tokens,
    { metadata: name, spec: { cluster: 'A' } },
    `spec.cluster: Invalid value: "A": spec.cluster in body should match '${label}'`,
  ],
  ['no spec', policies, { metadata: name }, 'spec: Required value'],
  ['no Service', policies, { metadata: name, spec: {} }, 'spec.serviceName: Required value'],
  [
    'a cluster twice',
    policies,
    { metadata: name, spec: { serviceName: 'a', placement: { clusters: ['b', 'c', 'b'] } } },
    'spec.placement.clusters[2]: Duplicate value: "b"',
  ],
  [
    'a cluster that has no legal name',
    policies,
    { metadata: name, spec: { serviceName: 'a', placement: { clusters: ['b_'] } } },
    `spec.placement.clusters[0]: Invalid value: "b_": spec.placement.clusters[0] in body should match '${label}'`,
  ],
  [
    'fewer endpoints than none',
    policies,
    { metadata: name, spec: { serviceName: 'a', health: { minReadyEndpoints: -1 } } },
    'spec.health.minReadyEndpoints: Invalid value: -1: spec.health.minReadyEndpoints in body should be greater than or equal to 0',
  ],
];

for (const [title, path, body, line] of refused) {
  test(`[k8s 116] refused as a custom resource is: ${title}`, async (t) => {
    const api = await serve();
    const { status, json } = await api.call('POST', path, body);
    t.like({ status, reason: json['reason'] }, { status: 422, reason: 'Invalid' });
    const { causes } = json['details'] as {
      readonly causes: readonly { readonly field: string; readonly message: string }[];
    };
    t.deepEqual(
      causes.map(({ field, message }) => `${field}: ${message}`),
      [line],
    );
    t.is(typeof json['message'], 'string');
    t.true(String(json['message']).endsWith(`is invalid: ${line}`));
  });
}

test('[k8s 116] the generation counts changes of the spec alone', async (t) => {
  const api = await serve();
  const made = await api.call('POST', clusters, { metadata: name, spec: { zone: 'a' } });
  t.is(stored(made).metadata.generation, 1);
  const labelled = await api.call(
    'PATCH',
    `${clusters}/x`,
    { metadata: { labels: { a: 'b' } } },
    merge,
  );
  t.is(stored(labelled).metadata.generation, 1);
  const told = await api.call(
    'PATCH',
    `${clusters}/x/status`,
    { status: { region: 'r' }, spec: { zone: 'ignored' } },
    merge,
  );
  t.is(stored(told).metadata.generation, 1);
  t.like(stored(told), { spec: { zone: 'a' }, status: { region: 'r' } });
  const moved = await api.call('PATCH', `${clusters}/x`, { spec: { zone: 'b' } }, merge);
  t.is(stored(moved).metadata.generation, 2);
  t.like(stored(moved).status, { region: 'r' });
});

const ready = {
  type: 'Ready',
  status: 'True',
  reason: 'ClusterReady',
  message: '',
  lastTransitionTime: '2026-01-02T03:04:05Z',
  observedGeneration: 1,
};

test('[k8s 116] a status is written at its endpoint only, and held to its schema', async (t) => {
  const api = await serve();
  const status = { conditions: [ready] };
  await api.call('POST', clusters, { metadata: name, status });
  const path = `${clusters}/x/status`;
  t.is(stored(await api.call('GET', `${clusters}/x`)).status, undefined);
  t.like(stored(await api.call('PATCH', path, { status }, merge)).status, status);
  await api.call('PATCH', `${clusters}/x`, { status: { region: 'no' } }, merge);
  t.deepEqual(stored(await api.call('GET', path)).status, status);
  const lines = async (next: object): Promise<readonly string[]> => {
    const { json } = await api.call('PATCH', path, { status: next }, merge);
    const { causes = [] } = (json['details'] ?? {}) as {
      readonly causes?: readonly { readonly field: string; readonly message: string }[];
    };
    return causes.map(({ field, message }) => `${field}: ${message}`);
  };
  t.deepEqual(await lines({ conditions: [{ ...ready, status: 'Maybe' }] }), [
    'status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"',
  ]);
  t.deepEqual(await lines({ conditions: [ready, ready] }), [
    'status.conditions[1]: Duplicate value: {"type":"Ready"}',
  ]);
  t.deepEqual(await lines({ region: 'r'.repeat(64) }), [
    'status.region: Too long: may not be more than 63 bytes',
  ]);
  t.deepEqual(stored(await api.call('GET', path)).status, status);
});

test('[k8s 116] what an update leaves alone is not judged again', async (t) => {
  const api = await serve();
  await api.put(clusterKind, {
    metadata: { name: 'x' },
    spec: { zone: 'z'.repeat(99), region: 'r' },
  });
  const kept = await api.call('PATCH', `${clusters}/x`, { spec: { region: 's' } }, merge);
  t.is(kept.status, 200, kept.text);
  const worse = await api.call('PATCH', `${clusters}/x`, { spec: { zone: 'z'.repeat(98) } }, merge);
  t.is(worse.status, 422);
});

test('[k8s 116] the spec of a JoinToken cannot be changed, its labels can', async (t) => {
  const api = await serve();
  const made = await api.call('POST', tokens, { metadata: name });
  t.like(stored(made).spec, { expirationSeconds: 3600 });
  const later = await api.call(
    'PATCH',
    `${tokens}/x`,
    { spec: { expirationSeconds: 99 }, metadata: { labels: { a: 'b' } } },
    merge,
  );
  t.like(later, { status: 422 });
  t.regex(later.text, /spec: Invalid value: .*field is immutable/);
  const labelled = await api.call(
    'PATCH',
    `${tokens}/x`,
    { metadata: { labels: { a: 'b' } } },
    merge,
  );
  t.is(labelled.status, 200);
});

test('[k8s 90, 116] a strategic merge patch is 415, as of every custom resource', async (t) => {
  const api = await serve();
  await api.call('POST', clusters, { metadata: name });
  const { status, json } = await api.call(
    'PATCH',
    `${clusters}/x`,
    {},
    {
      'content-type': 'application/strategic-merge-patch+json',
    },
  );
  t.like({ status, reason: json['reason'] }, { status: 415, reason: 'UnsupportedMediaType' });
});

test('[k8s 116] two managers each own their clusters of a policy and their condition', async (t) => {
  const api = await serve();
  const policy = (...names: readonly string[]): object => ({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'x' },
    spec: { serviceName: 'a', placement: { clusters: names } },
  });
  const path = `${policies}/x?fieldManager=`;
  t.is((await api.call('PATCH', `${path}one`, policy('a', 'b'), apply)).status, 201);
  t.is((await api.call('PATCH', `${path}two`, policy('b', 'c'), apply)).status, 200);
  const placed = await api.call('PATCH', `${path}one`, policy('a'), apply);
  t.like(stored(placed).spec, { placement: { clusters: ['a', 'b', 'c'] } });
  const narrowed = await api.call('PATCH', `${path}two`, policy('c'), apply);
  t.like(stored(narrowed).spec, { placement: { clusters: ['a', 'c'] } });

  await api.call('POST', clusters, { metadata: name });
  const say = (manager: string, type: string): Promise<{ readonly json: object }> =>
    api.call(
      'PATCH',
      `${clusters}/x/status?fieldManager=${manager}`,
      {
        apiVersion: 'isthmus.dev/v1alpha1',
        kind: 'Cluster',
        metadata: name,
        status: { conditions: [{ ...ready, type }] },
      },
      apply,
    );
  await say('one', 'Ready');
  const both = stored(await say('two', 'example.com/Checked'));
  t.like(both.status, { conditions: [{ type: 'Ready' }, { type: 'example.com/Checked' }] });
});

test('[k8s 116] a dry run stores nothing; a delete answers a Status', async (t) => {
  const api = await serve();
  const dry = await api.call('POST', `${clusters}?dryRun=All`, { metadata: name });
  t.is(dry.status, 201);
  t.is((await api.call('GET', `${clusters}/x`)).status, 404);
  await api.call('POST', clusters, { metadata: name });
  const { json } = await api.call('DELETE', `${clusters}/x`);
  t.like(json, {
    kind: 'Status',
    status: 'Success',
    details: { name: 'x', group: 'isthmus.dev', kind: 'clusters' },
  });
});

for (const [file, path] of [
  ['clusters/join-token.yaml', tokens],
  ['policies/nginx.yaml', policies],
  ['policies/overrides.yaml', policies],
] as const) {
  test(`[k8s 116] the example ${file} is taken as it stands`, async (t) => {
    const api = await serve();
    const text = readFileSync(new URL(`../../../examples/${file}`, import.meta.url), 'utf8');
    const made = await api.call('POST', `${path}?fieldValidation=Strict`, text, {
      'content-type': 'application/yaml',
    });
    t.is(made.status, 201, made.text);
  });
}

test('[k8s 116] a random name has the form of a name given; a bad beginning is refused', async (t) => {
  const api = await serve();
  const made = await api.call('POST', tokens, { metadata: { generateName: 'edge-' } });
  t.is(made.status, 201, made.text);
  t.regex((made.json['metadata'] as { readonly name: string }).name, /^edge-[a-z0-9]{5}$/);
  const bad = await api.call('POST', tokens, { metadata: { generateName: 'a.b-' } });
  t.is(bad.status, 422);
  t.true(bad.text.includes('must not contain dots'));
});
