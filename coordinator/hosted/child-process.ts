// Adapter of ./children.ts: `isthmus-agent --hosted` of this package, one process a cluster, each
// with a folder of its own below the coordinator's data directory.
//
//   C1. Credentials and tokens go through stdin: not into arguments, environment or files.
//   C2. The child's stdin ends with this process, however that ends, and the child ends with its
//       stdin. One that could not (stopped by a signal) is ended before the next starts in its folder.
//   C3. The child has no setting of the coordinator in its environment.
//   C4. A child that hangs is ended, so that it is started again. Pings that were not answered are
//       counted, not seconds: a coordinator that stood still itself must not take its children for dead.
//   C5. A start that fails leaves no child: the next one would run beside it in one folder.

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFlagsOf } from '../../common/runtime/program-flags.ts';
import { makePrivateFolder } from '../../common/runtime/private-folder.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import { endLeftProcess } from '../../common/runtime/left-process.ts';
import { createLineReader, readFromHosted, toLine } from '../../common/wire/hosted-lines.ts';
import type { Child, Children, ChildStart } from './children.ts';

export interface ChildProcessOptions {
  /** Holds a folder for each cluster. */
  readonly folder: string;
  /** host:port of the coordinator, as a process on this host dials it. */
  readonly coordinator: string;
  /** Such as `--log-level=info`. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Between two pings. Default 10 s. */
  readonly pingMs?: number;
}

const pingDefaultMs = 10_000;
const missedPingsMax = 3;
// Two busy cores may start twenty at once.
const missedAtStartMax = 12;

// Long enough to close a record, short of the coordinator's own 5 s for each part.
const politeMs = 3_000;
const uidPattern = /^[0-9a-f-]{36}$/;

export function createChildProcesses(options: ChildProcessOptions): Children {
  const { folder } = options;
  return {
    start: (start) => startChild(options, start),
    folders: async () => {
      const names = await readdir(folder).catch(() => []); // none before the first start
      return names.filter((name) => uidPattern.test(name)).sort();
    },
    removeFolder: async (uid) => {
      if (!uidPattern.test(uid)) return;
      await endLeft(options, uid);
      await rm(join(folder, uid), { recursive: true, force: true });
    },
  };
}

function endLeft({ folder, clock }: ChildProcessOptions, uid: string): Promise<boolean> {
  const dir = join(folder, uid);
  return endLeftProcess({ pidFile: join(dir, 'agent.pid'), mark: dataDirOf(dir) }, clock);
}

function dataDirOf(dir: string): string {
  return join(dir, 'data');
}

async function startChild(options: ChildProcessOptions, start: ChildStart): Promise<Child> {
  const { folder, coordinator, flags, env, clock } = options;
  const dir = join(folder, start.uid);
  makePrivateFolder(folder);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await endLeft(options, start.uid); // C2
  const script = fileURLToPath(new URL('../../agent/main.js', import.meta.url));
  const args = [
    ...nodeFlagsOf(script),
    script,
    '--hosted',
    `--cluster=${start.cluster}`,
    `--coordinator=${coordinator}`,
    '--data-dir',
    dataDirOf(dir), // a word of its own: the mark of its process
    '--admin-listen=127.0.0.1:0',
    ...flags,
  ];
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: withoutSettings(env), // C3
  });
  const dog = watch(child, options);
  let isFailed = false;
  const onEnd = (how: string): void => (isFailed ? undefined : start.onEnd(how));
  const gone = follow(child, { ...start, onEnd }, dog.heard).finally(dog.stop);
  child.stdin.on('error', () => undefined); // it ended: 'exit' says so
  const stop = async (): Promise<void> => {
    child.stdin.end();
    child.kill('SIGTERM');
    child.kill('SIGCONT'); // a stopped process acts on SIGTERM only when it goes on
    const timer = clock.after(politeMs, () => child.kill('SIGKILL'));
    await gone;
    timer.cancel();
  };
  child.stdin.write(toLine(start.credentials)); // C1
  try {
    await writeFile(join(dir, 'agent.pid'), `${child.pid ?? ''}\n`, { mode: 0o600 });
  } catch (error) {
    isFailed = true; // C5
    await stop();
    throw error;
  }
  return { send: (message) => void child.stdin.write(toLine(message)), stop };
}

/** C4. */
function watch(
  child: ChildProcess,
  { clock, pingMs = pingDefaultMs }: ChildProcessOptions,
): { readonly heard: () => void; readonly stop: () => void } {
  let missed = 0;
  let missedMax = missedAtStartMax;
  let timer: Timer | undefined;
  const look = (): void => {
    if (missed >= missedMax) {
      child.kill('SIGKILL');
      return;
    }
    missed += 1;
    child.stdin?.write(toLine({ kind: 'ping' }));
    timer = clock.after(pingMs, look);
  };
  timer = clock.after(pingMs, look);
  return {
    heard: () => {
      missed = 0;
      missedMax = missedPingsMax;
    },
    stop: () => timer?.cancel(),
  };
}

function follow(child: ChildProcess, start: ChildStart, onHeard: () => void): Promise<void> {
  const read = createLineReader((object) => {
    onHeard();
    const message = readFromHosted(object);
    if (message !== undefined) start.onMessage(message);
  });
  child.stdout?.setEncoding('utf8').on('data', read);
  return new Promise((resolve) => {
    let isOver = false;
    const end = (how: string): void => {
      if (isOver) return;
      isOver = true;
      resolve();
      start.onEnd(how);
    };
    child.once('error', (error) => end(error.message));
    // 'close' comes when all that it said has been read.
    child.once('close', (code, signal) => end(signal ?? `exit code ${code ?? 0}`));
  });
}

function withoutSettings(env: ChildProcessOptions['env']): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ISTHMUS_')));
}
