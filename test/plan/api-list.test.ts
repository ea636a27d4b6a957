import test from 'ava';
import { parse } from 'yaml';
import { readWholeBody } from '../../coordinator/api/machinery/answer/whole-body.ts';
import { formatContinue } from '../../coordinator/api/machinery/request/continue-token.ts';
import {
  admin,
  createApiFixture,
  createManualClock,
  type ApiFixture,
  type ManualClock,
} from '../support/api-fixture.ts';
import { gadgetKind, widgetKind } from '../support/api-kinds.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';

interface List {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly {
    readonly kind?: string;
    readonly metadata: { readonly name: string; readonly namespace?: string };
  }[];
}

async function list(fixture: ApiFixture, target: string): Promise<List> {
  const { status, json, text } = await fixture.call('GET', target);
  if (status !== 200) throw new Error(text);
  return json as unknown as List;
}

const namesOf = ({ items }: List): readonly string[] => items.map(({ metadata }) => metadata.name);

function put(fixture: ApiFixture, name: string, namespace = 'default', labels = {}) {
  return fixture.put(gadgetKind, { metadata: { name, namespace, labels } });
}

async function withGadgets(count: number, clock?: ManualClock): Promise<ApiFixture> {
  const fixture = await createApiFixture(clock === undefined ? {} : { clock });
  for (let index = 0; index < count; index += 1) {
    await put(fixture, `g${String(index).padStart(4, '0')}`, 'default', {
      text: 'x'.repeat(200),
      half: index % 2 === 0 ? 'even' : 'odd',
    });
  }
  return fixture;
}

test('[k8s 48, 49] a walk gives each item once, at the revision of page one, in any page size', async (t) => {
  const fixture = await withGadgets(25);
  const whole = await list(fixture, gadgets);
  for (const limit of [1, 7, 24, 25, 26]) {
    const names: string[] = [];
    let more = '';
    do {
      const page = await list(fixture, `${gadgets}?limit=${limit}${more}`);
      names.push(...namesOf(page));
      const left = 25 - names.length;
      t.is(page.metadata.remainingItemCount, left === 0 ? undefined : left);
      more = page.metadata.continue === undefined ? '' : `&continue=${page.metadata.continue}`;
    } while (more !== '');
    t.deepEqual(names, namesOf(whole), `limit ${limit}`);
  }
});

test('[k8s 48] deletions, changes and additions of the meantime do not show in later pages', async (t) => {
  const fixture = await withGadgets(10);
  const first = await list(fixture, `${gadgets}?limit=3`);
  const target = (name: string): string => `${gadgets}/${name}`;
  for (const name of ['g0000', 'g0004', 'g0009']) await fixture.call('DELETE', target(name));
  await put(fixture, 'g0005', 'default', { late: 'yes' });
  await put(fixture, 'g0005x');
  await put(fixture, 'zz');
  await put(fixture, 'g0004', 'default', { again: 'yes' });
  const second = await list(
    fixture,
    `${gadgets}?limit=5&continue=${first.metadata.continue ?? ''}`,
  );
  t.is(second.metadata.resourceVersion, first.metadata.resourceVersion);
  t.is(second.metadata.remainingItemCount, 2);
  t.deepEqual(namesOf(second), ['g0003', 'g0004', 'g0005', 'g0006', 'g0007']);
  t.notRegex(JSON.stringify(second), /late|again/);
  const third = await list(fixture, `${gadgets}?continue=${second.metadata.continue ?? ''}`);
  t.deepEqual(namesOf(third), ['g0008', 'g0009']);
});

test('[k8s 49] a page of a selection says that there is more, but not how much', async (t) => {
  const fixture = await withGadgets(10);
  const page = await list(fixture, `${gadgets}?limit=2&labelSelector=half%3Dodd`);
  t.deepEqual(namesOf(page), ['g0001', 'g0003']);
  t.is(page.metadata.remainingItemCount, undefined);
  const rest = await list(
    fixture,
    `${gadgets}?labelSelector=half%3Dodd&continue=${page.metadata.continue ?? ''}`,
  );
  t.deepEqual(namesOf(rest), ['g0005', 'g0007', 'g0009']);
});

test('[k8s 56] across namespaces the order is namespace, then name; cluster-scoped kinds page too', async (t) => {
  const fixture = await createApiFixture();
  for (const [namespace, name] of [
    ['b', 'a'],
    ['a', 'z'],
    ['default', 'b'],
    ['a', 'b'],
  ] as const) {
    await put(fixture, name, namespace);
  }
  const all = await list(fixture, '/api/v1/gadgets');
  const where = ({ items }: List) =>
    items.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`);
  t.deepEqual(where(all), ['a/b', 'a/z', 'b/a', 'default/b']);
  const page = await list(fixture, '/api/v1/gadgets?limit=3');
  const rest = await list(
    fixture,
    `/api/v1/gadgets?limit=3&continue=${page.metadata.continue ?? ''}`,
  );
  t.deepEqual([...where(page), ...where(rest)], where(all));
  for (const name of ['one', 'two'])
    await fixture.call('POST', '/api/v1/namespaces', toSpace(name));
  const spaces = await list(fixture, '/api/v1/namespaces?limit=2');
  t.is(spaces.metadata.remainingItemCount, 1);
  const last = await list(
    fixture,
    `/api/v1/namespaces?limit=2&continue=${spaces.metadata.continue ?? ''}`,
  );
  t.deepEqual([...namesOf(spaces), ...namesOf(last)], ['default', 'one', 'two']);
});

function toSpace(name: string): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

test('[k8s 51] revision 0 is answered whole, N at N or later, and a limit pins N', async (t) => {
  const fixture = await withGadgets(3);
  const before = fixture.desired.revision();
  await put(fixture, 'late');
  t.is(namesOf(await list(fixture, `${gadgets}?resourceVersion=0&limit=1`)).length, 4);
  t.is(namesOf(await list(fixture, `${gadgets}?resourceVersion=${before}`)).length, 4);
  const pinned = await list(fixture, `${gadgets}?resourceVersion=${before}&limit=10`);
  t.is(namesOf(pinned).length, 3);
  t.is(pinned.metadata.resourceVersion, String(before));
});

const forbidden = (text: string): string =>
  `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: ${text}`;

// Rows: match; columns: resourceVersion '', '0' and N. A number is how many items come.
const matrix: readonly (readonly [string, string, number | string])[] = [
  ['', '', 2],
  ['', '0', 2],
  ['', 'N', 2],
  ['Exact', '', forbidden('resourceVersionMatch is forbidden unless resourceVersion is provided')],
  ['Exact', '0', forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')],
  ['Exact', 'N', 1],
  [
    'NotOlderThan',
    '',
    forbidden('resourceVersionMatch is forbidden unless resourceVersion is provided'),
  ],
  ['NotOlderThan', '0', 2],
  ['NotOlderThan', 'N', 2],
];

for (const [match, revision, expected] of matrix) {
  test(`[k8s 52] resourceVersionMatch '${match}' with resourceVersion '${revision}'`, async (t) => {
    const fixture = await createApiFixture();
    await put(fixture, 'a');
    const known = String(fixture.desired.revision());
    await put(fixture, 'b');
    const version = revision === 'N' ? known : revision;
    const query = `resourceVersionMatch=${match}&resourceVersion=${version}`;
    const { status, json } = await fixture.call('GET', `${gadgets}?${query}`);
    t.is(status, typeof expected === 'number' ? 200 : 422);
    if (typeof expected === 'string') t.is(json['message'], expected);
    else t.is((json as unknown as List).items.length, expected);
  });
}

for (const [token, why] of [
  ['a.b', 'illegal base64 data at input byte 1'],
  [
    Buffer.from('{"v":{"toString":{}}}').toString('base64url'),
    'server does not recognize this encoded version ',
  ],
  ['e30', 'server does not recognize this encoded version '],
  [
    Buffer.from('{"v":"meta.k8s.io/v1","rv":0,"start":"a"}').toString('base64url'),
    'incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
  ],
  [formatContinue({ revision: 1, afterKey: '../x' }), '../x\u0000'],
] as const) {
  test(`[k8s 50] the continue token ${token} is refused with 400`, async (t) => {
    const { call } = await createApiFixture();
    const { status, json } = await call('GET', `${gadgets}?continue=${token}`);
    t.is(status, 400);
    t.is(json['message'], `invalid continue token: continue key is not valid: ${why}`);
  });
}

test('[k8s 50] an inconsistent continuation goes on in the present, and pages on from there', async (t) => {
  const fixture = await withGadgets(6);
  const start = formatContinue({ revision: undefined, afterKey: 'g0001' });
  await put(fixture, 'g0002x');
  const page = await list(fixture, `${gadgets}?limit=2&continue=${start}`);
  t.deepEqual(namesOf(page), ['g0002', 'g0002x']);
  t.is(page.metadata.resourceVersion, String(fixture.desired.revision()));
  const rest = await list(fixture, `${gadgets}?continue=${page.metadata.continue ?? ''}`);
  t.deepEqual(namesOf(rest), ['g0003', 'g0004', 'g0005']);
});

test('items of built-in kinds carry no kind and apiVersion, those of custom ones do', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'a');
  await fixture.put(widgetKind, { metadata: { name: 'w', namespace: 'default' } });
  const built = await list(fixture, gadgets);
  t.is(built.items[0]?.kind, undefined);
  t.false('apiVersion' in (built.items[0] ?? {}));
  const custom = await list(fixture, '/apis/test.dev/v1/namespaces/default/widgets');
  t.is(custom.items[0]?.kind, 'Widget');
  const single = await fixture.call('GET', `${gadgets}/a`);
  t.is(single.json['kind'], 'Gadget');
});

for (const [form, accept, query] of [
  ['plain JSON', 'application/json', ''],
  ['indented JSON', 'application/json', '&pretty=true'],
  ['a Table', 'application/json;as=Table;v=v1;g=meta.k8s.io', ''],
  ['metadata', 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', ''],
] as const) {
  test(`[k8s 123] a long list is a stream of the same ${form} as a short one, at one revision`, async (t) => {
    const fixture = await withGadgets(1_000);
    const ask = (target: string) => fixture.api.handle(toRequest(target, accept));
    const response = await ask(`${gadgets}?x=1${query}`);
    t.false(response.body instanceof Uint8Array);
    // What changes between the first byte and the last does not show.
    await put(fixture, 'g0500', 'default', { late: 'yes' });
    const text = Buffer.from(await readWholeBody(response)).toString('utf8');
    t.notRegex(text, /"late"/);
    const value = JSON.parse(text) as Readonly<Record<string, readonly unknown[]>>;
    t.is((value['items'] ?? value['rows'])?.length, 1_000);
    t.is((await ask(`${gadgets}?limit=3${query}`)).body instanceof Uint8Array, true);
  });
}

test('a YAML list says what the JSON list says, an empty one too', async (t) => {
  const fixture = await createApiFixture();
  const read = async (): Promise<unknown> => {
    const yaml = await fixture.call('GET', gadgets, undefined, { accept: 'application/yaml' });
    t.is(yaml.headers['content-type'], 'application/yaml');
    return parse(yaml.text) as unknown;
  };
  t.deepEqual(await read(), (await fixture.call('GET', gadgets)).json);
  for (const name of ['a', 'b']) await put(fixture, name);
  t.deepEqual(await read(), (await fixture.call('GET', gadgets)).json);
});

/** 5,000 gadgets, and the turns in which they were read: each look at the clock finds half of one gone. */
async function turnsOf(read: (fixture: ApiFixture) => Promise<unknown>): Promise<number> {
  let nowMs = 0;
  let turns = 0;
  const manual = createManualClock();
  const clock = {
    ...manual,
    monotonicMs: () => (nowMs += 2),
    soon: (run: () => void) => {
      turns += 1;
      return manual.soon(run);
    },
  };
  const fixture = await withGadgets(5_000, clock);
  turns = 0;
  await read(fixture);
  return turns;
}

for (const as of [
  '',
  ';as=Table;v=v1;g=meta.k8s.io',
  ';as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
]) {
  test(`[k8s 123] I11 a list of 5,000 lets others have their turns${as}`, async (t) => {
    const turns = await turnsOf(async ({ api }) =>
      readWholeBody(await api.handle(toRequest(gadgets, `application/json${as}`))),
    );
    t.true(turns >= 20, `${turns} turns`);
  });
}

test('[k8s 123] I11 so does a deletecollection that looks for some of 5,000', async (t) => {
  const turns = await turnsOf(async (fixture) => {
    const { status } = await fixture.call('DELETE', `${gadgets}?labelSelector=is%3Dnowhere`);
    t.is(status, 200);
  });
  t.true(turns >= 20, `${turns} turns`);
});

function toRequest(target: string, accept: string) {
  return {
    method: 'GET',
    target,
    headers: { accept },
    body: Buffer.alloc(0),
    user: admin,
    signal: new AbortController().signal,
  };
}
