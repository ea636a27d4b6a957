// Runs the Go tool with settings that do not depend on the machine's.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

export interface RanGo {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type FoundGo =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'missing'; readonly reason: string };

/** The newest `go` line of the families: an older Go cannot read them. */
const minorMin = 26;
// A cold build of kube-apiserver took four minutes on two busy cores: five times as long is a hang.
const runTimeoutMs = 20 * 60_000;
const outputBytesMax = 16 << 20;

/** Go on PATH, if it is new enough. */
export async function findGo(): Promise<FoundGo> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'go')).find((each) => existsSync(each));
  if (path === undefined) return { kind: 'missing', reason: 'there is no Go on PATH' };
  const { stdout } = await runGo(path, ['env', 'GOVERSION'], '.');
  const minor = Number(/^go1\.(\d+)/.exec(stdout)?.[1] ?? 0);
  if (minor >= minorMin) return { kind: 'found', path };
  return { kind: 'missing', reason: `Go is ${stdout.trim()}, the peers need 1.${minorMin}` };
}

/** Never rejects: a Go that cannot be run, or hangs, has a code other than 0. */
export function runGo(go: string, args: readonly string[], cwd: string): Promise<RanGo> {
  const env = {
    ...process.env,
    CGO_ENABLED: '0', // static programs, and no C compiler
    GOFLAGS: '-buildvcs=false',
    GOTOOLCHAIN: 'local', // never fetches another Go
    GOWORK: 'off',
  };
  return new Promise((done) => {
    execFile(
      'nice',
      ['-n', '10', go, ...args],
      { cwd: resolve(cwd), env, timeout: runTimeoutMs, maxBuffer: outputBytesMax },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        done({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr });
      },
    );
  });
}
