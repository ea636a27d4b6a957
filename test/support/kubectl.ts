// Real kubectl against an API of ours: a kubeconfig in a folder of its own, runs with a deadline.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { HttpsFixture } from './https-fixture.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  readonly folder: string;
  run(
    args: readonly string[],
    options?: { readonly input?: string; readonly env?: NodeJS.ProcessEnv },
  ): Promise<Ran>;
  /** Runs and returns stdout; throws with everything that kubectl said when it fails. */
  ok(
    args: readonly string[],
    options?: { readonly input?: string; readonly env?: NodeJS.ProcessEnv },
  ): Promise<string>;
  start(args: readonly string[]): Follower;
  /** Writes a file into the folder and returns its path. */
  file(name: string, text: string, mode?: number): string;
  remove(): void;
}

export interface Follower {
  /** Resolves when stdout matches; rejects when the process ends before. */
  until(pattern: RegExp): Promise<string>;
  stop(): void;
}

const runTimeoutMs = 30_000;

export function createKubectl(path: string, https: HttpsFixture): Kubectl {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-kubectl-'));
  const file = (name: string, text: string, mode = 0o600): string => {
    const at = join(folder, name);
    writeFileSync(at, text, { mode });
    return at;
  };
  const kubeconfig = file('kubeconfig', toKubeconfig(https));
  const env = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: kubeconfig, LANG: 'C' };
  const run: Kubectl['run'] = (args, options = {}) =>
    new Promise((resolve) => {
      const child = execFile(
        path,
        [...args],
        { env: { ...env, ...options.env }, timeout: runTimeoutMs, encoding: 'utf8' },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin?.end(options.input ?? '');
    });
  return {
    folder,
    file,
    run,
    ok: async (args, options) => {
      const { code, stdout, stderr } = await run(args, options);
      if (code !== 0)
        throw new Error(`kubectl ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
      return stdout;
    },
    start: (args) => toFollower(spawn(path, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function toFollower(child: ChildProcess): Follower {
  let text = '';
  let look: (() => void) | undefined;
  const add = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
    look?.();
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return {
    until: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (pattern.test(text)) resolve(text);
        };
        child.once('exit', () => reject(new Error(`ended before ${pattern}: ${text}`)));
        look();
      }),
    stop: () => void child.kill(),
  };
}

export function toKubeconfig({ listener, ca, admin }: HttpsFixture): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'federation-cluster',
    clusters: [
      {
        name: 'c',
        cluster: { server: listener.url, 'certificate-authority-data': base64(ca.certPem) },
      },
    ],
    users: [
      {
        name: 'u',
        user: {
          'client-certificate-data': base64(admin.certPem),
          'client-key-data': base64(admin.keyPem),
        },
      },
    ],
    contexts: [
      { name: 'federation-cluster', context: { cluster: 'c', user: 'u', namespace: 'default' } },
    ],
  });
}
