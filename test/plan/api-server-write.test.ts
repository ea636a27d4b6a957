import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import type { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';
import { forbiddenBecause } from '../../coordinator/api/machinery/answer/status-error.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { gadgetKind, namespaceKind } from '../support/api-kinds.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const widgets = '/apis/test.dev/v1/namespaces/default/widgets';
const merge = { 'content-type': 'application/merge-patch+json' };
const apply = { 'content-type': 'application/apply-patch+yaml' };

const gadget = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Gadget',
  metadata: { name, ...more },
  spec: { colour: 'red' },
});
const widget = (name: string, size = 1) => ({
  apiVersion: 'test.dev/v1',
  kind: 'Widget',
  metadata: { name },
  spec: { size },
  status: { phase: 'Forged' },
});

interface Body {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec?: unknown;
  readonly status?: unknown;
}

function body(json: Readonly<Record<string, unknown>>): Body {
  return json as unknown as Body;
}

async function created(
  object: object,
  path = gadgets,
): Promise<ApiFixture & { readonly first: Body }> {
  const fixture = await createApiFixture();
  const { status, json, text } = await fixture.call('POST', path, object);
  if (status !== 201) throw new Error(text);
  return { ...fixture, first: body(json) };
}

test('I1 create sets identity, ignores forged metadata, and is read back at once', async (t) => {
  const forged = {
    uid: 'mine',
    creationTimestamp: '1999-01-01T00:00:00Z',
    deletionTimestamp: '1999-01-01T00:00:00Z',
  };
  const { call, first } = await created(gadget('a', forged));
  t.regex(String(first.metadata['uid']), /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  t.is(first.metadata['creationTimestamp'], '2026-01-02T03:04:05Z');
  t.is(first.metadata['deletionTimestamp'], undefined);
  t.is(first.metadata['namespace'], 'default');
  t.deepEqual((await call('GET', `${gadgets}/a`)).json, { ...first });
});

test('a second create is 409 AlreadyExists', async (t) => {
  const { call } = await created(gadget('a'));
  const { status, json } = await call('POST', gadgets, gadget('a'));
  t.is(status, 409);
  t.like(json, { reason: 'AlreadyExists', message: 'gadgets "a" already exists' });
});

test('generateName makes a name of five more characters', async (t) => {
  const { first } = await created({ ...gadget(''), metadata: { generateName: 'thing-' } });
  t.regex(String(first.metadata['name']), /^thing-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});

test('create refuses what cannot be: version, namespace, name, other namespace', async (t) => {
  const { call } = await createApiFixture();
  const versioned = await call('POST', gadgets, gadget('a', { resourceVersion: '7' }));
  t.is(versioned.status, 500);
  t.is(versioned.json['message'], 'resourceVersion should not be set on objects to be created');
  const nowhere = await call('POST', '/api/v1/namespaces/missing/gadgets', gadget('a'));
  t.is(nowhere.status, 404);
  t.is(nowhere.json['message'], 'namespaces "missing" not found');
  const elsewhere = await call('POST', gadgets, gadget('a', { namespace: 'other' }));
  t.is(elsewhere.status, 400);
  const nameless = await call('POST', gadgets, gadget(''));
  t.is(nameless.status, 422);
  const form = await call('POST', gadgets, gadget('a'), {
    'content-type': 'application/vnd.kubernetes.protobuf',
  });
  t.is(form.status, 415);
});

test('an invalid object is 422 with the field, and nothing is stored', async (t) => {
  const { call, desired } = await createApiFixture();
  const before = desired.revision();
  const { status, json } = await call('POST', widgets, widget('w', -1));
  t.is(status, 422);
  t.is(
    json['message'],
    'Widget.test.dev "w" is invalid: spec.size: Invalid value: -1: must not be negative',
  );
  t.is(desired.revision(), before);
});

test('dry run answers as if, and stores nothing', async (t) => {
  const { call, desired } = await created(gadget('a'));
  const before = desired.revision();
  t.is((await call('POST', `${gadgets}?dryRun=All`, gadget('b'))).status, 201);
  t.is((await call('POST', `${gadgets}?dryRun=All`, gadget('a'))).status, 409);
  const patched = await call(
    'PATCH',
    `${gadgets}/a?dryRun=All`,
    { spec: { colour: 'blue' } },
    merge,
  );
  t.deepEqual(body(patched.json).spec, { colour: 'blue' });
  t.is((await call('DELETE', `${gadgets}/a?dryRun=All`)).status, 200);
  t.is((await call('POST', `${gadgets}?dryRun=Some`, gadget('b'))).status, 422);
  t.is(desired.revision(), before);
});

test('status belongs to its endpoint, everything else to the main one', async (t) => {
  const { call, first } = await created(widget('w'), widgets);
  t.is(first.status, undefined);
  const status = await call('PUT', `${widgets}/w/status`, {
    ...first,
    spec: { size: 99 },
    status: { phase: 'Up' },
  });
  t.deepEqual(body(status.json).status, { phase: 'Up' });
  t.deepEqual(body(status.json).spec, { size: 1 });
  const spec = await call(
    'PATCH',
    `${widgets}/w`,
    { spec: { size: 2 }, status: { phase: 'Down' } },
    merge,
  );
  t.deepEqual(body(spec.json).status, { phase: 'Up' });
  t.is(body(spec.json).metadata['generation'], 2);
  const label = await call('PATCH', `${widgets}/w`, { metadata: { labels: { a: 'b' } } }, merge);
  t.is(body(label.json).metadata['generation'], 2);
});

test('U1 a stale resourceVersion is 409, the right one is replaced', async (t) => {
  const { call, first } = await created(gadget('a'));
  const next = { ...first, spec: { colour: 'green' } };
  const good = await call('PUT', `${gadgets}/a`, next);
  t.is(good.status, 200);
  const stale = await call('PUT', `${gadgets}/a`, { ...first, spec: { colour: 'blue' } });
  t.is(stale.status, 409);
  t.is(
    stale.json['message'],
    'Operation cannot be fulfilled on gadgets "a": the object has been modified; ' +
      'please apply your changes to the latest version and try again',
  );
  const patch = {
    metadata: { resourceVersion: first.metadata['resourceVersion'] },
    spec: { colour: 'x' },
  };
  t.is((await call('PATCH', `${gadgets}/a`, patch, merge)).status, 409);
});

test('U2 patches that name no version all land, whoever is first', async (t) => {
  const { call } = await created(gadget('a'));
  const labels = ['p', 'q', 'r', 's'];
  const answers = await Promise.all(
    labels.map((label) =>
      call('PATCH', `${gadgets}/a`, { metadata: { labels: { [label]: '1' } } }, merge),
    ),
  );
  t.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  const { json } = await call('GET', `${gadgets}/a`);
  t.deepEqual(body(json).metadata['labels'], { p: '1', q: '1', r: '1', s: '1' });
});

test('U3 a write that changes nothing writes nothing', async (t) => {
  const { call, desired, first } = await created(gadget('a'));
  const before = desired.revision();
  const put = await call('PUT', `${gadgets}/a`, first);
  t.is(put.status, 200);
  t.is((await call('PATCH', `${gadgets}/a`, { spec: { colour: 'red' } }, merge)).status, 200);
  t.is(desired.revision(), before);
  t.is(body(put.json).metadata['resourceVersion'], first.metadata['resourceVersion']);
});

test('PUT of a missing object creates it where the kind allows, with the right to create', async (t) => {
  const { call } = await createApiFixture({
    authorize: ({ name, verb }) => ({ allowed: name !== 'x' || verb !== 'create' }),
  });
  t.is((await call('PUT', `${gadgets}/a`, gadget('a'))).status, 201);
  t.is((await call('PUT', `${gadgets}/x`, gadget('x'))).status, 403);
  t.is((await call('PUT', `${widgets}/w`, widget('w'))).status, 404);
  t.is((await call('PUT', `${gadgets}/b`, gadget('c'))).status, 400);
  const lost = await call('PUT', `${gadgets}/b`, gadget('b', { uid: 'gone' }));
  t.is(lost.status, 409);
});

test('the patch types that a kind does not take are 415', async (t) => {
  const { call } = await created(widget('w'), widgets);
  const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
  t.is((await call('PATCH', `${widgets}/w`, { spec: {} }, strategic)).status, 415);
  t.is(
    (await call('PATCH', `${widgets}/w`, {}, { 'content-type': 'application/json' })).status,
    415,
  );
  t.is((await call('PATCH', `${widgets}/none`, {}, merge)).status, 404);
});

test('apply creates, changes, and needs a manager', async (t) => {
  const { call } = await createApiFixture();
  const wish = (size: number) => ({
    apiVersion: 'test.dev/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    spec: { size },
  });
  t.is((await call('PATCH', `${widgets}/w`, wish(1), apply)).status, 422);
  const first = await call('PATCH', `${widgets}/w?fieldManager=me`, wish(1), apply);
  t.is(first.status, 201);
  const second = await call('PATCH', `${widgets}/w?fieldManager=me`, wish(2), apply);
  t.is(second.status, 200);
  t.deepEqual(body(second.json).spec, { size: 2 });
  const other = await call('PATCH', `${widgets}/w?fieldManager=you`, wish(3), apply);
  t.is(other.status, 409);
  t.is(
    (await call('PATCH', `${widgets}/w?fieldManager=you&force=true`, wish(3), apply)).status,
    200,
  );
  const same = await call('PATCH', `${widgets}/w?fieldManager=you`, wish(3), apply);
  t.is(
    body(same.json).metadata['resourceVersion'],
    body((await call('GET', `${widgets}/w`)).json).metadata['resourceVersion'],
  );
});

test('delete answers the object or a Status, as the kind says, and 404 after', async (t) => {
  const { call } = await created(gadget('a'));
  await call('POST', widgets, widget('w'));
  const one = await call('DELETE', `${gadgets}/a`, { propagationPolicy: 'Background' });
  t.is(one.json['kind'], 'Gadget');
  const two = await call('DELETE', `${widgets}/w`);
  t.like(two.json, {
    kind: 'Status',
    status: 'Success',
    details: { name: 'w', group: 'test.dev', kind: 'widgets' },
  });
  t.is((await call('DELETE', `${gadgets}/a`)).status, 404);
});

test('delete preconditions name the object that was meant', async (t) => {
  const { call, first } = await created(gadget('a'));
  const uid = await call('DELETE', `${gadgets}/a`, { preconditions: { uid: 'other' } });
  t.is(uid.status, 409);
  t.regex(
    String(uid.json['message']),
    /on Gadget "a": the UID in the precondition \(other\) does not match/,
  );
  t.is(
    (await call('DELETE', `${gadgets}/a`, { preconditions: { resourceVersion: '1' } })).status,
    409,
  );
  t.is((await call('DELETE', `${gadgets}/a`, { propagationPolicy: 'Later' })).status, 422);
  t.is((await call('DELETE', `${gadgets}/a`, { kind: 'Pod' })).status, 400);
  t.is(
    (await call('DELETE', `${gadgets}/a`, { preconditions: { uid: first.metadata['uid'] } }))
      .status,
    200,
  );
});

test('D1 finalizers hold an object until the write that takes the last one away', async (t) => {
  const { call } = await created(gadget('a', { finalizers: ['test.dev/hold'] }));
  const marked = await call('DELETE', `${gadgets}/a`);
  t.is(body(marked.json).metadata['deletionTimestamp'], '2026-01-02T03:04:05Z');
  t.is(body(marked.json).metadata['deletionGracePeriodSeconds'], 0);
  const again = await call('DELETE', `${gadgets}/a`);
  t.deepEqual(again.json, marked.json);
  const freed = await call('PATCH', `${gadgets}/a`, { metadata: { finalizers: null } }, merge);
  t.is(freed.status, 200);
  t.is((await call('GET', `${gadgets}/a`)).status, 404);
});

test('P1 orphan and foreground deletes go once nothing else holds the object', async (t) => {
  const { call } = await created(gadget('a'));
  await call('POST', gadgets, gadget('b', { finalizers: ['test.dev/hold'] }));
  const settled = () =>
    new Promise((resolve) => systemClock.soon(() => systemClock.soon(() => resolve(undefined))));
  const foreground = await call('DELETE', `${gadgets}/a`, { propagationPolicy: 'Foreground' });
  t.deepEqual(body(foreground.json).metadata['finalizers'], ['foregroundDeletion']);
  await call('DELETE', `${gadgets}/b`, { propagationPolicy: 'Orphan' });
  await settled();
  t.is((await call('GET', `${gadgets}/a`)).status, 404);
  const held = await call('GET', `${gadgets}/b`);
  t.deepEqual(body(held.json).metadata['finalizers'], ['test.dev/hold']);
  await call('PATCH', `${gadgets}/b`, { metadata: { finalizers: [] } }, merge);
  t.is((await call('GET', `${gadgets}/b`)).status, 404);
});

test('D2 a namespace is emptied, refuses new objects meanwhile, and then goes', async (t) => {
  const fixture = await createApiFixture();
  const { call, put } = fixture;
  await put(namespaceKind, { metadata: { name: 'n' } });
  const inN = '/api/v1/namespaces/n/gadgets';
  t.is((await call('POST', inN, gadget('free'))).status, 201);
  t.is((await call('POST', inN, gadget('held', { finalizers: ['test.dev/hold'] }))).status, 201);
  const deleted = await call('DELETE', '/api/v1/namespaces/n');
  t.like(deleted.json, { status: { phase: 'Terminating' } });
  const late = await call('POST', inN, gadget('late'));
  t.is(late.status, 403);
  t.regex(String(late.json['message']), /because it is being terminated/);
  const watch = await fixture.watch('/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3Dn');
  await watch.events();
  t.is((await call('GET', `${inN}/free`)).status, 404);
  t.is((await call('GET', '/api/v1/namespaces/n')).status, 200);
  await call('PATCH', `${inN}/held`, { metadata: { finalizers: null } }, merge);
  await watch.events();
  t.deepEqual(
    (await watch.events()).map(({ type }) => type),
    ['ADDED', 'MODIFIED', 'DELETED'],
  );
  t.is((await call('DELETE', '/api/v1/namespaces/default')).status, 403);
});

test('admission may warn and may refuse', async (t) => {
  const refusal: ApiError = forbiddenBecause({
    group: '',
    resource: 'gadgets',
    name: 'bad',
    why: 'it is bad',
  });
  const { call } = await createApiFixture({
    admit: ({ object }) =>
      object?.metadata.name === 'bad'
        ? Promise.reject(refusal)
        : Promise.resolve({ warnings: ['it exists in "a" already', 'twice', 'twice'] }),
  });
  const warned = await call('POST', gadgets, gadget('good'));
  t.deepEqual(warned.headers['warning'], ['299 - "it exists in \\"a\\" already"', '299 - "twice"']);
  t.is((await call('POST', gadgets, gadget('bad'))).status, 403);
});

test('strict validation refuses an unknown field, warning keeps going without it', async (t) => {
  const { call } = await createApiFixture();
  const odd = { ...gadget('a'), spec: { colour: 'red', taste: 'sweet' } };
  const strict = await call('POST', `${gadgets}?fieldValidation=Strict`, odd);
  t.is(strict.status, 400);
  t.regex(String(strict.json['message']), /unknown field "spec.taste"/);
  const warned = await call('POST', gadgets, odd);
  t.is(warned.status, 201);
  t.deepEqual(warned.headers['warning'], ['299 - "unknown field \\"spec.taste\\""']);
});

test('a write of the same kind of object by two clients keeps exactly one winner', async (t) => {
  const { call } = await createApiFixture();
  const answers = await Promise.all([1, 2, 3].map(() => call('POST', gadgets, gadget('a'))));
  t.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
  t.is(gadgetKind.plural, 'gadgets');
});
