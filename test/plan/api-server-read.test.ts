import test from 'ava';
import { formatContinue } from '../../coordinator/api/machinery/request/continue-token.ts';
import { createDiscovery } from '../../coordinator/api/machinery/openapi/discovery.ts';
import { kinds } from '../support/api-service.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { gadgetKind, widgetKind } from '../support/api-kinds.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';

async function withGadgets(names: readonly string[]): Promise<ApiFixture> {
  const fixture = await createApiFixture();
  for (const name of names) {
    await fixture.put(gadgetKind, {
      metadata: { name, namespace: 'default', labels: { part: name.slice(0, 1) } },
    });
  }
  return fixture;
}

function itemNames(json: Readonly<Record<string, unknown>>): readonly string[] {
  const items = json['items'] as readonly { readonly metadata: { readonly name: string } }[];
  return items.map(({ metadata }) => metadata.name);
}

function meta(json: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return json['metadata'] as Readonly<Record<string, unknown>>;
}

test('get answers the object, and a missing one with its Status', async (t) => {
  const { call } = await withGadgets(['a1']);
  const found = await call('GET', `${gadgets}/a1`);
  t.is(found.status, 200);
  t.is(found.json['kind'], 'Gadget');
  const missing = await call('GET', `${gadgets}/nope`);
  t.is(missing.status, 404);
  t.like(missing.json, {
    message: 'gadgets "nope" not found',
    reason: 'NotFound',
    details: { name: 'nope', kind: 'gadgets' },
  });
});

test('[k8s 56] I1 a list carries a revision that covers each of its items', async (t) => {
  const { call, desired } = await withGadgets(['b', 'a', 'c']);
  const { json } = await call('GET', gadgets);
  t.is(json['kind'], 'GadgetList');
  t.deepEqual(itemNames(json), ['a', 'b', 'c']);
  t.is(meta(json)['resourceVersion'], String(desired.revision()));
});

test('[k8s 57] a list of an unknown namespace is empty, not an error', async (t) => {
  const { call } = await createApiFixture();
  const { status, json } = await call('GET', '/api/v1/namespaces/nowhere/gadgets');
  t.is(status, 200);
  t.deepEqual(json['items'], []);
});

test('[k8s 48, 49] R2 all pages of a list show the first page although objects change in between', async (t) => {
  const { call, put, desired } = await withGadgets(['a', 'b', 'c', 'd']);
  const first = await call('GET', `${gadgets}?limit=2`);
  t.deepEqual(itemNames(first.json), ['a', 'b']);
  t.is(meta(first.json)['remainingItemCount'], 2);
  await put(gadgetKind, { metadata: { name: 'bb', namespace: 'default' } });
  await put(gadgetKind, { metadata: { name: 'd', namespace: 'default', labels: { late: 'yes' } } });
  const [gone] = desired.list('core/gadgets/default/c');
  if (gone !== undefined)
    await desired.write({ key: gone.key, object: undefined, expected: gone.revision });
  const token = String(meta(first.json)['continue']);
  const second = await call('GET', `${gadgets}?limit=2&continue=${token}`);
  t.deepEqual(itemNames(second.json), ['c', 'd']);
  t.is(meta(second.json)['resourceVersion'], meta(first.json)['resourceVersion']);
  t.is(meta(second.json)['continue'], undefined);
  t.notRegex(second.text, /late/);
});

test('[k8s 50] R2 a page whose revision is out of reach gets 410 with a token for the rest', async (t) => {
  const fixture = await createApiFixture({ windowEvents: 4 });
  for (const name of ['a', 'b', 'c'])
    await fixture.put(gadgetKind, { metadata: { name, namespace: 'default' } });
  const first = await fixture.call('GET', `${gadgets}?limit=1`);
  for (let round = 0; round < 6; round += 1) {
    await fixture.put(widgetKind, { metadata: { name: `w${round}`, namespace: 'default' } });
  }
  const second = await fixture.call(
    'GET',
    `${gadgets}?limit=1&continue=${String(meta(first.json)['continue'])}`,
  );
  t.is(second.status, 410);
  t.is(second.json['reason'], 'Expired');
  const rest = await fixture.call(
    'GET',
    `${gadgets}?continue=${String(meta(second.json)['continue'])}`,
  );
  t.deepEqual(itemNames(rest.json), ['b', 'c']);
});

test('[k8s 49] selectors choose, and give no count of what remains', async (t) => {
  const { call } = await withGadgets(['a1', 'a2', 'b1']);
  const { json } = await call('GET', `${gadgets}?labelSelector=part%3Da&limit=1`);
  t.deepEqual(itemNames(json), ['a1']);
  t.false('remainingItemCount' in meta(json));
  const byName = await call('GET', `${gadgets}?fieldSelector=metadata.name%3Db1`);
  t.deepEqual(itemNames(byName.json), ['b1']);
});

const refusedLists: readonly (readonly [string, number, RegExp])[] = [
  ['resourceVersion=x', 400, /invalid resource version/],
  ['resourceVersionMatch=Exact', 422, /resourceVersionMatch: Forbidden/],
  ['resourceVersion=0&resourceVersionMatch=Exact', 422, /resourceVersionMatch: Forbidden/],
  ['resourceVersion=1&resourceVersionMatch=Most', 422, /Unsupported value: "Most"/],
  ['sendInitialEvents=true', 422, /sendInitialEvents: Forbidden/],
  ['continue=rubbish', 400, /invalid continue token/],
  [
    `continue=${formatContinue({ revision: 5, afterKey: 'a' })}&resourceVersion=7`,
    400,
    /not allowed when using continue/,
  ],
  ['resourceVersion=1&resourceVersionMatch=Exact', 410, /too old/],
  ['labelSelector=%3D%3D', 400, /./],
  ['fieldSelector=spec.nope%3D1', 400, /"spec.nope" is not a known field selector/],
];

for (const [query, status, message] of refusedLists) {
  test(`a list with ${query} is refused with ${status}`, async (t) => {
    const { call } = await withGadgets(['a']);
    const answer = await call('GET', `${gadgets}?${query}`);
    t.is(answer.status, status);
    t.regex(String(answer.json['message']), message);
  });
}

test('[k8s 51] a revision from the future is waited for, then refused with 504', async (t) => {
  const { call, clock, put } = await withGadgets(['a']);
  const asked = call('GET', `${gadgets}?resourceVersion=9007199254740991`);
  clock.advance(3_000);
  const { status, json } = await asked;
  t.is(status, 504);
  t.regex(String(json['message']), /Too large resource version: 9007199254740991, current: \d+/);
  const known = Number(meta((await call('GET', gadgets)).json)['resourceVersion']);
  const soon = call('GET', `${gadgets}?resourceVersion=${known + 1}`);
  await put(gadgetKind, { metadata: { name: 'b', namespace: 'default' } });
  t.deepEqual(itemNames((await soon).json), ['a', 'b']);
});

test('[k8s 38] a table has columns, rows and the metadata of each object', async (t) => {
  const { call } = await withGadgets(['a', 'b']);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const { json } = await call('GET', gadgets, undefined, { accept });
  t.is(json['kind'], 'Table');
  const rows = json['rows'] as readonly {
    readonly cells: readonly unknown[];
    readonly object: unknown;
  }[];
  t.deepEqual(
    rows.map(({ cells }) => cells),
    [['a'], ['b']],
  );
  t.like(rows[0]?.object, { kind: 'PartialObjectMetadata', metadata: { name: 'a' } });
  const without = await call('GET', `${gadgets}?includeObject=None`, undefined, { accept });
  t.regex(without.text, /"object":null/);
  const bad = await call('GET', `${gadgets}?includeObject=Half`, undefined, { accept });
  t.is(bad.status, 400);
  t.is(
    bad.json['message'],
    'Unable to convert to Table as requested: includeObject: Invalid value: "Half": ' +
      "must be 'Metadata', 'Object', 'None', or empty",
  );
  t.is((await call('GET', `${gadgets}?includeObject=Half`)).status, 200, 'only tables ask');
  const whole = await call('GET', `${gadgets}?includeObject=Object`, undefined, { accept });
  t.regex(whole.text, /"object":\{"kind":"Gadget"/);
});

test('[k8s 39] metadata-only forms fit the shape that is asked for', async (t) => {
  const { call } = await withGadgets(['a']);
  const one = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
  const list = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
  t.is(
    (await call('GET', `${gadgets}/a`, undefined, { accept: one })).json['kind'],
    'PartialObjectMetadata',
  );
  t.is(
    (await call('GET', gadgets, undefined, { accept: list })).json['kind'],
    'PartialObjectMetadataList',
  );
  const wrong = await call('GET', gadgets, undefined, { accept: one });
  t.is(wrong.status, 406);
  t.regex(String(wrong.json['message']), /the requested object is a list/);
});

test('[k8s 46] what nobody can write is 406; yaml and pretty are written', async (t) => {
  const { call } = await withGadgets(['a']);
  t.is((await call('GET', gadgets, undefined, { accept: 'text/html' })).status, 406);
  const yaml = await call('GET', `${gadgets}/a`, undefined, { accept: 'application/yaml' });
  t.regex(yaml.text, /^kind: Gadget$/m);
  const pretty = await call('GET', `${gadgets}/a?pretty=true`);
  t.regex(pretty.text, /^ {2}"kind": "Gadget",$/m);
  const asCurl = await call('GET', `${gadgets}/a`, undefined, { 'user-agent': 'curl/8.5.0' });
  t.is(asCurl.text, pretty.text);
  const plain = await call('GET', `${gadgets}/a`);
  t.is(plain.text.trim().split('\n').length, 1);
  const told = { 'user-agent': 'curl/8.5.0' };
  t.is((await call('GET', `${gadgets}/a?pretty=false`, undefined, told)).text, plain.text);
  const protobuf = 'application/vnd.kubernetes.protobuf,application/json';
  t.is((await call('GET', gadgets, undefined, { accept: protobuf })).status, 200);
});

const routes: readonly (readonly [string, string, number])[] = [
  ['GET', '/api/v1/gizmos', 404],
  ['GET', '/apis/test.dev/v1/namespaces/default/nothing', 404],
  ['HEAD', gadgets, 405],
  ['OPTIONS', gadgets, 405],
  ['POST', '/api/v1/gadgets', 405],
  ['DELETE', '/api/v1/gadgets', 405],
  ['POST', '/apis/test.dev/v1/namespaces/default/shadows', 405],
  ['DELETE', '/apis/test.dev/v1/namespaces/default/shadows/x', 405],
  ['GET', '/apis/test.dev/v1/namespaces/default/shadows', 200],
  ['GET', '/api/v1/namespaces/default/gadgets/a/status', 404],
  ['GET', '/openapi/v1', 404],
  ['GET', '/%zz', 400],
  ['GET', '/api/v1/namespaces/default/gadgets/a%2Fb', 400],
];

for (const [method, target, status] of routes) {
  test(`[k8s 14] ${method} ${target} is ${status}`, async (t) => {
    const { call } = await createApiFixture();
    t.is((await call(method, target)).status, status);
  });
}

test('[k8s 14] an unknown group is plain text, an unknown resource a Status', async (t) => {
  const { call } = await createApiFixture();
  const group = await call('GET', '/apis/nobody.dev/v1/things');
  t.is(group.status, 404);
  t.is(group.text, '404 page not found\n');
  const resource = await call('GET', '/apis/test.dev/v1/things');
  t.is(resource.json['message'], 'the server could not find the requested resource');
});

test('[k8s 1, 2] discovery comes in both forms, and is not sent again for the same ETag', async (t) => {
  const { call } = await createApiFixture();
  const legacy = await call('GET', '/apis/test.dev/v1');
  const resources = legacy.json['resources'] as readonly { readonly name: string }[];
  t.deepEqual(
    resources.map(({ name }) => name),
    ['widgets', 'widgets/status', 'shadows'],
  );
  t.deepEqual((await call('GET', '/api')).json['versions'], ['v1']);
  const accept =
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
  const aggregated = await call('GET', '/apis?timeout=32s', undefined, { accept });
  t.is(
    aggregated.headers['content-type'],
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  );
  const etag = String(aggregated.headers['etag']);
  const again = await call('GET', '/apis', undefined, { accept, 'if-none-match': etag });
  t.is(again.status, 304);
});

test('[k8s 1, 3, 4] legacy discovery describes each group, each version and each resource', (t) => {
  const discovery = createDiscovery(kinds);
  const read = (path: string): Readonly<Record<string, unknown>> => {
    const document = discovery.find(path, 'application/json');
    return JSON.parse(Buffer.from(document?.bytes ?? []).toString('utf8')) as never;
  };
  t.like(read('/api'), { kind: 'APIVersions', versions: ['v1'] });
  const core = read('/api/v1');
  t.like(core, { kind: 'APIResourceList', groupVersion: 'v1' });
  const resources = core['resources'] as readonly { readonly name: string }[];
  t.like(
    resources.find(({ name }) => name === 'services'),
    {
      kind: 'Service',
      namespaced: true,
      singularName: 'service',
      shortNames: ['svc'],
      categories: ['all'],
    },
  );
  t.like(
    resources.find(({ name }) => name === 'services/status'),
    { kind: 'Service', verbs: ['get', 'patch', 'update'] },
  );
  const { groups } = read('/apis') as unknown as {
    readonly groups: readonly {
      readonly name: string;
      readonly preferredVersion: { readonly groupVersion: string };
    }[];
  };
  t.deepEqual(
    groups.map(({ name }) => name).sort(),
    [...new Set(kinds.map(({ group }) => group).filter((group) => group !== ''))].sort(),
  );
  for (const { name, preferredVersion } of groups) {
    t.like(read(`/apis/${name}`), { kind: 'APIGroup', name, preferredVersion });
    const { groupVersion } = preferredVersion;
    t.like(read(`/apis/${groupVersion}`), { kind: 'APIResourceList', groupVersion });
  }
});

for (const version of ['v2', 'v2beta1']) {
  test(`[k8s 2] aggregated discovery ${version} names itself, and what its answer depends on`, async (t) => {
    const { call } = await createApiFixture();
    const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    const { headers, json } = await call('GET', '/apis', undefined, { accept: type });
    t.is(headers['content-type'], type);
    t.is(headers['vary'], 'Accept');
    t.is(headers['cache-control'], 'public');
    t.regex(String(headers['etag']), /^"[0-9A-F]{64}"$/);
    t.is(json['apiVersion'], `apidiscovery.k8s.io/${version}`);
  });
}

test('[k8s 8] an OpenAPI document is kept for ever under its hash, and found from a wrong one', async (t) => {
  const { call } = await createApiFixture();
  const index = await call('GET', '/openapi/v3');
  const paths = index.json['paths'] as Readonly<
    Record<string, { readonly serverRelativeURL: string }>
  >;
  const url = paths['apis/test.dev/v1']?.serverRelativeURL ?? '';
  const kept = await call('GET', url);
  t.is(kept.status, 200);
  t.regex(String(kept.headers['cache-control']), /immutable/);
  t.regex(kept.text, /"x-kubernetes-action":"post"/);
  const etag = String(kept.headers['etag']);
  t.is((await call('GET', url, undefined, { 'if-none-match': etag })).status, 304);
  const wrong = await call('GET', '/openapi/v3/apis/test.dev/v1?hash=ABC');
  t.is(wrong.status, 301);
  t.is(wrong.headers['location'], url);
  t.is((await call('GET', '/openapi/v3/apis/nobody.dev/v1')).status, 404);
});

test('[k8s 13] health answers ok, and names what is not', async (t) => {
  const readiness = (): Readonly<Record<string, string | undefined>> => ({ store: 'far behind' });
  const { call } = await createApiFixture({ readiness });
  t.is((await call('GET', '/livez')).text, 'ok');
  t.is((await call('GET', '/livez/ping')).text, 'ok');
  const ready = await call('GET', '/readyz?verbose');
  t.is(ready.status, 500);
  t.regex(ready.text, /\[\+\]ping ok\n\[-\]store failed: reason withheld\nreadyz check failed/);
  t.is((await call('GET', '/readyz?exclude=store')).text, 'ok');
  t.is((await call('GET', '/version')).json['gitVersion'], 'v1.34.0+isthmus.1');
});

test('Z1 who may not ask learns only that', async (t) => {
  const { call } = await createApiFixture({ authorize: () => ({ allowed: false }) });
  const { status, json } = await call('GET', gadgets);
  t.is(status, 403);
  t.is(
    json['message'],
    'gadgets is forbidden: User "admin" cannot list resource "gadgets" in API group "" in the namespace "default"',
  );
  const path = await call('GET', '/metrics');
  t.is(path.json['message'], 'forbidden: User "admin" cannot get path "/metrics"');
});
