// Files that hold keys: nobody else gets to see one, and none is lost to a race or a mistake.

import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { oneAtATime } from '../../common/runtime/one-at-a-time.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createSealer } from '../../coordinator/desired/sealer.ts';
import {
  makeSealingKey,
  readKeyFile,
  rereadKeyFile,
  writeKeyFile,
} from '../../coordinator/trust/encryption-keys.ts';
import { withLockFile } from '../../coordinator/trust/lock-file.ts';

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'isthmus-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

test('a file that somebody laid in the way of a draft is not written into', async (t) => {
  const dir = folder(t);
  const [path, theirs] = [join(dir, 'a.key'), join(dir, 'theirs')];
  writeFileSync(theirs, 'untouched', { mode: 0o644 });
  symlinkSync(theirs, `${path}.new`);
  await writePrivateFile(path, 'hush');
  t.is(readFileSync(theirs, 'utf8'), 'untouched');
  writeFileSync(`${path}.new`, '', { mode: 0o666 });
  await writePrivateFile(path, 'hush');
  t.is(statSync(path).mode & 0o777, 0o600);
  t.deepEqual(readdirSync(dir).sort(), ['a.key', 'theirs']);
});

test('K2 a running coordinator takes no key file that lacks what something is sealed under', async (t) => {
  const path = join(folder(t), 'a.key');
  const driver = createMemoryStore({ disk: createMemoryDisk('keys') });
  const [first, second, third] = [0, 1, 2].map(() => makeSealingKey({ clock, chance }));
  if (first === undefined || second === undefined || third === undefined) return t.fail();
  const key = toLogKey({ group: '', resource: 'secrets', namespace: 'default', name: 'a' });
  const sealer = createSealer({ keys: [first], chance });
  const value = sealer.seal(key, Buffer.from('{}'));
  await driver.write({ key, value, expected: toRevision(0) });
  const reread = (sealingId: string) => rereadKeyFile({ path, driver, sealingId });
  await t.throwsAsync(reread(first.id), { message: /is missing/ });
  await writeKeyFile(path, [second]);
  await t.throwsAsync(reread(first.id), { message: new RegExp(`lacks key ${first.id}`) });
  await t.throwsAsync(reread(second.id), { message: new RegExp(`lacks key ${first.id}`) });
  await writeKeyFile(path, [second, first]);
  t.deepEqual(
    (await reread(first.id)).map(({ id }) => id),
    [second.id, first.id],
  );
  await t.throwsAsync(reread(third.id), { message: new RegExp(`lacks key ${third.id}`) });
});

test('K3 a key file that others can read or change is refused, and how to mend it said', async (t) => {
  const path = join(folder(t), 'a.key');
  await writeKeyFile(path, [makeSealingKey({ clock, chance })]);
  for (const mode of [0o600, 0o400, 0o440, 0o640]) {
    chmodSync(path, mode);
    t.is((await readKeyFile(path))?.length, 1, mode.toString(8));
  }
  for (const mode of [0o644, 0o604, 0o660, 0o606]) {
    chmodSync(path, mode);
    const message = new RegExp(`mode 0${mode.toString(8)} .*chmod 600 .*defaultMode 0440`);
    await t.throwsAsync(readKeyFile(path), { message });
  }
});

test('another key under a known name is refused, and nothing changes', (t) => {
  const [first, other] = [makeSealingKey({ clock, chance }), makeSealingKey({ clock, chance })];
  const sealer = createSealer({ keys: [first], chance });
  t.throws(() => sealer.replaceKeys([{ ...other, id: first.id }]), { message: /another than/ });
  sealer.replaceKeys([other, first]);
  t.is(sealer.sealingId(), other.id);
});

test('of two commands on one file the second is refused, and a dead one’s lock is taken over', async (t) => {
  const path = join(folder(t), 'a.lock');
  const second = await withLockFile(path, () => {
    const tried = withLockFile(path, () => Promise.resolve('let in'));
    return tried.catch((error: unknown) => String(error));
  });
  t.regex(second, /another command is at work/);
  writeFileSync(path, '4194303@1');
  t.is(await withLockFile(path, () => Promise.resolve('mine')), 'mine');
  t.throws(() => statSync(path), { code: 'ENOENT' });
});

test('what is asked for a hundred times while it runs runs once more', async (t) => {
  let runs = 0;
  const { promise, resolve } = withResolvers();
  const ask = oneAtATime(() => {
    runs += 1;
    if (runs < 2) return promise;
    return Promise.resolve();
  });
  for (let count = 0; count < 100; count += 1) ask();
  t.is(runs, 1);
  resolve();
  await new Promise((done) => setImmediate(done));
  t.is(runs, 2);
  ask();
  t.is(runs, 3);
});

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}
