import test from 'ava';
import {
  toLogKey,
  toLogPrefix,
  toRevision,
  type LogKey,
  type Revision,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import {
  createMemoryDisk,
  createMemoryStore,
  type MemoryStoreOptions,
} from '../../coordinator/desired/memory-store.ts';
import { createProjection } from '../../coordinator/desired/projection.ts';
import { SortedKeys } from '../../coordinator/desired/sorted-keys.ts';
import type { Desired, Store, ViewEvent } from '../../coordinator/desired/store.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const absent = toRevision(0);
const configMaps = toLogPrefix('', 'configmaps');

function at(name: string, namespace = 'default'): LogKey {
  return toLogKey({ group: '', resource: 'configmaps', namespace, name });
}

function configMap(name: string, text: string, namespace = 'default'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, spec: { text } };
}

async function open(
  store: Partial<MemoryStoreOptions> = {},
  window: { readonly windowEvents?: number; readonly windowBytes?: number } = {},
): Promise<Desired> {
  return createDesired({
    store: createMemoryStore({ disk: createMemoryDisk('test'), ...store }),
    clock: createVirtualClock(),
    log: silentLog,
    metrics: silentMetrics,
    ...window,
  });
}

async function put(
  desired: Desired,
  name: string,
  text: string,
  expected: Revision = absent,
): Promise<Revision> {
  const outcome = await desired.write({ key: at(name), object: configMap(name, text), expected });
  if (outcome.kind !== 'written') throw new Error(outcome.kind);
  return outcome.stored.revision;
}

function show({ kind, current, previous }: ViewEvent): string {
  const [text, before] = [current, previous].map(
    (stored) => (stored?.object.spec as { readonly text: string } | undefined)?.text,
  );
  return `${kind} ${current.object.metadata.name} ${before ?? '-'}>${text ?? ''}`;
}

test('a write is in the view when it resolves, with its revision as resourceVersion', async (t) => {
  const desired = await open();
  const revision = await put(desired, 'a', '1');
  const stored = desired.get(at('a'));
  t.is(stored?.revision, revision);
  t.is(stored?.object.metadata.resourceVersion, String(revision));
  t.deepEqual(JSON.parse(Buffer.from(stored?.bytes() ?? []).toString()), stored?.object);
  t.is(stored?.bytes(), stored?.bytes());
  t.true(Object.isFrozen(stored?.object.spec));
});

test('D1 who lost is answered when the copy has what it lost to', async (t) => {
  const store = createMemoryStore({ disk: createMemoryDisk('test') });
  const held: (() => void)[] = [];
  const late: Store = {
    identity: () => store.identity(),
    currentRevision: () => store.currentRevision(),
    write: (request) => store.write(request),
    snapshot: () => store.snapshot(),
    follow: (from, on) => store.follow(from, (records) => held.push(() => on(records))),
    close: () => store.close(),
  };
  const clock = createVirtualClock();
  const desired = await createDesired({
    store: late,
    clock,
    log: silentLog,
    metrics: silentMetrics,
  });
  const value = Buffer.from(JSON.stringify(configMap('a', 'other')));
  await store.write({ key: at('a'), value, expected: absent });
  let seen: unknown;
  const lost = desired
    .write({ key: at('a'), object: configMap('a', 'mine'), expected: absent })
    .then(({ kind }) => (seen = [kind, desired.get(at('a'))?.object.spec]));
  await clock.settle();
  t.is(seen, undefined);
  for (const tell of held) tell();
  await lost;
  t.deepEqual(seen, ['conflict', { text: 'other' }]);
});

test('I1 a watch sees each event once, in order, with what was there before', async (t) => {
  const desired = await open();
  const first = await put(desired, 'a', '1');
  const seen: string[] = [];
  const watch = desired.watch(configMaps, first, (events) => seen.push(...events.map(show)));
  const second = await put(desired, 'a', '2', first);
  await put(desired, 'b', '1');
  await desired.write({ key: at('a'), object: undefined, expected: second });
  if (watch !== 'expired') watch.cancel();
  await put(desired, 'c', '1');
  t.deepEqual(seen, ['modified a 1>2', 'added b ->1', 'deleted a 2>2']);
});

test('I1 a watch from an earlier revision is given what it missed', async (t) => {
  const desired = await open();
  const first = await put(desired, 'a', '1');
  await put(desired, 'b', '1');
  await desired.write({
    key: toLogKey({ group: '', resource: 'secrets', namespace: 'default', name: 'x' }),
    object: configMap('x', '1'),
    expected: absent,
  });
  const seen: string[] = [];
  desired.watch(configMaps, first, (events) => seen.push(...events.map(show)));
  t.deepEqual(seen, ['added b ->1']);
});

test('a watch from before the window is expired, by events and by bytes', async (t) => {
  for (const window of [{ windowEvents: 3 }, { windowBytes: 400 }]) {
    const desired = await open({}, window);
    const first = await put(desired, 'a', '1');
    for (const name of ['b', 'c', 'd', 'e', 'f', 'g', 'h']) await put(desired, name, '1');
    t.is(
      desired.watch(configMaps, first, () => undefined),
      'expired',
    );
    const seen: string[] = [];
    desired.watch(configMaps, desired.oldestRevision(), (events) => seen.push(...events.map(show)));
    t.true(seen.length > 0 && seen.length <= 3);
    t.is(seen.at(-1), 'added h ->1');
  }
});

test('after a restart the window begins at the snapshot', async (t) => {
  const disk = createMemoryDisk('test');
  const first = await open({ disk });
  const early = await put(first, 'a', '1');
  const late = await put(first, 'b', '1');
  await first.close();
  const second = await open({ disk });
  t.is(second.revision(), late);
  t.is(
    second.watch(configMaps, early, () => undefined),
    'expired',
  );
  t.not(
    second.watch(configMaps, late, () => undefined),
    'expired',
  );
  t.deepEqual(
    [...second.list(configMaps)].map(({ object }) => object.metadata.name),
    ['a', 'b'],
  );
});

test('a watcher that throws is dropped; the others and the writer go on', async (t) => {
  const desired = await open();
  const seen: string[] = [];
  desired.watch(configMaps, desired.revision(), () => {
    throw new Error('broken');
  });
  desired.watch('', desired.revision(), (events) => seen.push(...events.map(show)));
  await put(desired, 'a', '1');
  await put(desired, 'b', '1');
  t.deepEqual(seen, ['added a ->1', 'added b ->1']);
});

test('D2 a write that took effect, but was not answered, is written', async (t) => {
  let fault: 'none' | 'lost-answer' = 'none';
  const desired = await open({ fault: () => fault });
  const first = await put(desired, 'a', '1');
  fault = 'lost-answer';
  const second = await put(desired, 'a', '2', first);
  t.is(desired.get(at('a'))?.revision, second);
  await put(desired, 'fresh', '1');
  const gone = await desired.write({ key: at('a'), object: undefined, expected: second });
  t.is(gone.kind, 'written');
  t.is(desired.get(at('a')), undefined);
});

test('D2 a write that was not answered and lost its race is a conflict', async (t) => {
  let fault: 'none' | 'lost-answer' = 'none';
  const flushes: (() => void)[] = [];
  const disk = createMemoryDisk('test');
  const mine = createMemoryStore({
    disk,
    fault: () => fault,
    flush: () => (fault === 'none' ? Promise.resolve() : new Promise((go) => flushes.push(go))),
  });
  const clock = createVirtualClock();
  const options = { clock, log: silentLog, metrics: silentMetrics };
  const desired = await createDesired({ store: mine, ...options });
  const first = await put(desired, 'a', '1');
  fault = 'lost-answer';
  const late = desired.write({ key: at('a'), object: configMap('a', 'mine'), expected: first });
  const other = createMemoryStore({ disk });
  const value = Buffer.from(JSON.stringify(configMap('a', 'other')));
  const won = await other.write({ key: at('a'), value, expected: first });
  for (const go of flushes) go();
  const current = won.kind === 'written' ? won.revision : absent;
  await clock.settle();
  await clock.advance(10_000); // of the other's write this driver does not hear
  t.deepEqual(await late, { kind: 'conflict', current });
});

test('D2 a write that the store refused stays unsettled for the caller', async (t) => {
  const desired = await open({ fault: () => 'unavailable' });
  const error = await t.throwsAsync(put(desired, 'a', '1'), { instanceOf: MeshError });
  t.is(error?.code, 'STORE_UNAVAILABLE');
  t.is(desired.get(at('a')), undefined);
});

test('a store that went backwards takes no more writes and says why', async (t) => {
  const desired = await open();
  await put(desired, 'a', '1');
  desired.refuseWrites('an agent holds a later revision');
  const error = await t.throwsAsync(put(desired, 'b', '1'), { instanceOf: MeshError });
  t.is(error?.code, 'STORE_REGRESSED');
  t.is(error?.class, 'fatal');
  t.regex(error?.message ?? '', /later revision/);
  t.not(desired.get(at('a')), undefined);
});

test('reach waits for a revision, at most so long', async (t) => {
  const clock = createVirtualClock();
  const store = createMemoryStore({ disk: createMemoryDisk('test') });
  const desired = await createDesired({ store, clock, log: silentLog, metrics: silentMetrics });
  const next = toRevision(desired.revision() + 1);
  const reached = desired.reach(next, 1_000);
  await put(desired, 'a', '1');
  t.true(await reached);
  const missed = desired.reach(toRevision(next + 1), 1_000);
  await clock.advance(1_000);
  t.false(await missed);
  t.is(clock.pending(), 0);
});

test('lists are in key order and hold their prefix only', async (t) => {
  const desired = await open();
  for (const name of ['b', 'a.b', 'a', 'a-b']) await put(desired, name, '1');
  await desired.write({
    key: at('z', 'default-2'),
    object: configMap('z', '1', 'default-2'),
    expected: absent,
  });
  const names = (prefix: string): readonly string[] =>
    [...desired.list(prefix)].map(({ object }) => object.metadata.name);
  t.deepEqual(names(toLogPrefix('', 'configmaps', 'default')), ['a', 'a-b', 'a.b', 'b']);
  t.deepEqual(names(`${toLogPrefix('', 'configmaps', 'default')}a.`), ['a.b']);
  t.deepEqual(names(configMaps), ['z', 'a', 'a-b', 'a.b', 'b']);
  t.deepEqual(names(toLogPrefix('', 'secrets')), []);
});

test('I12 a later term fences what an earlier holder still writes', async (t) => {
  const desired = await open();
  const early = await acquireTerm({ desired, holder: 'one' });
  const late = await acquireTerm({ desired, holder: 'two' });
  const write = { key: at('a'), object: configMap('a', '1'), expected: absent };
  const refused = await desired.write({ ...write, guard: early.guard() });
  t.deepEqual(refused, { kind: 'fenced', current: late.guard().revision });
  t.is((await desired.write({ ...write, guard: late.guard() })).kind, 'written');
});

test('a projection makes an event only for what differs, with revisions of its own', (t) => {
  const clock = createVirtualClock();
  const projection = createProjection({ epoch: 7, group: '', resource: 'configmaps', clock });
  const seen: string[] = [];
  projection.watch(configMaps, projection.revision(), (events) => seen.push(...events.map(show)));
  projection.put(configMap('a', '1'));
  projection.put({
    ...configMap('a', '1'),
    metadata: { namespace: 'default', name: 'a', resourceVersion: '5' },
  });
  projection.put(configMap('a', '2'));
  projection.remove({ namespace: 'default', name: 'a' });
  projection.remove({ namespace: 'default', name: 'a' });
  projection.put(configMap('a', '2'));
  t.deepEqual(seen, ['added a ->1', 'modified a 1>2', 'deleted a 2>2', 'added a ->2']);
  t.is(projection.revision(), toRevision(7 * 2 ** 40 + 4));
  t.is(
    projection.watch(configMaps, toRevision(6 * 2 ** 40 + 9), () => undefined),
    'expired',
  );
});

test('sorted keys stay sorted over many chunks', (t) => {
  const keys = new SortedKeys();
  const names = Array.from({ length: 3_000 }, (_, index) => `k${(index * 7_919) % 3_000}`);
  for (const name of names) keys.add(name);
  for (const name of names) keys.add(name);
  const kept = names.filter((_, index) => index % 3 !== 0);
  names.filter((_, index) => index % 3 === 0).forEach((name) => keys.delete(name));
  t.deepEqual([...keys.under('k')], [...kept].sort());
  t.deepEqual([...keys.under('k29')], kept.filter((name) => name.startsWith('k29')).sort());
});
