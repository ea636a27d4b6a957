// `isthmus-coordinator keys`: lists, rotates and removes the keys that seal secrets at rest.
//
//   keys list        each key, and how many records it seals
//   keys rotate      adds a key, then has every secret sealed under it: by the running
//                    coordinator, which hears SIGHUP, or by itself where none runs
//   keys remove ID   takes a key out of the file when nothing needs it any more
//
// A backup opens only with the keys of its day: keep removed keys as long as such backups.

import { join, resolve } from 'node:path';
import { MeshError } from '../../common/pure/errors.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { keepProcessAlive, sleep, systemClock as clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { readSettings, type Program, type SettingValues } from '../../common/runtime/settings.ts';
import { caUsage, runCa, type CaCall } from './ca-command.ts';
import { inspectLmdb, type SealUse } from '../desired/lmdb-inspect.ts';
import { openLmdbStore } from '../desired/lmdb-store.ts';
import { isRunning } from '../desired/process-identity.ts';
import { resealRecords } from '../desired/sealed-store.ts';
import { createSealer, type SealingKey } from '../desired/sealer.ts';
import { withLockFile } from './lock-file.ts';
import { makeSealingKey, readKeyFile, toDefaultKeyFile, writeKeyFile } from './encryption-keys.ts';

const usage = `isthmus-coordinator keys: the keys that seal secrets at rest.

  isthmus-coordinator keys list   [--data-dir DIR] [--encryption-key-file FILE]
  isthmus-coordinator keys rotate [--data-dir DIR] [--encryption-key-file FILE]
  isthmus-coordinator keys remove ID [--force] [...]
  isthmus-coordinator keys ca list|rotate|retire [...]      the CA; see keys ca --help

rotate adds a key and seals every secret under it, also while the coordinator runs. remove
refuses a key that seals something; --force forgets former versions that only it can open.
`;

interface KeysCall {
  readonly action: string;
  readonly id: string | undefined;
  readonly isForced: boolean;
  readonly settings: SettingValues;
  readonly say: (line: string) => void;
}

/** The parts of a command line; undefined when it is not one of ours. */
function parseCall(argv: readonly string[]):
  | {
      readonly action: string;
      readonly id: string | undefined;
      readonly isForced: boolean;
      readonly settings: readonly string[];
    }
  | undefined {
  const [action = '', ...rest] = argv;
  if (action === 'ca') {
    const [id = '', ...settings] = rest;
    if (!['list', 'rotate', 'retire'].includes(id)) return undefined;
    const isForced = id === 'retire' && settings.includes('--force');
    return {
      action,
      id,
      isForced,
      settings: settings.filter((word) => !isForced || word !== '--force'),
    };
  }
  if (!['list', 'rotate', 'remove'].includes(action)) return undefined;
  const [first] = rest;
  const id = action === 'remove' && first?.startsWith('-') === false ? first : undefined;
  if (action === 'remove' && id === undefined) return undefined;
  const isForced = action === 'remove' && rest.includes('--force');
  const settings = rest.filter(
    (word, at) => !(isForced && word === '--force') && !(id && at === 0),
  );
  return { action, id, isForced, settings };
}

/** Reads the command line, acts, prints; returns the exit code. */
export async function runKeysCommand(options: {
  readonly argv: readonly string[];
  readonly program: Program;
}): Promise<number> {
  const { argv, program } = options;
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(usageOf(argv));
    return 0;
  }
  const call = parseCall(argv);
  const outcome = readSettings(program, { argv: call?.settings ?? [], env: process.env });
  if (call === undefined || outcome.kind !== 'run') {
    process.stderr.write(outcome.kind === 'error' ? `${outcome.message}\n` : usageOf(argv));
    return exitUsage;
  }
  const alive = keepProcessAlive();
  try {
    const say = (line: string): void => void process.stdout.write(`${line}\n`);
    await run({ ...call, settings: outcome.values, say });
    return 0;
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    alive.cancel();
  }
}

/** parseCall has let no other pass. */
function toCaAction(word: string | undefined): CaCall['action'] {
  return word === 'rotate' || word === 'retire' ? word : 'list';
}

function usageOf([first]: readonly string[]): string {
  return first === 'ca' ? caUsage : usage;
}

/** Throws MeshError with a message for the person who typed it. */
async function run(call: KeysCall): Promise<void> {
  const dataDir = resolve(call.settings.text('data-dir') ?? '');
  if (call.action === 'ca') {
    return runCa({ ...call, action: toCaAction(call.id), dataDir, clock, chance });
  }
  const files: Files = {
    store: join(dataDir, 'log'),
    keyFile: call.settings.text('encryption-key-file') ?? toDefaultKeyFile(dataDir),
  };
  const keys = await readKeyFile(files.keyFile);
  if (keys === undefined) {
    throw refusal(`${files.keyFile} is missing: the coordinator makes it at its first start`);
  }
  if (call.action === 'list') return list(call, files, keys);
  // From the reading on: of two that add a key at once, one key would be lost with what it seals.
  return withLockFile(`${files.keyFile}.lock`, async () => {
    const locked = (await readKeyFile(files.keyFile)) ?? keys;
    if (call.action === 'rotate') return rotate(call, files, locked);
    return remove(call, files, locked);
  });
}

interface Files {
  readonly store: string;
  readonly keyFile: string;
}

async function list(call: KeysCall, files: Files, keys: readonly SealingKey[]): Promise<void> {
  const use = await inspectLmdb(files.store);
  const rows = keys.map(({ id, created }, index) => [
    id,
    created,
    index === 0 ? 'seals' : 'opens',
    String(use?.live.get(id) ?? 0),
    String(use?.former.get(id) ?? 0),
  ]);
  const table = [['ID', 'CREATED', 'USE', 'RECORDS', 'FORMER'], ...rows];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...table.map((row) => (row[at] ?? '').length)));
  for (const row of table) {
    call.say(row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('   '));
  }
}

async function rotate(call: KeysCall, files: Files, keys: readonly SealingKey[]): Promise<void> {
  const { say } = call;
  const next = [makeSealingKey({ clock, chance }), ...keys];
  await writeKeyFile(files.keyFile, next);
  say(`added key ${next[0]?.id} to ${files.keyFile}`);
  const holder = (await inspectLmdb(files.store))?.holder;
  if (holder !== undefined && isRunning(holder)) {
    process.kill(Number(holder.split('@', 1)[0]), 'SIGHUP');
    say('told the running coordinator');
    await awaitSealed(call, files, next);
  } else {
    const driver = await openLmdbStore({ path: files.store, chance, log: silentLog });
    const sealer = createSealer({ keys: next, chance });
    await resealRecords(driver, sealer, silentLog).finally(() => driver.close());
  }
  const use = await inspectLmdb(files.store);
  say(`sealed under it: ${use?.live.get(next[0]?.id ?? '') ?? 0} records`);
}

const exitUsage = 2;
const lookEveryMs = 200;
const looksMax = 1_500; // five minutes

async function awaitSealed(
  { say }: KeysCall,
  files: Files,
  [newest]: readonly SealingKey[],
): Promise<void> {
  let told = -1;
  for (let look = 0; look < looksMax; look += 1) {
    const left = countOthers(await inspectLmdb(files.store), newest?.id ?? '');
    if (left === 0) return;
    if (left !== told) say(`${left} records to go`);
    told = left;
    await sleep(clock, lookEveryMs);
  }
  throw refusal('the coordinator has not sealed everything anew: see its log, then run this again');
}

function countOthers(use: SealUse | undefined, id: string): number {
  let others = 0;
  for (const [other, count] of use?.live ?? []) if (other !== id) others += count;
  return others;
}

async function remove(call: KeysCall, files: Files, keys: readonly SealingKey[]): Promise<void> {
  const { id = '' } = call;
  if (!keys.some((key) => key.id === id)) {
    throw refusal(`${files.keyFile} holds no key "${id}": see keys list`);
  }
  if (keys[0]?.id === id) throw refusal(`key ${id} seals now: run keys rotate first`);
  const use = await inspectLmdb(files.store);
  const live = use?.live.get(id) ?? 0;
  if (live > 0) throw refusal(`key ${id} still seals ${live} records: run keys rotate first`);
  const former = use?.former.get(id) ?? 0;
  if (former > 0 && !call.isForced) {
    throw refusal(
      `${former} former versions in the log are sealed under key ${id}; they go as the log moves on. Nobody reads them but a replica that resumes: --force removes the key now`,
    );
  }
  await writeKeyFile(
    files.keyFile,
    keys.filter((key) => key.id !== id),
  );
  call.say(`removed key ${id} from ${files.keyFile}; keep it for backups of its time`);
}

function refusal(message: string): MeshError {
  return new MeshError('fatal', 'KEYS_REFUSED', message);
}
