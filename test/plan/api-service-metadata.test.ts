import test from 'ava';
import { systemChance } from '../../common/runtime/chance.ts';
import { createServiceApi, messageOf, servicesPath, specOf } from '../support/service-api.ts';

const one = { ports: [{ port: 80 }] };

interface Meta {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly generateName?: string;
  readonly generation?: number;
  readonly selfLink?: string;
  readonly deletionTimestamp?: string;
}

function metaOf(answer: { readonly json: Readonly<Record<string, unknown>> }): Meta {
  return answer.json['metadata'] as Meta;
}

test('[k8s 27] a generated name is 58 characters and five of Kubernetes’ alphabet', async (t) => {
  const { create } = await createServiceApi();
  const generateName = `a${'b'.repeat(61)}-`;
  const { name } = metaOf(await create('', one, { generateName }));
  t.is(name.length, 63);
  t.true(name.startsWith(`a${'b'.repeat(57)}`));
  t.regex(name.slice(58), /^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  const short = metaOf(await create('', one, { generateName: 'web-' }));
  t.regex(short.name, /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  t.is(short.generateName, 'web-');
});

test('[k8s 27] after eight names that are taken it is 409, with a time to wait', async (t) => {
  const suffixes: string[] = [];
  let fixed = 0;
  const bytes = (count: number): Uint8Array => {
    suffixes.push(String(fixed));
    return new Uint8Array(count).fill(fixed);
  };
  const { create } = await createServiceApi({ chance: { ...systemChance, bytes } });
  const generateName = 'web-';
  t.is(metaOf(await create('', one, { generateName })).name, 'web-bbbbb');
  suffixes.length = 0;
  const refused = await create('', one, { generateName });
  t.is(refused.status, 409);
  t.is(
    messageOf(refused),
    'services "web-bbbbb" already exists, the server was not able to generate a unique name for the object',
  );
  t.like(refused.json, { reason: 'AlreadyExists', details: { retryAfterSeconds: 1 } });
  t.is(refused.headers['retry-after'], '1');
  t.is(suffixes.length, 8);
  fixed = 1;
  t.is(metaOf(await create('', one, { generateName })).name, 'web-ccccc');
});

test('[k8s 27] a prefix that cannot begin a name is refused under its own field', async (t) => {
  const { create } = await createServiceApi();
  const refused = await create('', one, { generateName: '1a-' });
  t.is(refused.status, 422);
  t.regex(
    messageOf(refused),
    /metadata\.generateName: Invalid value: "1a-": a DNS-1035 label must/,
  );
  t.regex(messageOf(refused), /metadata\.name: Invalid value: "1a-[a-z0-9]{5}": a DNS-1035 label/);
  const long = await create('', one, { generateName: 'a'.repeat(64) });
  t.regex(messageOf(long), /generateName: Invalid value: "a{64}": must be no more than 63 char/);
});

test('[k8s 26] what only the server may say is said by the server', async (t) => {
  const { create } = await createServiceApi();
  const forged = {
    uid: 'mine',
    creationTimestamp: '1999-01-01T00:00:00Z',
    deletionTimestamp: '1999-01-01T00:00:00Z',
    deletionGracePeriodSeconds: 5,
    selfLink: '/x',
    generation: 7,
  };
  const meta = metaOf(await create('a', one, forged));
  t.regex(meta.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  t.not(meta.creationTimestamp, '1999-01-01T00:00:00Z');
  t.is(meta.deletionTimestamp, undefined);
  t.is(meta.selfLink, undefined);
  t.is(meta.generation, 7, 'of a Service nobody manages the generation');
  const withRevision = await create('b', one, { resourceVersion: '5' });
  t.is(withRevision.status, 500);
  t.is(messageOf(withRevision), 'resourceVersion should not be set on objects to be created');
});

test('[k8s 29] the status of a create is ignored', async (t) => {
  const { fixture } = await createServiceApi();
  const status = { loadBalancer: { ingress: [{ ip: 'x' }] } };
  const body = { metadata: { name: 'a' }, spec: { ...one, type: 'LoadBalancer' }, status };
  const answer = await fixture.call('POST', servicesPath, body);
  t.is(answer.status, 201);
  t.deepEqual(answer.json['status'], { loadBalancer: {} });
});

test('[k8s 33] kind and apiVersion may be left out', async (t) => {
  const { fixture } = await createServiceApi();
  const answer = await fixture.call('POST', servicesPath, { metadata: { name: 'a' }, spec: one });
  t.is(answer.status, 201);
  t.like(answer.json, { kind: 'Service', apiVersion: 'v1' });
});

test('[k8s 28] there is no Service without its namespace, nor in one that goes', async (t) => {
  const { fixture } = await createServiceApi();
  const body = { metadata: { name: 'a' }, spec: { ...one, clusterIP: '1.2.3.4' } };
  const missing = await fixture.call('POST', '/api/v1/namespaces/nope/services', body);
  t.is(missing.status, 404, 'before anything is judged or given');
  t.is(messageOf(missing), 'namespaces "nope" not found');
  await fixture.call('POST', '/api/v1/namespaces', {
    metadata: { name: 'going', finalizers: ['a/b'] },
  });
  await fixture.call('DELETE', '/api/v1/namespaces/going');
  const late = await fixture.call('POST', '/api/v1/namespaces/going/services', {
    metadata: { name: 'a' },
    spec: one,
  });
  t.is(late.status, 403);
  t.like(late.json['details'], {
    causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }],
  });
});

test('[k8s 72] a PUT replaces the version that it names, or whatever is there', async (t) => {
  const { create, get, put } = await createServiceApi();
  const first = await create('a', one);
  const { resourceVersion } = metaOf(first);
  const body = (metadata: object, selector: object) => ({
    metadata: { name: 'a', ...metadata },
    spec: { ...one, selector },
  });
  t.is((await put('a', body({}, { a: '1' }))).status, 200);
  const stale = await put('a', body({ resourceVersion }, { a: '2' }));
  t.is(stale.status, 409);
  t.is(
    messageOf(stale),
    'Operation cannot be fulfilled on services "a": the object has been modified; please apply your changes to the latest version and try again',
  );
  const current = metaOf(await get('a')).resourceVersion;
  t.is((await put('a', body({ resourceVersion: current }, { a: '2' }))).status, 200);
  t.is((await put('a', body({ uid: 'other' }, { a: '3' }))).status, 409);
  const named = await put('a', { metadata: { name: 'b' }, spec: one });
  t.is(named.status, 400);
  t.is(messageOf(named), 'the name of the object (b) does not match the name on the URL (a)');
  t.is(specOf(await get('a'))['clusterIP'], specOf(first)['clusterIP']);
});

test('[k8s 73] a PUT to what is not there creates it', async (t) => {
  const { put } = await createServiceApi();
  const body = { metadata: { name: 'a' }, spec: one };
  t.is((await put('a', body)).status, 201);
  t.is((await put('a', body)).status, 200);
});

test('[k8s 74] what may not change is restored, or refused', async (t) => {
  const { create, patch } = await createServiceApi();
  const before = metaOf(await create('a', one));
  const restored = await patch('a', {
    metadata: { creationTimestamp: '1999-01-01T00:00:00Z', generation: 9, selfLink: '/x' },
  });
  t.is(restored.status, 200);
  t.deepEqual(metaOf(restored), before);
  const dying = await patch('a', { metadata: { deletionTimestamp: '1999-01-01T00:00:00Z' } });
  t.is(dying.status, 422);
  t.is(
    messageOf(dying),
    'Service "a" is invalid: metadata.deletionTimestamp: Invalid value: "1999-01-01T00:00:00Z": field is immutable',
  );
  t.is((await patch('a', { metadata: { name: 'b' } })).status, 400);
});

test('[k8s 75] a write that changes nothing is no write', async (t) => {
  const { create, put, patch, desired, get } = await createServiceApi();
  await create('a', { ...one, type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
  const { json } = await get('a');
  const before = desired.revision();
  t.deepEqual((await put('a', json)).json, json);
  t.deepEqual((await patch('a', {})).json, json);
  t.deepEqual(
    (await patch('a', { spec: { clusterIP: null, healthCheckNodePort: null } })).json,
    json,
  );
  t.is(desired.revision(), before);
});

test('[k8s 80] addresses of before there were rules do not stand in the way of an update', async (t) => {
  const { create, fixture, patch, desired } = await createServiceApi();
  await create('a', { ...one, type: 'LoadBalancer' });
  const stored = await fixture.call('GET', `${servicesPath}/a`);
  const spec = { ...specOf(stored), externalIPs: ['bad'], loadBalancerSourceRanges: ['worse'] };
  const [live] = [...desired.list('core/services/')];
  if (live === undefined) return t.fail('not stored');
  const status = { loadBalancer: { ingress: [{ ip: 'worst', ipMode: 'VIP' }] } };
  await desired.write({
    key: live.key,
    object: { ...live.object, spec, status },
    expected: live.revision,
  });
  const labelled = await patch('a', { metadata: { labels: { a: 'b' } } });
  // What was stored counts as an address; that nobody can reach it is said again.
  t.is(labelled.status, 422);
  t.regex(
    messageOf(labelled),
    /spec\.externalIPs\[0\]: Invalid value: "bad": must be a valid IP address$/,
  );
  const freed = await patch('a', { spec: { externalIPs: null } });
  t.is(freed.status, 200);
  const more = await patch('a', { spec: { loadBalancerSourceRanges: ['worse', 'new'] } });
  t.regex(messageOf(more), /LoadBalancerSourceRanges\[1\]: Invalid value: "new"/);
  t.notRegex(messageOf(more), /LoadBalancerSourceRanges\[0\]/);
  t.is((await patch('a/status', { metadata: { labels: { c: 'd' } } })).status, 200);
});
