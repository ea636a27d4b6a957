// Which process may use which port of those that are drawn. Between finding a port free and
// listening on it seconds may pass, in which another process would find it free too: so each port
// that is drawn is a file, named by it, until the process ends that drew it.

import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(tmpdir(), `isthmus-ports-${process.getuid?.() ?? 0}`);
const ours = new Set<number>();
let givesBackAtExit = false;

/** False when it is claimed already, by whatever process of this user. */
export function claimPort(port: number): boolean {
  const file = join(folder, String(port));
  if (ours.size === 0) mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!givesBackAtExit) process.once('exit', giveAllBack);
  givesBackAtExit = true;
  if (ours.has(port) || isClaimed(file)) return false;
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    return false; // somebody was faster
  }
  ours.add(port);
  return true;
}

export function giveBack(port: number): void {
  ours.delete(port);
  rmSync(join(folder, String(port)), { force: true });
}

/** A process that was killed has left its files. */
function isClaimed(file: string): boolean {
  let owner: number;
  try {
    owner = Number(readFileSync(file, 'utf8'));
  } catch {
    return false;
  }
  if (owner === 0) return true; // it is being written
  try {
    process.kill(owner, 0);
    return true;
  } catch {
    rmSync(file, { force: true });
    return false;
  }
}

function giveAllBack(): void {
  for (const port of ours) giveBack(port);
  try {
    rmdirSync(folder);
  } catch {
    // Others have ports still.
  }
}
