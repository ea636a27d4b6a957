// One server of a test as a process: its log's end is kept, it ends with the test's process.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
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

// On Linux the kernel ends it even when the test's process, or the runner's thread, is killed.
const setpriv = '/usr/bin/setpriv';

export function startServerProcess(options: {
  readonly name: string;
  readonly path: string;
  readonly flags: readonly string[];
}): ServerProcess {
  const { name, path, flags } = options;
  const [command, ...args] = existsSync(setpriv)
    ? [setpriv, '--pdeathsig', 'KILL', path, ...flags]
    : [path, ...flags];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const keep = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-logCharsMax);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  // 'close' comes when all that it said has been read; a child of its own may hold that up.
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${name} ended: ${error.message}`)));
    child.once('close', (code, signal) =>
      reject(new Error(`${name} ended: exit ${code ?? signal ?? ''}`)),
    );
  });
  ended.catch(() => undefined); // once it is ready, nobody waits for its end any more
  return {
    name,
    pid: child.pid,
    ended,
    logs: () => text,
    stop: async () => {
      child.kill('SIGTERM');
      const patience = new AbortController();
      await Promise.race([gone, wait(politeMs, undefined, { signal: patience.signal })]);
      patience.abort();
      kill();
      await gone;
      process.removeListener('exit', kill);
    },
  };
}
