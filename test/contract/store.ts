// What every driver of the store must do. Each driver's test file runs it on stores of its own.

import type { TestFn } from 'ava';
import { toLogKey, toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import type { Store, StoreRecord, WriteOutcome } from '../../coordinator/desired/store.ts';

export interface StoreBench {
  /** Opens the one store of this bench, also again after it was closed. */
  open(): Promise<Store>;
  /** Removes what the bench made. */
  dispose(): Promise<void>;
}

export const absent: Revision = toRevision(0);

export function serviceKey(name: string): LogKey {
  return toLogKey({ group: '', resource: 'services', namespace: 'default', name });
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(JSON.stringify({ text }), 'utf8');
}

export function textOf(value: Uint8Array): string {
  const parsed = JSON.parse(Buffer.from(value).toString('utf8')) as { readonly text: string };
  return parsed.text;
}

export async function put(
  store: Store,
  name: string,
  text: string,
  expected: Revision = absent,
): Promise<Revision> {
  const outcome = await store.write({ key: serviceKey(name), value: bytes(text), expected });
  return written(outcome);
}

export function written(outcome: WriteOutcome): Revision {
  if (outcome.kind !== 'written') throw new Error(`expected a write, got ${outcome.kind}`);
  return outcome.revision;
}

/** `name=text` or `name=gone(text)`. */
export function show({ key, value, isDelete }: StoreRecord): string {
  const name = key.split('/').at(-1) ?? '';
  return isDelete ? `${name}=gone(${textOf(value)})` : `${name}=${textOf(value)}`;
}

export async function snapshotOf(store: Store): Promise<{
  readonly revision: Revision;
  readonly pages: readonly (readonly StoreRecord[])[];
}> {
  const { revision, pages } = await store.snapshot();
  const read: (readonly StoreRecord[])[] = [];
  for await (const page of pages) read.push(page);
  return { revision, pages: read };
}

/** Declares the suite for one driver. */
export function declareStoreContract(
  test: TestFn,
  driver: string,
  createBench: () => Promise<StoreBench>,
): void {
  const declare = (title: string, run: Parameters<typeof withBench>[1]): void =>
    test(`${driver}: ${title}`, (t) => withBench(createBench, run, t));
  declareWrites(declare);
  declareReads(declare);
  declareLives(declare);
}

type Run = (t: Checks, bench: StoreBench) => Promise<void>;
type Declare = (title: string, run: Run) => void;

/** The few assertions that the suite uses. */
interface Checks {
  is<T>(actual: T, expected: T, message?: string): unknown;
  deepEqual<T>(actual: T, expected: T, message?: string): unknown;
  true(actual: boolean, message?: string): unknown;
}

async function withBench(
  createBench: () => Promise<StoreBench>,
  run: Run,
  t: Checks,
): Promise<void> {
  const bench = await createBench();
  try {
    await run(t, bench);
  } finally {
    await bench.dispose();
  }
}

function declareWrites(declare: Declare): void {
  declare('S1 a create needs an absent key, an update the newest revision', async (t, bench) => {
    const store = await bench.open();
    const first = await put(store, 'a', '1');
    const again = await store.write({ key: serviceKey('a'), value: bytes('x'), expected: absent });
    t.deepEqual(again, { kind: 'conflict', current: first });
    const second = await put(store, 'a', '2', first);
    const stale = await store.write({ key: serviceKey('a'), value: bytes('x'), expected: first });
    t.deepEqual(stale, { kind: 'conflict', current: second });
    const { pages } = await snapshotOf(store);
    t.deepEqual(pages.flat().map(show), ['a=2']);
  });

  declare(
    'S1 what is on its way counts, and is durable before a loser hears of it',
    async (t, bench) => {
      const store = await bench.open();
      const first = await put(store, 'a', '1');
      const a = { key: serviceKey('a'), value: bytes('2'), expected: first };
      const guard = { key: a.key, revision: first };
      const b = { key: serviceKey('b'), value: bytes('1'), expected: absent };
      const winner = store.write(a);
      const losers = [a, { ...b, guard }, { ...a, value: undefined }].map(async (request) => {
        const outcome = await store.write(request);
        const durable = await store.currentRevision();
        const isHeard = outcome.kind !== 'written' && outcome.current <= durable;
        return isHeard ? outcome.kind : { outcome, durable };
      });
      written(await winner);
      t.deepEqual(await Promise.all(losers), ['conflict', 'fenced', 'conflict']);
      t.deepEqual((await snapshotOf(store)).pages.flat().map(show), ['a=2']);
    },
  );

  declare('S1 nothing is written when the guard stands elsewhere', async (t, bench) => {
    const store = await bench.open();
    const term = await put(store, 'term', '1');
    const key = serviceKey('a');
    const guard = { key: serviceKey('term'), revision: term };
    written(await store.write({ key, value: bytes('1'), expected: absent, guard }));
    const next = await put(store, 'term', '2', term);
    const b = { key: serviceKey('b'), value: bytes('1'), expected: absent, guard };
    t.deepEqual(await store.write(b), { kind: 'fenced', current: next });
    const missing = { key: serviceKey('nowhere'), revision: term };
    t.deepEqual(await store.write({ ...b, guard: missing }), { kind: 'fenced', current: absent });
    t.deepEqual((await snapshotOf(store)).pages.flat().map(show), ['a=1', 'term=2']);
  });

  declare('S1 nothing is written when one of several guards stands elsewhere', async (t, bench) => {
    const store = await bench.open();
    const [first, second] = [await put(store, 'one', '1'), await put(store, 'two', '1')];
    const guards = [
      { key: serviceKey('one'), revision: first },
      { key: serviceKey('two'), revision: second },
    ];
    const request = { key: serviceKey('a'), value: bytes('1'), expected: absent, guards };
    const next = await put(store, 'one', '2', first);
    t.deepEqual(await store.write(request), { kind: 'fenced', current: next });
    const renewed = guards.map((guard, at) => (at === 0 ? { ...guard, revision: next } : guard));
    written(await store.write({ ...request, guards: renewed }));
  });

  declare(
    'S1 nothing is written when the fence stands elsewhere, whatever the guard',
    async (t, bench) => {
      const store = await bench.open();
      const [term, other] = [await put(store, 'term', '1'), await put(store, 'other', '1')];
      const key = serviceKey('a');
      const guard = { key: serviceKey('other'), revision: other };
      const fence = { key: serviceKey('term'), revision: term };
      written(await store.write({ key, value: bytes('1'), expected: absent, guard, fence }));
      const next = await put(store, 'term', '2', term);
      const b = { key: serviceKey('b'), value: bytes('1'), expected: absent, guard, fence };
      t.deepEqual(await store.write(b), { kind: 'fenced', current: next });
      const stale = { ...guard, revision: term };
      const renewed = { ...fence, revision: next };
      t.is((await store.write({ ...b, guard: stale, fence: renewed })).kind, 'fenced');
      written(await store.write({ ...b, fence: renewed }));
    },
  );

  declare('deletes of one commit tell each its own last value', async (t, bench) => {
    const store = await bench.open();
    const names = Array.from({ length: 40 }, (_, index) => `n${String(index).padStart(2, '0')}`);
    const texts = names.map((name, index) => name.repeat(1 + (index % 7) * 400));
    const revisions = await Promise.all(
      names.map((name, index) => put(store, name, texts[index] ?? '')),
    );
    const told: string[] = [];
    const watch = store.follow(await store.currentRevision(), (it) => told.push(...it.map(show)));
    const deletes = names.map((name, index) =>
      store.write({
        key: serviceKey(name),
        value: undefined,
        expected: revisions[index] ?? absent,
      }),
    );
    (await Promise.all(deletes)).forEach(written);
    watch.cancel();
    t.deepEqual(
      told,
      names.map((name, index) => `${name}=gone(${texts[index]})`),
    );
  });

  declare('a delete keeps the last value for watchers and frees the key', async (t, bench) => {
    const store = await bench.open();
    const seen: string[] = [];
    store.follow(await store.currentRevision(), (records) => seen.push(...records.map(show)));
    const first = await put(store, 'a', '1');
    const key = serviceKey('a');
    written(await store.write({ key, value: undefined, expected: first }));
    const gone = await store.write({ key, value: undefined, expected: absent });
    t.deepEqual(gone, { kind: 'conflict', current: absent });
    await put(store, 'a', '2');
    t.deepEqual(seen, ['a=1', 'a=gone(1)', 'a=2']);
  });

  declare('S1 of writers that race for one revision, one wins each time', async (t, bench) => {
    const store = await bench.open();
    const add = async (): Promise<void> => {
      for (;;) {
        const { pages } = await snapshotOf(store);
        const known = pages.flat()[0];
        const value = bytes(String(Number(known === undefined ? 0 : textOf(known.value)) + 1));
        const expected = known?.revision ?? absent;
        const outcome = await store.write({ key: serviceKey('count'), value, expected });
        if (outcome.kind === 'written') return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, add));
    t.deepEqual((await snapshotOf(store)).pages.flat().map(show), ['count=20']);
  });
}

function declareReads(declare: Declare): void {
  declare('a snapshot has every live record in key order, in pages', async (t, bench) => {
    const store = await bench.open();
    const names = Array.from({ length: 1_203 }, (_, index) => `s${String(index).padStart(5, '0')}`);
    await Promise.all([...names].reverse().map((name) => put(store, name, name)));
    const { revision, pages } = await snapshotOf(store);
    t.is(revision, await store.currentRevision());
    t.true(pages.length > 1);
    t.deepEqual(
      pages.flat().map(({ value }) => textOf(value)),
      names,
    );
  });

  declare(
    'I1 snapshot and follow have neither gap nor overlap while writers go on',
    async (t, bench) => {
      const store = await bench.open();
      await Promise.all(Array.from({ length: 600 }, (_, at) => put(store, `old${at}`, 'x')));
      const writers = Promise.all(
        Array.from({ length: 300 }, (_, at) => put(store, `new${at}`, 'x')),
      );
      const { revision, pages } = await store.snapshot();
      const names = new Set<string>();
      for await (const page of pages)
        for (const record of page) {
          t.true(record.revision <= revision);
          names.add(record.key);
        }
      const revisions: number[] = [];
      store.follow(revision, (records) => {
        for (const record of records) {
          revisions.push(record.revision);
          t.true(!names.has(record.key));
          names.add(record.key);
        }
      });
      await writers;
      t.is(names.size, 900);
      t.deepEqual(
        revisions,
        revisions.map((_, index) => revision + 1 + index),
      );
    },
  );

  declare('I1 a follower that comes later gets the records that it missed', async (t, bench) => {
    const store = await bench.open();
    const first = await put(store, 'a', '1');
    await put(store, 'b', '1');
    const seen: string[] = [];
    const following = store.follow(first, (records) => seen.push(...records.map(show)));
    await put(store, 'c', '1');
    following.cancel();
    await put(store, 'd', '1');
    t.deepEqual(seen, ['b=1', 'c=1']);
  });
}

function declareLives(declare: Declare): void {
  declare(
    'I1 S2 a store that was closed opens with identity, records, revision',
    async (t, bench) => {
      const store = await bench.open();
      const identity = store.identity();
      const first = await put(store, 'a', '1');
      const last = written(
        await store.write({ key: serviceKey('a'), value: undefined, expected: first }),
      );
      await store.close();
      const reopened = await bench.open();
      t.deepEqual(reopened.identity(), identity);
      t.is(await reopened.currentRevision(), last);
      const seen: string[] = [];
      reopened.follow(first, (records) => seen.push(...records.map(show)));
      const next = await put(reopened, 'a', '2');
      t.is(next, last + 1);
      t.deepEqual(seen, ['a=gone(1)', 'a=2']);
    },
  );

  declare('the revision is epoch times 2^40 plus a counter', async (t, bench) => {
    const store = await bench.open();
    const { epoch } = store.identity();
    t.is(await put(store, 'a', '1'), toRevision(epoch * 2 ** 40 + 1));
  });
}
