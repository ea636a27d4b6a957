import fc from 'fast-check';
import test from 'ava';
import { toLogKey } from '../../common/model/ids.ts';
import { behindBytesMax } from '../../coordinator/api/machinery/watch/watch-hub.ts';
import { createApiFixture, type ApiFixture, type WatchedEvent } from '../support/api-fixture.ts';
import { gadgetKind } from '../support/api-kinds.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const minuteMs = 60_000;

function put(fixture: ApiFixture, name: string, labels: Readonly<Record<string, string>> = {}) {
  return fixture.put(gadgetKind, { metadata: { name, namespace: 'default', labels } });
}

async function remove(fixture: ApiFixture, name: string): Promise<void> {
  const key = toLogKey({ group: '', resource: 'gadgets', namespace: 'default', name });
  const stored = fixture.desired.get(key);
  if (stored === undefined) throw new Error(`no ${name}`);
  await fixture.desired.write({ key, object: undefined, expected: stored.revision });
}

/** In seconds, so that what is scheduled again and again comes as often as it should. */
async function letPass({ clock }: ApiFixture, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    clock.advance(1_000);
    await new Promise<void>((resolve) => clock.soon(() => resolve()));
  }
}

function brief(events: readonly WatchedEvent[]): readonly string[] {
  return events.map(({ type, object }) => `${type} ${object.metadata?.name ?? ''}`.trim());
}

test('[k8s 59] a watch without a revision tells the present state, then each change once', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'b');
  await put(fixture, 'a');
  const watch = await fixture.watch(`${gadgets}?watch=true`);
  await put(fixture, 'c');
  await put(fixture, 'a', { x: '1' });
  await remove(fixture, 'b');
  t.deepEqual(brief(await watch.events()), [
    'ADDED a',
    'ADDED b',
    'ADDED c',
    'MODIFIED a',
    'DELETED b',
  ]);
});

test('I1 a watch from a list tells what came after it, in order, with rising revisions', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'a');
  const from = fixture.desired.revision();
  await put(fixture, 'b');
  const watch = await fixture.watch(`${gadgets}?watch=1&resourceVersion=${from}`);
  await remove(fixture, 'a');
  const events = await watch.events();
  t.deepEqual(brief(events), ['ADDED b', 'DELETED a']);
  const revisions = events.map(({ object }) => Number(object.metadata.resourceVersion));
  t.deepEqual(revisions, [from + 1, from + 2]);
});

test('a start in the future waits for it', async (t) => {
  const fixture = await createApiFixture();
  const from = fixture.desired.revision() + 1;
  const watch = await fixture.watch(`${gadgets}?watch=1&resourceVersion=${from}`);
  await put(fixture, 'now');
  await put(fixture, 'then');
  t.deepEqual(brief(await watch.events()), ['ADDED then']);
});

test('[k8s 60] a start before the window is one ERROR event with 410, then the end', async (t) => {
  const fixture = await createApiFixture({ windowEvents: 2 });
  const from = fixture.desired.revision();
  for (const name of ['a', 'b', 'c', 'd']) await put(fixture, name);
  const watch = await fixture.watch(`${gadgets}?watch=1&resourceVersion=${from}`);
  const events = await watch.events();
  t.is(watch.status, 200);
  t.is(events.length, 1);
  t.like(events[0], { type: 'ERROR', object: { kind: 'Status', reason: 'Expired', code: 410 } });
  t.true(watch.isEnded());
});

test('[k8s 63] what enters a selection is ADDED, what leaves it is DELETED as it was', async (t) => {
  const fixture = await createApiFixture();
  const watch = await fixture.watch(`${gadgets}?watch=1&labelSelector=on%3Dyes`);
  await put(fixture, 'a');
  await put(fixture, 'a', { on: 'yes' });
  await put(fixture, 'a', { on: 'yes', more: '1' });
  const left = await put(fixture, 'a', { on: 'no' });
  await remove(fixture, 'a');
  const events = await watch.events();
  t.deepEqual(brief(events), ['ADDED a', 'MODIFIED a', 'DELETED a']);
  t.deepEqual(events[2]?.object.metadata.labels, { on: 'yes', more: '1' });
  t.is(events[2]?.object.metadata.resourceVersion, left.metadata.resourceVersion);
});

test('[k8s 61] W2 bookmarks come each minute, only when asked for, and name the newest revision', async (t) => {
  const fixture = await createApiFixture();
  const from = `resourceVersion=${fixture.desired.revision()}`;
  const asked = await fixture.watch(`${gadgets}?watch=1&${from}&allowWatchBookmarks=true`);
  const silent = await fixture.watch(`${gadgets}?watch=1&${from}`);
  await put(fixture, 'a');
  await letPass(fixture, minuteMs);
  await put(fixture, 'b');
  await letPass(fixture, minuteMs);
  const events = await asked.events();
  t.deepEqual(brief(events), ['ADDED a', 'BOOKMARK', 'ADDED b', 'BOOKMARK']);
  const revisions = events.map(({ object }) => Number(object.metadata.resourceVersion));
  t.deepEqual(
    revisions,
    revisions.toSorted((a, b) => a - b),
  );
  t.is(revisions.at(-1), fixture.desired.revision());
  t.deepEqual(brief(await silent.events()), ['ADDED a', 'ADDED b']);
});

test('[k8s 62] sendInitialEvents marks the end of the present state', async (t) => {
  const fixture = await createApiFixture();
  await put(fixture, 'a');
  const query =
    'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const watch = await fixture.watch(`${gadgets}?${query}`);
  await put(fixture, 'b');
  const events = await watch.events();
  t.deepEqual(brief(events), ['ADDED a', 'BOOKMARK', 'ADDED b']);
  t.deepEqual(events[1]?.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
  const refused = await fixture.call('GET', `${gadgets}?watch=1&sendInitialEvents=true`);
  t.is(refused.status, 422);
});

test('[k8s 64] timeoutSeconds ends a watch cleanly', async (t) => {
  const fixture = await createApiFixture();
  const watch = await fixture.watch(`${gadgets}?watch=1&timeoutSeconds=5`);
  fixture.clock.advance(4_999);
  await watch.events();
  t.false(watch.isEnded());
  fixture.clock.advance(1);
  await watch.events();
  t.true(watch.isEnded());
});

test('[k8s 66] a table watch describes its columns once', async (t) => {
  const fixture = await createApiFixture();
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const watch = await fixture.watch(`${gadgets}?watch=1`, { accept });
  await put(fixture, 'a');
  await put(fixture, 'b');
  const events = await watch.events();
  t.true(Array.isArray(events[0]?.object['columnDefinitions']));
  t.is(events[1]?.object['columnDefinitions'], null);
  t.like(events[1]?.object['rows'], { 0: { cells: ['b'] } });
});

test('[k8s 68] W1 a watcher that does not read is cut off at the bound, and others see everything', async (t) => {
  const fixture = await createApiFixture();
  const slow = await fixture.watch(`${gadgets}?watch=1`);
  const quick = await fixture.watch(`${gadgets}?watch=1`);
  slow.holdBack(1 << 20);
  const big = 'x'.repeat(200_000);
  const rounds = Math.ceil(behindBytesMax / big.length) + 1;
  for (let round = 0; round < rounds; round += 1) await put(fixture, 'a', { big });
  t.true(slow.isEnded());
  t.is((await slow.events()).length, 0);
  t.false(quick.isEnded());
  t.is((await quick.events()).length, rounds);
});

test('W1 a watcher that pauses within the bound misses nothing', async (t) => {
  const fixture = await createApiFixture();
  const watch = await fixture.watch(`${gadgets}?watch=1`);
  watch.holdBack(1 << 20);
  await put(fixture, 'a');
  await put(fixture, 'b');
  t.deepEqual(await watch.events(), []);
  watch.holdBack(0);
  t.deepEqual(brief(await watch.events()), ['ADDED a', 'ADDED b']);
});

test('a client that goes away leaves nothing behind', async (t) => {
  const fixture = await createApiFixture();
  const watch = await fixture.watch(`${gadgets}?watch=1`);
  watch.abort();
  await put(fixture, 'a');
  t.deepEqual(await watch.events(), []);
  t.true(watch.isEnded());
});

test('closing the server ends every watch', async (t) => {
  const fixture = await createApiFixture();
  const watch = await fixture.watch(`${gadgets}?watch=1`);
  await put(fixture, 'a');
  await fixture.api.close();
  t.deepEqual(brief(await watch.events()), ['ADDED a']);
  t.true(watch.isEnded());
});

test('a yaml watch is 406 and a bad revision 500, as Kubernetes answers', async (t) => {
  const { call } = await createApiFixture();
  t.is(
    (await call('GET', `${gadgets}?watch=1`, undefined, { accept: 'application/yaml' })).status,
    406,
  );
  t.is((await call('GET', `${gadgets}?watch=1&resourceVersion=x`)).status, 500);
});

test("a revision of a later epoch is another replica's: 410", async (t) => {
  const fixture = await createApiFixture();
  const later = 9 * 2 ** 40 + 5;
  const shadows = '/apis/test.dev/v1/namespaces/default/shadows';
  const watch = await fixture.watch(`${shadows}?watch=1&resourceVersion=${later}`);
  t.like((await watch.events())[0], { type: 'ERROR', object: { code: 410 } });
});

const names = ['a', 'b', 'c', 'd'];
const step = fc.record({
  name: fc.constantFrom(...names),
  act: fc.constantFrom('on', 'off', 'remove'),
});

test('I1 a list and its watch, folded, are the list of later, whatever happened between', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 20 }),
      fc.array(step, { maxLength: 20 }),
      async (before, after) => {
        const fixture = await createApiFixture();
        const take = async (steps: typeof before): Promise<void> => {
          for (const { name, act } of steps) {
            if (act !== 'remove') await put(fixture, name, { on: act });
            else await remove(fixture, name).catch(() => undefined);
          }
        };
        const listed = async (): Promise<{
          readonly state: Map<string, string>;
          readonly revision: string;
        }> => {
          const { json } = await fixture.call('GET', `${gadgets}?labelSelector=on%3Don`);
          const list = json as unknown as {
            readonly metadata: { readonly resourceVersion: string };
            readonly items: readonly WatchedEvent['object'][];
          };
          const state = new Map(
            list.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion ?? '']),
          );
          return { state, revision: list.metadata.resourceVersion };
        };
        await take(before);
        const { state, revision } = await listed();
        const watch = await fixture.watch(
          `${gadgets}?watch=1&labelSelector=on%3Don&resourceVersion=${revision}`,
        );
        await take(after);
        for (const { type, object } of await watch.events()) {
          const { name, resourceVersion = '' } = object.metadata;
          t.is(state.has(name), type !== 'ADDED');
          if (type === 'DELETED') state.delete(name);
          else state.set(name, resourceVersion);
        }
        t.deepEqual([...state].sort(), [...(await listed()).state].sort());
      },
    ),
    { numRuns: 50 },
  );
});
