// How long this thread has run on a core, and waited for one, from proc(5). Adapter (Linux).
//
// The file has three numbers: nanoseconds on a core, which of a thread that runs are as old as the
// last tick of the kernel, a few milliseconds; nanoseconds in the queue of one; and how often it was on one.

import { openSync, readFileSync, readSync } from 'node:fs';

const path = '/proc/thread-self/schedstat';

/** Milliseconds since the thread began; undefined where the kernel does not say. */
export function threadCpuMs(): number | undefined {
  try {
    const ranMs = Number(readFileSync(path, 'latin1').split(' ')[0]) / 1e6;
    return Number.isNaN(ranMs) ? undefined : ranMs;
  } catch {
    return undefined; // no Linux, or a kernel without CONFIG_SCHED_INFO
  }
}

/**
 * Asks how long the thread that opened it could have run while all cores were taken: milliseconds
 * since it began, exactly. A microsecond each time. Undefined where the kernel does not say.
 */
export function openThreadWaits(): (() => number) | undefined {
  let file: number;
  try {
    file = openSync(path, 'r'); // until the thread ends
  } catch {
    return undefined;
  }
  const bytes = Buffer.alloc(80);
  const read = (): number => {
    const text = bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
    const from = text.indexOf(' ') + 1;
    return Number(text.slice(from, text.indexOf(' ', from))) / 1e6;
  };
  return Number.isNaN(read()) ? undefined : read;
}
