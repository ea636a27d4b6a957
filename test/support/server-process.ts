// One server of a test as a process: its log's end is kept, it ends with the test's process.

import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

export interface ServerProcess {
  readonly name: string;
  /** undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Rejects when the process ends by itself; never resolves. */
  readonly ended: Promise<never>;
  /** The last of what it said. */
  logs(): string;
  /** Asks it to end, makes it end when it does not, and resolves when it has. */
  stop(): Promise<void>;
}

const logCharsMax = 8_000;
// A server with an open watch waits for it to end; a test does not.
const politeMs = 2_000;

export function startServerProcess(options: {
  readonly name: string;
  readonly path: string;
  readonly flags: readonly string[];
}): ServerProcess {
  const { name, path, flags } = options;
  const child = spawn(path, [...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const keep = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-logCharsMax);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const exit = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`exit ${code ?? signal ?? ''}`));
  });
  const ended = exit.then((how) => Promise.reject(new Error(`${name} ended: ${how}`)));
  ended.catch(() => undefined); // once it is ready, nobody waits for its end any more
  return {
    name,
    pid: child.pid,
    ended,
    logs: () => text,
    stop: async () => {
      child.kill('SIGTERM');
      const patience = new AbortController();
      await Promise.race([exit, wait(politeMs, undefined, { signal: patience.signal })]);
      patience.abort();
      kill();
      await exit;
      process.removeListener('exit', kill);
    },
  };
}
