// Names a process on this machine so that a later one with the same number is another: the number
// alone comes back, soon in a container, where it is often 1. The start time is Linux's; elsewhere
// only the number counts.

import { readFileSync } from 'node:fs';

/** `<pid>` or `<pid>@<start time>` of this process. */
export function ownProcess(): string {
  const start = startOf(process.pid);
  return start === undefined ? `${process.pid}` : `${process.pid}@${start}`;
}

/** Whether the process that ownProcess() named, then or now, still runs here. */
export function isRunning(name: string): boolean {
  const [digits, start] = name.split('@', 2);
  const pid = Number(digits);
  if (!Number.isInteger(pid) || pid <= 0 || !hasProcess(pid)) return false;
  const startNow = startOf(pid);
  return start === undefined || startNow === undefined || start === startNow;
}

function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Clock ticks from boot to start: field 22 of proc(5) stat, after the name in parentheses. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
