// Ends a process that an earlier life of this program left behind, named by a pid file. A pid is
// used again by the system: only a process whose command line holds `mark` is taken for ours.

import { readFileSync } from 'node:fs';
import { sleep, type Clock } from './clock.ts';

const politeMs = 2_000;
const lookMs = 20;

/** Resolves true when there was one and it is gone. */
export async function endLeftProcess(
  { pidFile, mark }: { readonly pidFile: string; readonly mark: string },
  clock: Clock,
): Promise<boolean> {
  const pid = readPid(pidFile);
  if (pid === undefined || !isMarked(pid, mark)) return false;
  signal(pid, 'SIGTERM');
  signal(pid, 'SIGCONT'); // a stopped process acts on SIGTERM only when it goes on
  const start = clock.monotonicMs();
  while (isMarked(pid, mark)) {
    const tookMs = clock.monotonicMs() - start;
    if (tookMs > 2 * politeMs) return false;
    if (tookMs > politeMs) signal(pid, 'SIGKILL');
    await sleep(clock, lookMs);
  }
  return true;
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim());
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A dead process that its parent has not collected yet has no command line. */
function isMarked(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(mark);
  } catch {
    return false; // gone, or a system without /proc
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone already
  }
}
