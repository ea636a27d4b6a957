// I9. What lies on the disk of a coordinator: no Secret and no key of the federation in the clear,
// also while the sealing key is rotated, and nothing that opens without the key file.

import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../support/run-program.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import type { PartProgram } from '../../demo/part.ts';

const test = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';
const main = new URL('../../coordinator/main.js', import.meta.url).pathname;
const canary = 'canary-3f9a21c0-hunter2';
let mesh: RealMesh;
let program: PartProgram;

test.before(async () => {
  mesh = await openRealMesh({
    clusters: 0,
    prepare: ({ coordinator }) => {
      program = coordinator;
      return Promise.resolve();
    },
  });
  const literal = `--from-literal=password=${canary}`;
  await mesh.kubectl(federated, ['create', 'secret', 'generic', 'hush', literal]);
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

function keyFile(): string {
  return `${mesh.layout.coordinatorDir}.key`;
}

async function runKeys(...args: readonly string[]) {
  const flags = ['--data-dir', mesh.layout.coordinatorDir];
  return runProgram(process.execPath, [main, 'keys', ...args, ...flags], { env: {} });
}

async function readPassword(): Promise<string> {
  const path = ['get', 'secret', 'hush', '-o', 'jsonpath={.data.password}'];
  return Buffer.from(await mesh.kubectl(federated, path), 'base64').toString('utf8');
}

/** Files of the mesh in which one of these texts stands, by their path in its folder. */
function filesWith(texts: readonly string[]): readonly string[] {
  const { dir } = mesh.layout;
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      const content = readFileSync(path);
      return texts.some((text) => content.includes(text));
    })
    .map((path) => path.slice(dir.length + 1));
}

test.serial('no file holds a Secret in the clear, and none but this run’s a private key', (t) => {
  t.deepEqual(filesWith([canary, Buffer.from(canary).toString('base64').slice(0, 20)]), []);
  t.deepEqual(
    filesWith(['PRIVATE KEY']).filter((path) => !path.startsWith('coordinator/nats/')),
    [],
    'keys in nats/ are of certificates that live as long as the process',
  );
  t.deepEqual(filesWith([(readKeys()[0]?.key ?? 'none').slice(0, 20)]), ['coordinator.key']);
});

interface KeyEntry {
  readonly id: string;
  readonly key: string;
}

function readKeys(): readonly KeyEntry[] {
  return (JSON.parse(readFileSync(keyFile(), 'utf8')) as { readonly keys: readonly KeyEntry[] })
    .keys;
}

test.serial(
  'a rotation under a running coordinator seals all anew; a kill loses nothing',
  async (t) => {
    const [old] = readKeys();
    const rotated = await runKeys('rotate');
    t.is(rotated.code, 0, rotated.errors);
    t.regex(rotated.output, /told the running coordinator/);
    t.regex(rotated.output, /sealed under it: 3 records/); // the Secret, the CA, the account at NATS
    t.is(readKeys().length, 2);
    t.not(readKeys()[0]?.id, old?.id);
    t.is(await readPassword(), canary);
    const early = await runKeys('remove', old?.id ?? '');
    t.is(early.code, 1);
    t.regex(early.errors, /former versions in the log/);
    t.is((await runKeys('remove', old?.id ?? '', '--force')).code, 0);
    await mesh.kill('coordinator');
    await mesh.start('coordinator');
    t.is(await readPassword(), canary, 'the new key alone opens everything');
    t.is((await runKeys('remove', readKeys()[0]?.id ?? '')).code, 1, 'the key that seals stays');
  },
);

test.serial('a rotation with no coordinator running does it by itself', async (t) => {
  await mesh.kill('coordinator');
  const rotated = await runKeys('rotate');
  t.is(rotated.code, 0, rotated.errors);
  t.notRegex(rotated.output, /told/);
  t.regex(rotated.output, /sealed under it: 3 records/);
  await mesh.start('coordinator');
  t.is(await readPassword(), canary);
});

test.serial(
  'without its key file a coordinator refuses to start, and makes no other',
  async (t) => {
    await mesh.kill('coordinator');
    const [newest] = readKeys();
    const away = `${keyFile()}.away`;
    renameSync(keyFile(), away);
    const start = () => runProgram(process.execPath, [main, ...program.args], { env: {} });
    const refused = await start();
    t.is(refused.code, 1);
    t.regex(
      refused.errors,
      new RegExp(`coordinator.key is missing.*sealed under key ${newest?.id}`),
    );
    t.throws(() => readFileSync(keyFile()), { code: 'ENOENT' });
    copyFileSync(away, keyFile());
    await mesh.start('coordinator');
    t.is(await readPassword(), canary);
    rmSync(away);
  },
);

test.serial('bad key commands say what is right', async (t) => {
  for (const args of [[], ['frobnicate'], ['remove']]) {
    const ran = await runKeys(...args);
    t.is(ran.code, 2, args.join(' '));
    t.regex(ran.errors, /keys rotate/);
  }
  const help = await runKeys('--help');
  t.is(help.code, 0);
  t.regex(help.output, /keys remove ID/);
  const unknown = await runKeys('remove', 'k-none');
  t.is(unknown.code, 1);
  t.regex(unknown.errors, /holds no key "k-none"/);
});
