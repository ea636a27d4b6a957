// One server of the control plane as a process that ends with ours. Adapter (child process).
//
// It stays in our process group, so that a signal to the group hangs or kills the whole cluster.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import type { Clock } from '../../common/runtime/clock.ts';

export interface Server {
  readonly name: string;
  /** Resolves with how it ended. */
  readonly ended: Promise<string>;
  /** SIGTERM, and after a while SIGKILL; resolves when it is gone. */
  stop(): Promise<void>;
}

// A server with an open watch waits for it to end.
const politeMs = 1_500;
// On Linux the kernel ends it even when we are killed.
const setpriv = '/usr/bin/setpriv';

export function startServer(options: {
  readonly name: string;
  readonly path: string;
  readonly flags: readonly string[];
  readonly logPath: string;
  readonly clock: Clock;
}): Server {
  const { name, path, flags, logPath, clock } = options;
  const [command, ...args] = existsSync(setpriv)
    ? [setpriv, '--pdeathsig', 'KILL', path, ...flags]
    : [path, ...flags];
  const log = openSync(logPath, 'a', 0o600);
  const child = spawn(command, args, { stdio: ['ignore', log, log] });
  closeSync(log);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code ?? 0}`));
  });
  void ended.then(() => process.removeListener('exit', kill));
  return {
    name,
    ended,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = clock.after(politeMs, kill);
      await ended;
      timer.cancel();
    },
  };
}
