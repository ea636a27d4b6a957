// Runs an outside program to its end, with a deadline.

import { execFile } from 'node:child_process';

export interface Ran {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

const deadlineMs = 30_000;
const outputBytesMax = 16 << 20;

/** Never rejects: a program that cannot be run, or hangs, has a code other than 0. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly input?: string;
    /** Default 30 s. */
    readonly withinMs?: number;
  },
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      [...args],
      {
        env: { ...process.env, ...options.env },
        timeout: options.withinMs ?? deadlineMs,
        maxBuffer: outputBytesMax,
        encoding: 'utf8',
      },
      (error, output, errors) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, output, errors: errors === '' && error !== null ? error.message : errors });
      },
    );
    child.stdin?.on('error', () => undefined); // it did not want the input
    child.stdin?.end(options.input ?? '');
  });
}
