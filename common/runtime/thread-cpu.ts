// How long this thread has run on a core, and waited for one, from proc(5). Adapter (Linux).

import { readFileSync } from 'node:fs';

/** Milliseconds since the thread began. */
export interface ThreadTimes {
  readonly ranMs: number;
  /** It could have run, and all cores were taken. */
  readonly waitedMs: number;
}

/** Undefined where the kernel does not say. */
export function threadTimes(): ThreadTimes | undefined {
  try {
    // Three numbers: nanoseconds on a core, nanoseconds in its queue, and how often it was on one.
    const [ran, waited] = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ');
    const [ranMs, waitedMs] = [Number(ran) / 1e6, Number(waited) / 1e6];
    return Number.isNaN(ranMs) || Number.isNaN(waitedMs) ? undefined : { ranMs, waitedMs };
  } catch {
    return undefined; // no Linux, or a kernel without CONFIG_SCHED_INFO
  }
}

export function threadCpuMs(): number | undefined {
  return threadTimes()?.ranMs;
}
