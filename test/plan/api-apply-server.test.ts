// Apply and patches through the whole server: what is stored, what is answered, what is refused.

import test from 'ava';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { kindNamed } from '../support/api-service.ts';

const kinds = [kindNamed('Namespace'), kindNamed('ConfigMap'), kindNamed('Cluster')];
const path = '/api/v1/namespaces/default/configmaps/a';
const applyType = { 'content-type': 'application/apply-patch+yaml' };
const mergeType = { 'content-type': 'application/merge-patch+json' };

const start = (): Promise<ApiFixture> => createApiFixture({ kinds });

function config(data: object, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', ...metadata }, data };
}

const revisionOf = ({ json }: { readonly json: Readonly<Record<string, unknown>> }): unknown =>
  Object(json['metadata'])['resourceVersion'];

test('[k8s 94, 75] apply creates with 201, then answers 200 and writes nothing new', async (t) => {
  const { call } = await start();
  const created = await call('PATCH', `${path}?fieldManager=m`, config({ a: '1' }), applyType);
  const again = await call('PATCH', `${path}?fieldManager=m`, config({ a: '1' }), applyType);
  t.deepEqual([created.status, again.status], [201, 200]);
  t.is(again.text, created.text);
  const keys = Object.keys(Object(created.json['metadata']));
  t.deepEqual(keys, [
    'name',
    'namespace',
    'uid',
    'resourceVersion',
    'creationTimestamp',
    'managedFields',
  ]);
});

test('[k8s 103] a dry run of apply shows who would own what, and stores nothing', async (t) => {
  const { call } = await start();
  const target = `${path}?fieldManager=m&dryRun=All`;
  const tried = await call('PATCH', target, config({ a: '1' }), applyType);
  t.is(tried.status, 201);
  t.regex(tried.text, /"managedFields":\[\{"manager":"m","operation":"Apply"/);
  t.is((await call('GET', path)).status, 404);
});

for (const [title, metadata, status, message] of [
  [
    'a uid of what is not there',
    { uid: 'x' },
    409,
    'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid x, and no existing object was found',
  ],
  [
    'another name',
    { name: 'b' },
    400,
    'the name of the object (b) does not match the name on the URL (a)',
  ],
  [
    'no name',
    { name: null },
    400,
    'the name of the object (a based on URL) was undeterminable: name must be provided',
  ],
] as const) {
  test(`[k8s 99] apply refuses ${title}`, async (t) => {
    const { call } = await start();
    const target = `${path}?fieldManager=m`;
    const refused = await call('PATCH', target, config({ a: '1' }, metadata), applyType);
    t.is(refused.status, status);
    t.is(refused.json['message'], message);
  });
}

test('[k8s 99, 89] a version that was overtaken is refused with 409', async (t) => {
  const { call } = await start();
  const target = `${path}?fieldManager=m`;
  const first = await call('PATCH', target, config({ a: '1' }), applyType);
  await call('PATCH', `${path}?fieldManager=p`, { data: { b: '2' } }, mergeType);
  const resourceVersion = revisionOf(first);
  const stale = config({ a: '2' }, { resourceVersion });
  t.is((await call('PATCH', target, stale, applyType)).status, 409);
  const patch = { metadata: { resourceVersion }, data: { c: '3' } };
  t.is((await call('PATCH', path, patch, mergeType)).status, 409);
});

test('[k8s 89] patches at the same time that name no version all land', async (t) => {
  const { call } = await start();
  await call('PATCH', `${path}?fieldManager=m`, config({}), applyType);
  const names = Array.from({ length: 5 }, (_, index) => `k${index}`);
  const answers = await Promise.all(
    names.map((name) => call('PATCH', path, { data: { [name]: 'x' } }, mergeType)),
  );
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const { json } = await call('GET', path);
  t.deepEqual(Object.keys(Object(json['data'])).sort(), names);
});

test('[k8s 90] a kind of ours takes no strategic merge patch and says what it takes', async (t) => {
  const { call } = await start();
  const refused = await call('PATCH', '/apis/isthmus.dev/v1alpha1/clusters/one', '{}', {
    'content-type': 'application/strategic-merge-patch+json',
  });
  t.is(refused.status, 415);
  t.is(
    refused.json['message'],
    'the body of the request was in an unknown format - accepted media types include: ' +
      'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  );
});

test('[k8s 33] a body may leave out its kind and apiVersion', async (t) => {
  const { call } = await start();
  const target = '/api/v1/namespaces/default/configmaps';
  const created = await call('POST', target, { metadata: { name: 'b' } });
  t.is(created.status, 201);
  t.like(created.json, { kind: 'ConfigMap', apiVersion: 'v1' });
});
