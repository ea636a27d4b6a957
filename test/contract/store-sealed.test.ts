import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { resealRecords, sealStore } from '../../coordinator/desired/sealed-store.ts';
import { createSealer, sealedUnder, type SealingKey } from '../../coordinator/desired/sealer.ts';
import { bytes, declareStoreContract, put, snapshotOf, textOf } from './store.ts';

function toKey(id: string): SealingKey {
  return { id, created: '', key: chance.bytes(32) };
}

// Everything is a secret here, or the suite's Services would pass through in the clear.
declareStoreContract(test, 'sealed', () => {
  const disk = createMemoryDisk('contract');
  const sealer = createSealer({ keys: [toKey('k-1')], chance });
  return Promise.resolve({
    open: () => Promise.resolve(sealStore(createMemoryStore({ disk }), sealer, () => true)),
    dispose: () => Promise.resolve(),
  });
});

const secret = toLogKey({ group: '', resource: 'secrets', namespace: 'default', name: 'a' });
const authority = toLogKey({ group: 'isthmus.dev', resource: 'authorities', name: 'federation' });

test('sealed: I9 the driver sees Secrets and the CA sealed, all else as it is', async (t) => {
  const driver = createMemoryStore({ disk: createMemoryDisk('driver') });
  const store = sealStore(driver, createSealer({ keys: [toKey('k-1')], chance }));
  for (const key of [secret, authority]) {
    await store.write({ key, value: bytes('hush'), expected: toRevision(0) });
  }
  await put(store, 'web', 'open');
  const stored = (await snapshotOf(driver)).pages.flat();
  t.deepEqual(
    stored.map(({ key, value }) => [key, sealedUnder(value)]),
    [
      ['core/secrets/default/a', 'k-1'],
      ['core/services/default/web', undefined],
      ['isthmus.dev/authorities//federation', 'k-1'],
    ],
  );
  t.false(stored.some(({ value }) => Buffer.from(value).includes('hush')));
  const read = (await snapshotOf(store)).pages.flat().map(({ value }) => textOf(value));
  t.deepEqual(read, ['hush', 'open', 'hush']);
});

test('sealed: a rotation seals all anew, once, and loses no write that comes between', async (t) => {
  const driver = createMemoryStore({ disk: createMemoryDisk('rotation') });
  const [old, next] = [toKey('k-old'), toKey('k-new')];
  const sealer = createSealer({ keys: [old], chance });
  const store = sealStore(driver, sealer);
  const first = await store.write({ key: secret, value: bytes('1'), expected: toRevision(0) });
  await store.write({ key: authority, value: bytes('ca'), expected: toRevision(0) });
  sealer.replaceKeys([next, old]);
  t.is(first.kind, 'written');
  const expected = first.kind === 'written' ? first.revision : toRevision(0);
  const [count, write] = await Promise.all([
    resealRecords(driver, sealer, silentLog),
    store.write({ key: secret, value: bytes('2'), expected }),
  ]);
  const { pages } = await snapshotOf(store);
  const texts = pages.flat().map(({ value }) => textOf(value));
  t.deepEqual(texts, write.kind === 'written' ? ['2', 'ca'] : ['1', 'ca']);
  const ids = (await snapshotOf(driver)).pages.flat().map(({ value }) => sealedUnder(value));
  t.deepEqual(ids, ['k-new', 'k-new']);
  t.true(count >= 1);
  t.is(await resealRecords(driver, sealer, silentLog), 0, 'a second run has nothing to do');
});

test('sealed: what was written before there was a key is sealed by the first run', async (t) => {
  const driver = createMemoryStore({ disk: createMemoryDisk('before') });
  await driver.write({ key: secret, value: bytes('clear'), expected: toRevision(0) });
  const sealer = createSealer({ keys: [toKey('k-1')], chance });
  t.is(await resealRecords(driver, sealer, silentLog), 1);
  const [record] = (await snapshotOf(driver)).pages.flat();
  t.is(sealedUnder(record?.value ?? new Uint8Array()), 'k-1');
});
