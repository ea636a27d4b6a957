import test from 'ava';
import { spawn } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { perCommitMax } from '../../coordinator/desired/commit-gate.ts';
import { openLmdbStore } from '../../coordinator/desired/lmdb-store.ts';
import type { Store } from '../../coordinator/desired/store.ts';
import { declareStoreContract, put, serviceKey, show, snapshotOf } from './store.ts';

const common = { chance: systemChance, log: silentLog };

async function createFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const parent = await mkdtemp(join(tmpdir(), 'isthmus-store-'));
  return {
    path: join(parent, 'log'),
    remove: () => rm(parent, { recursive: true, force: true }),
  };
}

declareStoreContract(test, 'lmdb', async () => {
  const { path, remove } = await createFolder();
  const opened: Store[] = [];
  return {
    open: async () => {
      const store = await openLmdbStore({ path, ...common });
      opened.push(store);
      return store;
    },
    dispose: async () => {
      await opened.at(-1)?.close();
      await remove();
    },
  };
});

test('lmdb: I11 G1 of many writes at once few are judged in one turn of the event loop', async (t) => {
  const { path, remove } = await createFolder();
  const store = await openLmdbStore({ path, ...common });
  let inTurn = 0;
  let most = 0;
  const judged = (): void => {
    if (inTurn === 0) {
      systemClock.soon(() => {
        inTurn = 0;
      });
    }
    inTurn += 1;
    most = Math.max(most, inTurn);
  };
  const writes = Array.from({ length: 5 * perCommitMax }, (_, index) =>
    store.write({
      key: serviceKey(`many-${index}`),
      value: Buffer.from(String(index)),
      expected: toRevision(0),
      get guards() {
        judged(); // the store looks at it when it judges
        return [];
      },
    }),
  );
  const outcomes = await Promise.all(writes);
  t.deepEqual(new Set(outcomes.map(({ kind }) => kind)), new Set(['written']));
  const { revision } = await store.snapshot();
  t.deepEqual(
    outcomes.map((outcome) => outcome.kind === 'written' && outcome.revision),
    outcomes.map((_, index) => revision - outcomes.length + 1 + index),
    'in the order in which they came',
  );
  t.true(most <= 2 * perCommitMax, `${most} in one turn`); // of two commits, where a commit is that fast
  await store.close();
  await remove();
});

/** Runs a writer until it has acknowledged `count` writes, then kills it without warning. */
async function writeAndKill(path: string, count: number): Promise<readonly string[]> {
  const program = new URL('store-writer.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: string[] = [];
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  await ended;
  return acknowledged;
}

test('lmdb: I1 S2 a kill in mid-write loses no acknowledged write', async (t) => {
  const { path, remove } = await createFolder();
  const acknowledged: string[] = [];
  for (const count of [1, 200, 700]) acknowledged.push(...(await writeAndKill(path, count)));
  const store = await openLmdbStore({ path, ...common });
  const { pages } = await snapshotOf(store);
  const held = new Map(pages.flat().map(({ key, revision }) => [key.split('/').at(-1), revision]));
  const lost = acknowledged.filter((line) => {
    const [name, revision] = line.split(' ');
    return String(held.get(name)) !== revision;
  });
  t.deepEqual(lost, []);
  t.true(acknowledged.length >= 901);
  const revisions = acknowledged.map((line) => line.split(' ')[1]);
  t.is(new Set(revisions).size, revisions.length);
  await store.close();
  await remove();
});

test('lmdb: a folder that is open is not opened again until it is closed', async (t) => {
  const { path, remove } = await createFolder();
  const store = await openLmdbStore({ path, ...common });
  const error = await t.throwsAsync(openLmdbStore({ path, ...common }), { instanceOf: MeshError });
  t.is(error?.code, 'STORE_LOCKED');
  t.is(error?.class, 'fatal');
  await put(store, 'a', '1'); // the refusal did not harm the holder
  await store.close();
  const next = await openLmdbStore({ path, ...common });
  t.deepEqual((await snapshotOf(next)).pages.flat().map(show), ['a=1']);
  await next.close();
  await remove();
});

test('lmdb: the log keeps a window; a follower from before it is told so', async (t) => {
  const { path, remove } = await createFolder();
  const store = await openLmdbStore({ path, ...common, logRecordsMax: 500 });
  const start = await store.currentRevision();
  // What is on its way is not trimmed yet.
  for (const from of [0, 700, 1_400])
    await Promise.all(Array.from({ length: 700 }, (_, at) => put(store, `s${from + at}`, 'x')));
  const error = t.throws(() => store.follow(start, () => undefined), { instanceOf: MeshError });
  t.is(error?.code, 'STORE_COMPACTED');
  t.is((await snapshotOf(store)).pages.flat().length, 2_100);
  await store.close();
  await remove();
});

test('lmdb: a disk that is nearly full refuses writes and still reads', async (t) => {
  const { path, remove } = await createFolder();
  const roomy = await openLmdbStore({ path, ...common });
  const first = await put(roomy, 'a', '1');
  await roomy.close();
  const store = await openLmdbStore({ path, ...common, freeBytesMin: Number.MAX_SAFE_INTEGER });
  const error = await t.throwsAsync(put(store, 'a', '2', first), { instanceOf: MeshError });
  t.is(error?.code, 'STORE_FULL');
  t.is(error?.class, 'retryable');
  t.deepEqual((await snapshotOf(store)).pages.flat().map(show), ['a=1']);
  await store.close();
  await remove();
});

test('lmdb: of a filling disk the last is for deletes and the coordinator itself', async (t) => {
  const { path, remove } = await createFolder();
  const roomy = await openLmdbStore({ path, ...common });
  const first = await put(roomy, 'a', '1');
  await roomy.close();
  const { bavail, bsize } = statfsSync(path);
  const store = await openLmdbStore({ path, ...common, freeBytesMin: bavail * bsize * 2 });
  await t.throwsAsync(put(store, 'a', '2', first), { instanceOf: MeshError });
  const writes = [
    {
      key: toLogKey({ group: isthmusGroup, resource: 'terms', name: 'coordinator' }),
      value: Buffer.from('1'),
      expected: toRevision(0),
    },
    {
      key: toLogKey({ group: isthmusGroup, resource: 'publications', name: 'web' }),
      value: Buffer.from('1'),
      expected: toRevision(0),
    },
    { key: serviceKey('a'), value: undefined, expected: first },
  ];
  for (const write of writes) t.is((await store.write(write)).kind, 'written');
  await store.close();
  await remove();
});
