// Memory and CPU of one process as the kernel counts them (Linux). Adapter (/proc).

import { readFileSync } from 'node:fs';
import { cpuMsOf } from './api/process-usage.ts';

export interface ProcessUsage {
  readonly rssMiB: number;
  /** Shared pages, such as node's own code, divided among those that share them. */
  readonly pssMiB: number;
  readonly privateMiB: number;
  /** Since its start. */
  readonly cpuMs: number;
}

export function readProcess(pid: number): ProcessUsage {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (field: string): number =>
    Math.round((Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]) / 1024) * 10) /
    10;
  return {
    rssMiB: mib('Rss'),
    pssMiB: mib('Pss'),
    privateMiB: mib('Private_Dirty'),
    cpuMs: cpuMsOf([pid]),
  };
}
