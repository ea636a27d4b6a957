import test from 'ava';
import { MeshError } from '../../common/pure/errors.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { declareStoreContract, put, show, snapshotOf } from './store.ts';

declareStoreContract(test, 'memory', () => {
  const disk = createMemoryDisk('contract');
  return Promise.resolve({
    open: () => Promise.resolve(createMemoryStore({ disk })),
    dispose: () => Promise.resolve(),
  });
});

test('memory: a write that was not flushed when the process died is gone', async (t) => {
  const disk = createMemoryDisk('crash');
  const flushes: (() => void)[] = [];
  const flush = (): Promise<void> => new Promise((resolve) => flushes.push(resolve));
  const store = createMemoryStore({ disk, flush });
  const first = put(store, 'a', '1');
  flushes.shift()?.();
  await first;
  const second = put(store, 'b', '1');
  await store.close();
  flushes.shift()?.();
  await t.throwsAsync(second, { instanceOf: MeshError });
  const { pages } = await snapshotOf(createMemoryStore({ disk }));
  t.deepEqual(pages.flat().map(show), ['a=1']);
});
