// One command at a time on a file: a lock file beside it, which names the process that has it.

import { open, readFile, rm } from 'node:fs/promises';
import { MeshError } from '../../common/pure/errors.ts';
import { isRunning, ownProcess } from '../desired/process-identity.ts';

/**
 * What `run` gives, no other having the lock meanwhile. Throws MeshError fatal FILE_LOCKED at once
 * when a process that runs has it; the lock of one that died is taken over.
 */
export async function withLockFile<T>(path: string, run: () => Promise<T>): Promise<T> {
  await take(path);
  try {
    return await run();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<void> {
  if (await tryTake(path)) return;
  const holder = await readFile(path, 'utf8').catch(() => '');
  // One that has not yet written its name is at work as well.
  if (holder !== '' && !isRunning(holder)) {
    await rm(path, { force: true });
    if (await tryTake(path)) return;
  }
  throw new MeshError(
    'fatal',
    'FILE_LOCKED',
    `another command is at work (${path}): try again when it has ended; if none is, remove that file`,
  );
}

async function tryTake(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(ownProcess());
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
