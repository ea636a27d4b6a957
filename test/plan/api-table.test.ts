import test from 'ava';
import { formatAge, formatSince } from '../../coordinator/api/kinds/columns.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { kindNamed, nowMs, rowOf } from '../support/api-service.ts';
import { gadgetKind, widgetKind } from '../support/api-kinds.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

for (const [ms, expected] of [
  [-2 * second, '<invalid>'],
  [-2 * second + 1, '0s'],
  [-1, '0s'],
  [0, '0s'],
  [999, '0s'],
  [2 * minute - 1, '119s'],
  [2 * minute, '2m'],
  [2 * minute + second, '2m1s'],
  [10 * minute - 1, '9m59s'],
  [10 * minute, '10m'],
  [3 * hour - 1, '179m'],
  [3 * hour, '3h'],
  [3 * hour + minute, '3h1m'],
  [8 * hour - 1, '7h59m'],
  [8 * hour, '8h'],
  [2 * day - 1, '47h'],
  [2 * day, '2d'],
  [2 * day + hour, '2d1h'],
  [8 * day - 1, '7d23h'],
  [8 * day, '8d'],
  [2 * year - 1, '729d'],
  [2 * year, '2y'],
  [2 * year + day, '2y1d'],
  [8 * year - 1, '7y364d'],
  [8 * year, '8y'],
  [20 * year + 3 * day, '20y'],
] as const) {
  test(`[k8s 40] an age of ${ms} ms is ${expected}`, (t) => {
    t.is(formatAge(ms), expected);
  });
}

test('[k8s 40, 35] an object without a time of birth has no known age', (t) => {
  t.is(formatSince(undefined, nowMs), '<unknown>');
});

const bare = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web' } };
const hosts = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({ ip: `192.0.2.${index + 1}` }));

for (const [what, subsets, expected] of [
  ['none', undefined, '<none>'],
  [
    'only addresses that are not ready',
    [{ notReadyAddresses: hosts(1), ports: [{ port: 80 }] }],
    '',
  ],
  ['no ports', [{ addresses: hosts(2) }], '192.0.2.1,192.0.2.2'],
  ['IPv6', [{ addresses: [{ ip: '2001:db8::1' }], ports: [{ port: 80 }] }], '[2001:db8::1]:80'],
  [
    'more than three',
    [{ addresses: hosts(2), ports: [{ port: 80 }, { port: 81 }] }],
    '192.0.2.1:80,192.0.2.2:80,192.0.2.1:81 + 1 more...',
  ],
] as const) {
  test(`[k8s 44] the column of Endpoints with ${what}`, (t) => {
    const object = { ...bare, ...(subsets === undefined ? {} : { subsets }) };
    t.is(rowOf(kindNamed('Endpoints'), object)['Endpoints'], expected);
  });
}

test('[k8s 44] the columns of an EndpointSlice show three of each, and what stands for a port', (t) => {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1' },
    addressType: 'IPv4',
    ports: [{ port: 80 }, { name: 'named' }, {}, { port: 82 }],
    endpoints: [
      { addresses: ['192.0.2.1', '192.0.2.2'] },
      { addresses: ['192.0.2.3', '192.0.2.4'] },
    ],
  };
  const row = rowOf(kindNamed('EndpointSlice'), slice);
  t.is(row['Ports'], '80,named,* + 1 more...');
  t.is(row['Endpoints'], '192.0.2.1,192.0.2.2,192.0.2.3 + 1 more...');
  const nothing = { ...slice, ports: [], endpoints: [] };
  const empty = rowOf(kindNamed('EndpointSlice'), nothing);
  t.deepEqual([empty['Ports'], empty['Endpoints']], ['<unset>', '<unset>']);
});

const as = (what: string, version = 'v1', group = 'meta.k8s.io') => ({
  accept: `application/json;as=${what};v=${version};g=${group}`,
});
const gadgets = '/api/v1/namespaces/default/gadgets';

test('[k8s 39] a form of a single object for a list is refused, and the other way round', async (t) => {
  const fixture = await createApiFixture();
  const metadata = { name: 'a', namespace: 'default' };
  await fixture.put(gadgetKind, { metadata });
  await fixture.put(widgetKind, { metadata });
  const list = await fixture.call('GET', gadgets, undefined, as('PartialObjectMetadata'));
  t.is(list.status, 406);
  t.is(list.json['reason'], 'NotAcceptable');
  t.is(
    list.json['message'],
    'you requested PartialObjectMetadata, but the requested object is a list (*core.GadgetList)',
  );
  const one = await fixture.call('GET', `${gadgets}/a`, undefined, as('PartialObjectMetadataList'));
  t.is(one.status, 406);
  t.is(
    one.json['message'],
    'you requested PartialObjectMetadataList, but the requested object is not a list (*core.Gadget)',
  );
  const widgets = '/apis/test.dev/v1/namespaces/default/widgets';
  const custom = await fixture.call('GET', widgets, undefined, as('PartialObjectMetadata'));
  t.regex(String(custom.json['message']), /\(\*unstructured\.UnstructuredList\)$/);
});

for (const [what, headers] of [
  ['an unknown form', as('Chart')],
  ['an unknown version', as('Table', 'v9')],
  ['another group', as('Table', 'v1', 'apps')],
] as const) {
  test(`[k8s 39] ${what} is 406 with what there is`, async (t) => {
    const { call } = await createApiFixture();
    const { status, json } = await call('GET', gadgets, undefined, headers);
    t.is(status, 406);
    t.regex(
      String(json['message']),
      /only the following media types are accepted: application\/json/,
    );
  });
}

test('[k8s 38, 39] v1beta1 forms are written as v1beta1, each item with its kind', async (t) => {
  const fixture = await createApiFixture();
  await fixture.put(gadgetKind, { metadata: { name: 'a', namespace: 'default' } });
  const table = await fixture.call('GET', gadgets, undefined, as('Table', 'v1beta1'));
  t.is(table.json['apiVersion'], 'meta.k8s.io/v1beta1');
  const { json } = await fixture.call(
    'GET',
    gadgets,
    undefined,
    as('PartialObjectMetadataList', 'v1beta1'),
  );
  t.like(json, {
    kind: 'PartialObjectMetadataList',
    items: { 0: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1beta1' } },
  });
});

test('[k8s 38] a page of a table says where it goes on', async (t) => {
  const fixture = await createApiFixture();
  for (const name of ['a', 'b', 'c']) {
    await fixture.put(gadgetKind, { metadata: { name, namespace: 'default' } });
  }
  const first = await fixture.call('GET', `${gadgets}?limit=2`, undefined, as('Table'));
  t.like(first.json, { metadata: { remainingItemCount: 1 }, rows: { length: 2 } });
  const { continue: more } = first.json['metadata'] as { readonly continue: string };
  const rest = await fixture.call('GET', `${gadgets}?continue=${more}`, undefined, as('Table'));
  t.like(rest.json, { rows: { 0: { cells: ['c'] } } });
  t.true(Array.isArray(rest.json['columnDefinitions']));
});
