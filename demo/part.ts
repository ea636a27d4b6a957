// One process of the demo: started with a ready line, killed, stopped, continued, started again
// with the same arguments. Adapter (child processes).
//
// Every part is a process group of its own, so that Ctrl-C reaches only the demo, which then ends
// the parts in order.

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../common/runtime/clock.ts';
import type { JsonObject } from '../common/model/kube-object.ts';
import { nodeFlagsOf } from '../common/runtime/program-flags.ts';
import { signalIfThere } from './leftovers.ts';

export interface PartProgram {
  readonly name: string;
  /** Compiled program below the package's dist folder, such as `coordinator/main.js`. */
  readonly script: string;
  readonly args: readonly string[];
  /** For node, beside those that the program's first line asks for. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logPath: string;
  /** How long it may take to become ready. Default: a minute. */
  readonly readyMs?: number;
}

export interface Part {
  readonly name: string;
  /** Undefined when it does not run. */
  pid(): number | undefined;
  /** Resolves with the ready line. Rejects when the process ends or stays silent. */
  start(): Promise<JsonObject>;
  /** To its whole process group: a cluster with a real API is several processes. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** Resolves when the process is gone. */
  gone(): Promise<void>;
  /** SIGTERM, and after `graceMs` SIGKILL. */
  end(graceMs: number): Promise<void>;
}

// Two busy cores start eight programs at once.
const readyMsDefault = 60_000;
const readyLineBytesMax = 1 << 20;

export function createPart(
  program: PartProgram,
  options: {
    readonly clock: Clock;
    /** Called when it ended although nobody here asked for it; not where start() says so. */
    readonly onUnexpectedEnd: (how: string) => void;
  },
): Part {
  const { clock } = options;
  let child: ChildProcess | undefined;
  let isEnding = false;
  let isReady = false;
  let ended: Promise<void> = Promise.resolve();

  const start = async (): Promise<JsonObject> => {
    isEnding = false;
    isReady = false;
    const started = launch(program);
    child = started;
    ended = new Promise((resolve) => {
      started.once('exit', (code, signal) => {
        if (child === started) child = undefined;
        if (isReady && !isEnding) options.onUnexpectedEnd(signal ?? `code ${code ?? 0}`);
        resolve();
      });
    });
    const line = await readReadyLine(started, program, clock);
    isReady = true;
    return line;
  };

  return {
    name: program.name,
    pid: () => child?.pid,
    start,
    signal: (signal) => {
      if (signal === 'SIGKILL') isEnding = true;
      if (child?.pid !== undefined) signalIfThere(-child.pid, signal);
    },
    gone: () => ended,
    end: async (graceMs) => {
      const current = child;
      if (current === undefined) return;
      isEnding = true;
      current.kill('SIGTERM');
      const group = -(current.pid ?? 0);
      signalIfThere(group, 'SIGCONT'); // a stopped process acts on SIGTERM only when it goes on
      const timer = clock.after(graceMs, () => signalIfThere(group, 'SIGKILL'));
      await ended;
      timer.cancel();
    },
  };
}

function launch(program: PartProgram): ChildProcess {
  const preload = new URL('./exit-with-parent.js', import.meta.url).href;
  const script = fileURLToPath(new URL(`../${program.script}`, import.meta.url));
  const log = openSync(program.logPath, 'a', 0o600);
  try {
    const { nodeArgs = [], args } = program;
    const flags = [...nodeFlagsOf(script), '--import', preload, ...nodeArgs];
    return spawn(process.execPath, [...flags, script, ...args], {
      stdio: ['pipe', 'pipe', log],
      detached: true,
      env: { ...withoutSettings(process.env), ...program.env },
    });
  } finally {
    closeSync(log);
  }
}

/** ISTHMUS_* would change what the parts do, and not all parts know all settings. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ISTHMUS_')));
}

function readReadyLine(
  child: ChildProcess,
  program: PartProgram,
  clock: Clock,
): Promise<JsonObject> {
  const { name, logPath, readyMs = readyMsDefault } = program;
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      timer.cancel();
      act();
    };
    const fail = (why: string): void =>
      settle(() => {
        const words = [why, lastErrorIn(logPath)].filter((text) => text !== '').join(': ');
        reject(new Error(`${name} did not start: ${words}; its log is ${logPath}`));
      });
    const timer = clock.after(readyMs, () => fail(`no ready line after ${readyMs / 1000} s`));
    let text = '';
    child.stdin?.on('error', () => undefined); // it ended: 'exit' says so
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`it ended with ${signal ?? `code ${code ?? 0}`}`));
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (chunk: string) => {
      if (text.length > readyLineBytesMax) return;
      text += chunk;
      const ready = parseReadyLine(text);
      if (ready !== undefined) settle(() => resolve(ready));
    });
  });
}

/** The first line that is a JSON object with `"ready": true`. */
function parseReadyLine(text: string): JsonObject | undefined {
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  for (const line of complete.split('\n')) {
    if (!line.startsWith('{')) continue;
    try {
      const value = JSON.parse(line) as JsonObject; // a line that starts with { is an object
      if (value['ready'] === true) return value;
    } catch {
      // Something else that was printed; the ready line is still to come.
    }
  }
  return undefined;
}

const tailBytes = 8192;

/** The newest error in a log of JSON lines, as text; empty when there is none. */
function lastErrorIn(logPath: string): string {
  const lines = readFileSync(logPath).subarray(-tailBytes).toString('utf8').split('\n');
  for (const line of lines.reverse()) {
    const { level, msg, error } = parseLogLine(line);
    if (typeof level === 'number' && level >= errorLevel) return `${String(msg)}: ${String(error)}`;
  }
  return '';
}

const errorLevel = 50; // pino's

function parseLogLine(line: string): JsonObject {
  try {
    return line.startsWith('{') ? (JSON.parse(line) as JsonObject) : {}; // an object by its brace
  } catch {
    return {}; // cut off by the limit above
  }
}
