// One builder a folder: a file that holds the builder's process id and is touched while it builds.
// That of a process that is no more does not count, nor one that nobody touches: process ids are
// given out again. Two that find such a file in the same instant may both build: each renames a
// file of its own, so that costs time only.

import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../../common/runtime/clock.ts';
import { isAlive } from '../../demo/leftovers.ts';

// Longer than a cold build of everything, so that waiting is never what fails.
const waitMs = 90 * 60_000;
const lookAgainMs = 500;
const touchMs = 5_000;
// A machine that is busy with compiling keeps a process waiting, but not so long.
const untouchedMs = 120_000;

/** Resolves once the folder is this process's alone, to what gives it back. */
export async function lockFolder(
  folder: string,
  { clock, say }: { readonly clock: Clock; readonly say: (text: string) => void },
): Promise<() => void> {
  const path = join(folder, '.building');
  const startMs = clock.monotonicMs();
  for (let isTold = false; !take(path); ) {
    const holder = readHolder(path);
    if (holder === undefined || !isAlive(holder) || clock.now() - touchedMs(path) > untouchedMs) {
      rmSync(path, { force: true });
      continue;
    }
    if (clock.monotonicMs() - startMs > waitMs)
      throw new Error(`process ${holder} still builds in ${folder}: end it, or remove ${path}`);
    if (!isTold) say(`waiting for process ${holder}, which builds in ${folder}`);
    isTold = true;
    await wait(lookAgainMs);
  }
  const touching = setInterval(() => touch(path, clock.now()), touchMs);
  return () => {
    clearInterval(touching);
    rmSync(path, { force: true });
  };
}

function touch(path: string, nowMs: number): void {
  try {
    utimesSync(path, nowMs / 1_000, nowMs / 1_000);
  } catch {
    // Somebody removed it; whoever waits then builds too, and each renames a file of its own.
  }
}

/** 0 when it is not there any more. */
function touchedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): number | undefined {
  try {
    const id = Number(readFileSync(path, 'utf8'));
    return Number.isInteger(id) && id > 0 ? id : undefined;
  } catch {
    return undefined;
  }
}
