// The file of key-encryption keys, outside the data directory: whoever copies the data directory,
// or a backup of it, cannot read its secrets. The first key seals, all of them open.
//
//   {"keys": [{"id": "k-3f9a21c0", "created": "2026-11-25T10:00:00Z", "key": "<32 bytes, base64>"}]}
//
//   K1. A key file is made only where nothing is sealed yet: a new key would open nothing.
//   K2. A running coordinator takes no file that lacks a key which something is sealed under: with
//       the process would go the last copy of that key.
//   K3. A file that others can read is refused, as ssh refuses such a key. A group may read it: so
//       Kubernetes mounts Secrets for a Pod that does not run as root (fsGroup).

import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import { readFileIfThere, writePrivateFile } from '../../common/runtime/private-file.ts';
import { makePrivateFolder } from '../../common/runtime/private-folder.ts';
import { isSecretKey } from '../desired/sealed-store.ts';
import { sealedUnder, type SealingKey } from '../desired/sealer.ts';
import type { Store } from '../desired/store.ts';

const keysMax = 100;
const idPattern = /^[a-z0-9][-a-z0-9]{0,63}$/;

/** Beside the data directory, so that the two belong together and are not copied together. */
export function toDefaultKeyFile(dataDir: string): string {
  return `${dataDir.replace(/\/+$/, '')}.key`;
}

/** undefined when there is no file. Throws MeshError fatal ENCRYPTION_KEY_INVALID. */
export async function readKeyFile(path: string): Promise<readonly SealingKey[] | undefined> {
  const bytes = await readFileIfThere(path).catch((error: unknown) => {
    throw invalid(path, 'cannot be read', error);
  });
  if (bytes === undefined) return undefined;
  refuseOpenToOthers(path, (await stat(path)).mode); // K3
  return parseKeys(path, bytes.toString('utf8'));
}

function refuseOpenToOthers(path: string, mode: number): void {
  if ((mode & notForOthers) === 0) return;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  throw invalid(
    path,
    `mode ${shown} lets others than its owner read or change it; run \`chmod 600 ${path}\`, or ` +
      'mount the Secret with defaultMode 0440; if anybody may have seen it, make a new key ' +
      'with `isthmus-coordinator keys rotate`',
  );
}

/** Anything for the rest of the world; more than reading for the group. */
const notForOthers = 0o037;

export async function writeKeyFile(path: string, keys: readonly SealingKey[]): Promise<void> {
  const shown = keys.map(({ id, created, key }) => ({
    id,
    created,
    key: Buffer.from(key).toString('base64'),
  }));
  await writePrivateFile(path, `${JSON.stringify({ keys: shown }, null, 2)}\n`);
}

export function makeSealingKey({
  clock,
  chance,
}: {
  readonly clock: Clock;
  readonly chance: Chance;
}): SealingKey {
  return {
    id: `k-${Buffer.from(chance.bytes(4)).toString('hex')}`,
    created: toTimestamp(clock.now()),
    key: chance.bytes(32),
  };
}

/** The keys in `path`; at a first start a new one. Throws MeshError fatal ENCRYPTION_KEY_*. */
export async function openKeyFile(options: {
  readonly path: string;
  /** The store as its driver has it, to see whether something is sealed. */
  readonly driver: Store;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<readonly SealingKey[]> {
  const { path, driver } = options;
  const known = await readKeyFile(path);
  if (known !== undefined) return known;
  const id = await findSealed(driver);
  if (id !== undefined) {
    throw new MeshError(
      'fatal',
      'ENCRYPTION_KEY_MISSING',
      `${path} is missing, and the data directory is sealed under key ${id}: bring the file back, or name it with --encryption-key-file`,
    );
  }
  const keys = [makeSealingKey(options)];
  try {
    if (!existsSync(dirname(path))) makePrivateFolder(dirname(path));
    await writeKeyFile(path, keys);
  } catch (error) {
    throw invalid(path, 'cannot be written; name another place with --encryption-key-file', error);
  }
  return keys;
}

/** K2. The keys in `path`, for a coordinator that runs. Throws MeshError fatal ENCRYPTION_KEY_*. */
export async function rereadKeyFile(options: {
  readonly path: string;
  readonly driver: Store;
  /** Id of the key that seals now. */
  readonly sealingId: string;
}): Promise<readonly SealingKey[]> {
  const { path, driver, sealingId } = options;
  const keys = await readKeyFile(path);
  const known = (keys ?? []).map(({ id }) => id);
  const missing = known.includes(sealingId) ? await findSealed(driver, known) : sealingId;
  if (keys !== undefined && missing === undefined) return keys;
  const what = keys === undefined ? 'is missing' : `lacks key ${missing}`;
  throw new MeshError(
    'fatal',
    'ENCRYPTION_KEY_MISSING',
    `${path} ${what}, and records are sealed under it: put it back now, before this process ends`,
  );
}

/** Id of a key that something is sealed under, and that is none of these. */
async function findSealed(
  driver: Store,
  known: readonly string[] = [],
): Promise<string | undefined> {
  const { pages } = await driver.snapshot();
  for await (const page of pages) {
    for (const { key, value } of page) {
      const id = isSecretKey(key) ? sealedUnder(value) : undefined;
      if (id !== undefined && !known.includes(id)) return id;
    }
  }
  return undefined;
}

function parseKeys(path: string, text: string): readonly SealingKey[] {
  const keys = toList(path, text).map((entry, index) => parseKey(path, entry, index));
  if (keys.length === 0) throw invalid(path, 'keys: at least one is needed');
  if (keys.length > keysMax) throw invalid(path, `keys: at most ${keysMax}`);
  const ids = keys.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw invalid(path, `keys: id ${twice} stands twice`);
  return keys;
}

function toList(path: string, text: string): readonly unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid(path, 'is not JSON'); // the parser's own message quotes what it read
  }
  const keys =
    typeof parsed === 'object' && parsed !== null && 'keys' in parsed ? parsed.keys : undefined;
  if (!Array.isArray(keys)) throw invalid(path, 'has no list "keys"');
  return keys;
}

function parseKey(path: string, entry: unknown, index: number): SealingKey {
  const { id, created, key } = (entry ?? {}) as Readonly<Record<string, unknown>>; // checked below
  if (typeof id !== 'string' || !idPattern.test(id)) {
    throw invalid(path, `keys[${index}].id: 1 to 64 characters of a-z, 0-9 and -`);
  }
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : Buffer.alloc(0);
  if (bytes.length !== 32) throw invalid(path, `keys[${index}].key: 32 bytes in base64`);
  return { id, created: typeof created === 'string' ? created : '', key: bytes };
}

function invalid(path: string, why: string, cause?: unknown): MeshError {
  return new MeshError('fatal', 'ENCRYPTION_KEY_INVALID', `${path}: ${why}`, cause);
}
