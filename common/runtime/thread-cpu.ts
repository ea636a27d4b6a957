// How long this thread has run on a core, and waited for one, from proc(5). Adapter (Linux).
//
// The file has three numbers: nanoseconds on a core, which of a thread that runs are as old as the
// last tick of the kernel, a few milliseconds, unless it has asked for its times since (getrusage(2) brings
// them up to date); nanoseconds in the queue of one; and how often it was on one.

import { openSync, readFileSync, readSync } from 'node:fs';
import process from 'node:process';

const path = '/proc/thread-self/schedstat';

/** Milliseconds since the thread began; undefined where the kernel does not say. */
export function threadCpuMs(): number | undefined {
  try {
    process.cpuUsage(); // what it ran is up to date then
    const ranMs = Number(readFileSync(path, 'latin1').split(' ')[0]) / 1e6;
    return Number.isNaN(ranMs) ? undefined : ranMs;
  } catch {
    return undefined; // no Linux, or a kernel without CONFIG_SCHED_INFO
  }
}

export interface ThreadTimes {
  /** Milliseconds on a core. */
  readonly ranMs: number;
  /** In which it could run, and all cores were taken. */
  readonly waitedMs: number;
}

/**
 * Asks for the times of the thread that opened it, since it began, which are exact. Two microseconds each time.
 * Undefined where the kernel does not say.
 */
export function openThreadTimes(): (() => ThreadTimes) | undefined {
  let file: number;
  try {
    file = openSync(path, 'r'); // until the thread ends
  } catch {
    return undefined;
  }
  const bytes = Buffer.alloc(80);
  const read = (): ThreadTimes => {
    process.cpuUsage(); // what it ran is up to date then
    const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
    const from = text.indexOf(' ') + 1;
    const waited = text.slice(from, text.indexOf(' ', from));
    return { ranMs: Number(text.slice(0, from)) / 1e6, waitedMs: Number(waited) / 1e6 };
  };
  const { ranMs, waitedMs } = read();
  return Number.isNaN(ranMs + waitedMs) ? undefined : read;
}
