import test from 'ava';
import { toLogKey } from '../../common/model/ids.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { createApiFixture, type ApiFixture, type WatchedEvent } from '../support/api-fixture.ts';
import { gadgetKind, widgetKind } from '../support/api-kinds.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const shadows = '/apis/test.dev/v1/namespaces/default/shadows';
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
const partial = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' };

function put(fixture: ApiFixture, name: string, labels: Readonly<Record<string, string>> = {}) {
  return fixture.put(gadgetKind, { metadata: { name, namespace: 'default', labels } });
}

async function remove(fixture: ApiFixture, name: string): Promise<void> {
  const key = toLogKey({ group: '', resource: 'gadgets', namespace: 'default', name });
  const expected = fixture.desired.get(key)?.revision;
  if (expected === undefined) throw new Error(`no ${name}`);
  await fixture.desired.write({ key, object: undefined, expected });
}

const brief = (events: readonly WatchedEvent[]): readonly string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`.trim());

const initial = 'watch=1&allowWatchBookmarks=true&sendInitialEvents=true';

test('[k8s 59] revision 0 begins with the present state in the order of names', async (t) => {
  const fixture = await createApiFixture();
  for (const name of ['c', 'a', 'b']) await put(fixture, name);
  const watch = await fixture.watch(`${gadgets}?watch=true&resourceVersion=0`);
  await put(fixture, 'd');
  t.deepEqual(brief(await watch.events()), ['ADDED a', 'ADDED b', 'ADDED c', 'ADDED d']);
});

test('[k8s 59, 62] without a revision bookmarks mark the end of the present state, too', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'a');
  const watch = await fixture.watch(`${gadgets}?watch=1&allowWatchBookmarks=true`);
  const events = await watch.events();
  t.deepEqual(brief(events), ['ADDED a', 'BOOKMARK']);
  t.deepEqual(events[1]?.object, {
    kind: 'Gadget',
    apiVersion: 'v1',
    metadata: {
      resourceVersion: String(fixture.desired.revision()),
      annotations: { 'k8s.io/initial-events-end': 'true' },
    },
  } as unknown as WatchedEvent['object']);
});

for (const [form, headers, find] of [
  ['objects', {}, (object: WatchedEvent['object']) => object.metadata],
  ['metadata', partial, (object: WatchedEvent['object']) => object.metadata],
  [
    'tables',
    table,
    (object: WatchedEvent['object']) =>
      (object['rows'] as readonly { readonly object: WatchedEvent['object'] }[])[0]?.object
        .metadata,
  ],
] as const) {
  test(`[k8s 62] a projected kind marks the end of its present state, as ${form}`, async (t) => {
    const fixture = await createApiFixture();
    const shadow = { apiVersion: 'test.dev/v1', kind: 'Shadow' };
    fixture.shadows.put({ ...shadow, metadata: { name: 'a', namespace: 'default' } });
    const query = `${initial}&resourceVersionMatch=NotOlderThan`;
    const watch = await fixture.watch(`${shadows}?${query}`, headers);
    fixture.shadows.put({ ...shadow, metadata: { name: 'b', namespace: 'default' } });
    const events = await watch.events();
    t.deepEqual(
      events.map(({ type }) => type),
      ['ADDED', 'BOOKMARK', 'ADDED'],
    );
    const end = events[1]?.object;
    t.deepEqual(end === undefined ? undefined : find(end)?.annotations, {
      'k8s.io/initial-events-end': 'true',
    });
  });
}

const forbidden = (why: string): string =>
  `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: ${why}`;

for (const [query, message] of [
  [
    'sendInitialEvents=true',
    forbidden('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
  ],
  [
    'sendInitialEvents=false',
    forbidden('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
  ],
  [
    'resourceVersionMatch=NotOlderThan',
    forbidden('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
  ],
] as const) {
  test(`[k8s 62] a watch with ${query} is refused with 422`, async (t) => {
    const { call } = await createApiFixture();
    const { status, json } = await call('GET', `${gadgets}?watch=1&${query}`);
    t.is(status, 422);
    t.is(json['message'], message);
  });
}

test('[k8s 62] sendInitialEvents=false begins with what comes next', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'old');
  const query = 'watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan';
  const recent = await fixture.watch(`${gadgets}?${query}`);
  const any = await fixture.watch(`${gadgets}?${query}&resourceVersion=0`);
  await put(fixture, 'new');
  t.deepEqual(brief(await recent.events()), ['ADDED new']);
  t.deepEqual(brief(await any.events()), ['ADDED new']);
});

test('[k8s 62] initial events of the future are one ERROR with 504, after three seconds', async (t) => {
  const fixture = await createApiFixture();
  const future = fixture.desired.revision() + 9;
  const query = `${initial}&resourceVersionMatch=NotOlderThan&resourceVersion=${future}`;
  const asked = fixture.watch(`${gadgets}?${query}`);
  await new Promise<void>((resolve) => fixture.clock.soon(() => resolve()));
  fixture.clock.advance(3_000);
  const watch = await asked;
  const [event, ...more] = await watch.events();
  t.deepEqual(more, []);
  t.like(event, { type: 'ERROR', object: { code: 504, reason: 'Timeout' } });
  t.true(watch.isEnded());
});

test('[k8s 61] the last bookmark comes just before the end', async (t) => {
  const fixture = await createApiFixture();
  const from = fixture.desired.revision();
  const query = `watch=1&resourceVersion=${from}&allowWatchBookmarks=true&timeoutSeconds=5`;
  const watch = await fixture.watch(`${gadgets}?${query}`);
  await put(fixture, 'a');
  fixture.clock.advance(5_000);
  const events = await watch.events();
  t.deepEqual(brief(events), ['ADDED a', 'BOOKMARK']);
  t.is(events[1]?.object.metadata.resourceVersion, String(fixture.desired.revision()));
  t.true(watch.isEnded());
});

test('[k8s 64] without timeoutSeconds a watch ends within 30 to 60 minutes', async (t) => {
  const fixture = await createApiFixture();
  const watch = await fixture.watch(`${gadgets}?watch=1`);
  fixture.clock.advance(1_799_000);
  await watch.events();
  t.false(watch.isEnded());
  fixture.clock.advance(1_801_000);
  await watch.events();
  t.true(watch.isEnded());
});

test('[k8s 65] DELETED carries the last state, at the revision of the deletion', async (t) => {
  const fixture = await createApiFixture();
  const last = await put(fixture, 'a', { last: 'state' });
  const watch = await fixture.watch(
    `${gadgets}?watch=1&resourceVersion=${fixture.desired.revision()}`,
  );
  await remove(fixture, 'a');
  const [event] = await watch.events();
  t.is(event?.type, 'DELETED');
  t.deepEqual(event?.object.metadata.labels, { last: 'state' });
  t.is(event?.object.kind, 'Gadget');
  t.is(event?.object.metadata.resourceVersion, String(fixture.desired.revision()));
  t.true(Number(event?.object.metadata.resourceVersion) > Number(last.metadata.resourceVersion));
});

test('[k8s 63] field selectors, too, are entered and left', async (t) => {
  const fixture = await createApiFixture();
  const target = '/apis/test.dev/v1/namespaces/default/widgets';
  const watch = await fixture.watch(`${target}?watch=1&fieldSelector=spec.size%3D3`);
  for (const size of [2, 3, 3, 4, 5, 3]) {
    await fixture.put(widgetKind, {
      metadata: { name: 'w', namespace: 'default' },
      spec: { size },
    });
  }
  t.deepEqual(brief(await watch.events()), ['ADDED w', 'MODIFIED w', 'DELETED w', 'ADDED w']);
});

test('[k8s 66] a table watch that begins with its list describes columns in the first event only', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'a');
  await put(fixture, 'b');
  const watch = await fixture.watch(`${gadgets}?watch=1&allowWatchBookmarks=true`, table);
  await put(fixture, 'c');
  const events = await watch.events();
  t.deepEqual(
    events.map(({ type, object }) => [type, Array.isArray(object['columnDefinitions'])]),
    [
      ['ADDED', true],
      ['ADDED', false],
      ['BOOKMARK', false],
      ['ADDED', false],
    ],
  );
  t.like(events[3]?.object, { kind: 'Table', rows: { 0: { cells: ['c'] } } });
  t.like(events[3]?.object['rows'], { 0: { object: { kind: 'PartialObjectMetadata' } } });
});

test('[k8s 39] a metadata watch carries metadata only', async (t) => {
  const fixture = await createApiFixture();
  const watch = await fixture.watch(`${gadgets}?watch=1`, partial);
  await put(fixture, 'a', { x: 'y' });
  const [event] = await watch.events();
  t.is(event?.object.kind, 'PartialObjectMetadata');
  t.is(event?.object.apiVersion, 'meta.k8s.io/v1');
  t.deepEqual(event?.object.metadata.labels, { x: 'y' });
  t.false('spec' in (event?.object ?? {}));
});

test('[k8s 67] a watch of one name hears of no other, not even of one that begins so', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'web');
  await put(fixture, 'web2');
  const query = 'watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dweb';
  const watch = await fixture.watch(`${gadgets}?${query}`);
  await put(fixture, 'web2', { x: '1' });
  await put(fixture, 'web', { x: '1' });
  t.deepEqual(brief(await watch.events()), ['ADDED web', 'MODIFIED web']);
});

test('[k8s 67] the paths of old watch a collection, and one name', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'web');
  await put(fixture, 'web2');
  const all = await fixture.watch('/api/v1/watch/namespaces/default/gadgets');
  const everywhere = await fixture.watch('/api/v1/watch/gadgets');
  const one = await fixture.watch('/api/v1/watch/namespaces/default/gadgets/web');
  t.deepEqual(brief(await all.events()), ['ADDED web', 'ADDED web2']);
  t.deepEqual(brief(await everywhere.events()), ['ADDED web', 'ADDED web2']);
  t.deepEqual(brief(await one.events()), ['ADDED web']);
  const other = '/api/v1/watch/namespaces/default/gadgets/web?fieldSelector=metadata.name%3Dweb2';
  const { status, json } = await fixture.call('GET', other);
  t.is(status, 400);
  t.is(json['message'], "fieldSelector metadata.name doesn't match requested name");
  t.is((await fixture.call('POST', '/api/v1/watch/namespaces/default/gadgets')).status, 405);
});

for (const [what, target] of [
  ['a watch', `${gadgets}?watch=1`],
  ['a get', `${gadgets}/a?`],
] as const) {
  test(`[k8s 51] ${what} with a bad revision is 500 without a reason, as Go answers it`, async (t) => {
    const { call } = await createApiFixture();
    const { status, json } = await call('GET', `${target}&resourceVersion=x`);
    t.is(status, 500);
    t.is(json['reason'], undefined);
    t.is(
      json['message'],
      'resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
    );
  });
}

test('[k8s 68] a thousand watches see every change in one order', async (t) => {
  const fixture = await createApiFixture();
  const query = `watch=1&resourceVersion=${fixture.desired.revision()}`;
  const watches = await Promise.all(
    Array.from({ length: 1_000 }, () => fixture.watch(`${gadgets}?${query}`)),
  );
  for (let round = 0; round < 10; round += 1) {
    await put(fixture, `g${round % 3}`, { round: String(round) });
  }
  const [first, ...others] = await Promise.all(watches.map((watch) => watch.events()));
  t.is(first?.length, 10);
  for (const events of others) t.deepEqual(events, first);
});

test('[k8s 68] T1 a change is told over many turns; who joins amid them misses and doubles nothing', async (t) => {
  let turns: (() => void)[] = [];
  let nowMs = 0;
  const clock = {
    ...createManualClock(),
    monotonicMs: () => (nowMs += 0.1), // each look at it is so much work
    soon: (run: () => void) => {
      turns.push(run);
      return { cancel: () => undefined };
    },
  };
  const turn = (): void => {
    const due = turns;
    turns = [];
    for (const run of due) run();
  };
  const fixture = await createApiFixture({ clock });
  const query = `${gadgets}?watch=1&resourceVersion=${fixture.desired.revision()}`;
  const watches = await Promise.all(Array.from({ length: 100 }, () => fixture.watch(query)));
  while (turns.length > 0) turn();
  const told = async (): Promise<number> => {
    const all = await Promise.all(watches.map((watch) => watch.events()));
    return all.filter((events) => events.length > 0).length;
  };
  await put(fixture, 'a');
  turn();
  const first = await told();
  t.true(first > 0 && first < 30, `${first} of 100 in one turn`);
  const late = await fixture.watch(query);
  const present = await fixture.watch(`${gadgets}?watch=1&resourceVersion=0`);
  await put(fixture, 'b');
  let most = 0;
  for (let before = first; turns.length > 0; before = await told()) {
    turn();
    most = Math.max(most, (await told()) - before);
  }
  t.true(most < 30, `${most} of 100 in one turn`);
  for (const watch of [...watches, late, present]) {
    t.deepEqual(brief(await watch.events()), ['ADDED a', 'ADDED b']);
  }
});

test('[k8s 71] I1 after a restart revisions go on, and a watch continues or gets 410', async (t) => {
  const disk = createMemoryDisk('restart');
  const before = await createApiFixture({ store: createMemoryStore({ disk }) });
  await put(before, 'a');
  const { json } = await before.call('GET', gadgets);
  const { resourceVersion } = json['metadata'] as { readonly resourceVersion: string };
  await put(before, 'b');
  const newest = before.desired.revision();
  await before.api.close();
  const after = await createApiFixture({ store: createMemoryStore({ disk }) });
  t.true(after.desired.revision() >= newest);
  const written = await put(after, 'c');
  t.true(Number(written.metadata.resourceVersion) > newest);
  const old = await after.watch(`${gadgets}?watch=1&resourceVersion=${resourceVersion}`);
  t.like((await old.events())[0], { type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  const recent = await after.watch(`${gadgets}?watch=1&resourceVersion=${newest}`);
  const [event] = await recent.events();
  t.true(event?.type === 'ERROR' || event?.object.metadata.name === 'c');
});
