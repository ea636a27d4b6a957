// How long this thread has run on a core, from proc(5). Adapter (Linux).

import { readFileSync } from 'node:fs';

/** Milliseconds since the thread began; undefined where the kernel does not say. */
export function threadCpuMs(): number | undefined {
  try {
    // First of three numbers: nanoseconds on a core.
    const ms = Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'latin1'), 10) / 1e6;
    return Number.isNaN(ms) ? undefined : ms;
  } catch {
    return undefined; // no Linux, or a kernel without CONFIG_SCHED_INFO
  }
}
