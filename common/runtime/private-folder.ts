// A folder that only its owner can enter, with its parents.

import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes `path` with mode 0700, or gives it that mode. Throws the system's error. Not by mkdir's
 * own `recursive`: Node 20 goes round for ever where a parent says "no such file" to every
 * child, as /proc does.
 */
export function makePrivateFolder(path: string): void {
  if (!tryMake(path)) {
    makeParents(dirname(path));
    if (!tryMake(path)) mkdirSync(path); // throws: its parent was just made
  }
  chmodSync(path, 0o700);
}

function makeParents(path: string): void {
  if (tryMake(path) || dirname(path) === path) return;
  makeParents(dirname(path));
  tryMake(path);
}

/** False when a parent is missing. */
function tryMake(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return true;
    if (code === 'ENOENT') return false;
    throw error;
  }
}
