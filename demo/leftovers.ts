// Choices and processes of the demo's last run, kept in its folder: the next run keeps what it
// can, and ends what the last one left behind because it was itself killed.

import { existsSync, readFileSync } from 'node:fs';
import { sleep, type Clock } from '../common/runtime/clock.ts';
import { writeWhole } from './demo-file.ts';

export interface SavedState {
  readonly loadBalancerBase: number;
  readonly ports: Readonly<Record<string, number>>;
  readonly pids: readonly number[];
}

export function loadState(path: string): SavedState | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SavedState; // our own file, written whole
  } catch {
    return undefined; // damaged by hand: start as if it were not there
  }
}

export function saveState(path: string, state: SavedState): void {
  writeWhole(path, `${JSON.stringify(state)}\n`);
}

/** Ends processes of an earlier run; `mark` must stand in their command line. */
export async function endLeftovers(
  pids: readonly number[],
  mark: string,
  clock: Clock,
): Promise<readonly number[]> {
  const left = pids.filter((pid) => commandLineOf(pid).includes(mark));
  await killAll(left, clock);
  return left;
}

/** Resolves when they are gone, or after 2 s. */
export async function killAll(pids: readonly number[], clock: Clock): Promise<void> {
  for (const pid of pids) signalIfThere(pid, 'SIGKILL');
  const until = clock.monotonicMs() + 2_000;
  while (pids.some(isAlive) && clock.monotonicMs() < until) await sleep(clock, 20);
}

/** False for a process that is gone, or that only waits for its parent to notice. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readIfThere(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

export function signalIfThere(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Empty where there is no /proc: then nothing is taken for ours, and nothing is ended. */
function commandLineOf(pid: number): string {
  return readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
