// What socket-meter.ts counts in an agent, and how the bench asks for it. Adapter (signal, file).

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { sleep, systemClock } from '../common/runtime/clock.ts';

/** By remote port. */
export type SocketCounts = Readonly<
  Record<string, { readonly written: number; readonly read: number }>
>;

const answerMs = 5_000;
const lookMs = 20;

export async function askSocketCounts(pid: number, path: string): Promise<SocketCounts> {
  rmSync(path, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (let waitedMs = 0; waitedMs < answerMs; waitedMs += lookMs) {
    await sleep(systemClock, lookMs);
    if (!existsSync(path)) continue;
    const text = readFileSync(path, 'utf8');
    if (text.endsWith('}')) return JSON.parse(text) as SocketCounts; // written by socket-meter.ts
  }
  throw new Error('the agent does not tell what its sockets carried');
}
