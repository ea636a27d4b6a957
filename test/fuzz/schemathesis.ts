// schemathesis, from a virtual environment in the cache folder: pinned by requirements.txt, made
// once, named as missing where there is no Python or no registry of its packages.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { findProgram } from '../support/programs.ts';
import { runProgram, type Ran } from '../support/run-program.ts';

const folder = 'test/fuzz';
const requirements = `${folder}/requirements.txt`;
const installMs = 180_000;

export type FoundSchemathesis = { readonly path: string } | { readonly missing: string };

export async function findSchemathesis(): Promise<FoundSchemathesis> {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  const home = join(cache, 'isthmus-peers', `schemathesis-${digest.slice(0, 12)}`);
  const path = join(home, 'bin', 'schemathesis');
  // Scripts of a virtual environment name its Python by path, so it is made where it stays.
  const done = join(home, 'complete');
  if (existsSync(done)) return { path };
  const python = findProgram('python3');
  if (python === undefined) return { missing: 'python3 is not there' };
  const failed = await install(python, home);
  if (failed !== undefined) {
    rmSync(home, { recursive: true, force: true });
    return { missing: failed };
  }
  writeFileSync(done, '');
  return { path };
}

/** Why it cannot be had, or undefined. */
async function install(python: string, home: string): Promise<string | undefined> {
  const env = { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' };
  rmSync(home, { recursive: true, force: true });
  const made = await runProgram(python, ['-m', 'venv', home], { env, withinMs: installMs });
  if (made.code !== 0) return `no virtual environment: ${lastLine(made)}`;
  const pip = join(home, 'bin', 'pip');
  const args = ['install', '--quiet', '--requirement', requirements];
  const installed = await runProgram(pip, args, { env, withinMs: installMs });
  return installed.code === 0 ? undefined : `its packages cannot be had: ${lastLine(installed)}`;
}

function lastLine({ errors, output }: Ran): string {
  return `${output}${errors}`.trim().split('\n').at(-1)?.slice(0, 200) ?? 'no reason given';
}

/** Fuzzes what the document at `url` declares, for some seconds. */
export function runSchemathesis(
  path: string,
  of: {
    readonly url: string;
    readonly seed: number;
    readonly seconds: number;
    /** Beside those that hold for every document. */
    readonly checks: readonly string[];
    /** Files of the CA, and of the client's certificate and key. */
    readonly caFile: string;
    readonly certFile: string;
    readonly keyFile: string;
    /** Its reports and caches go here. */
    readonly workFolder: string;
  },
): Promise<Ran> {
  const env = {
    SCHEMATHESIS_HOOKS: 'schemathesis_checks',
    PYTHONPATH: resolve(folder),
    PYTHONDONTWRITEBYTECODE: '1',
    HYPOTHESIS_STORAGE_DIRECTORY: join(of.workFolder, 'hypothesis'),
  };
  const options = {
    'tls-verify': of.caFile,
    'request-cert': of.certFile,
    'request-cert-key': of.keyFile,
    checks: ['no_fault', 'content_type_conformance', ...of.checks].join(','),
    phases: 'coverage,fuzzing',
    'max-time': String(of.seconds),
    seed: String(of.seed),
    'request-timeout': '20',
    warnings: 'off',
  };
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const args = ['run', of.url, ...flags, '--no-color'];
  return runProgram(path, args, { env, withinMs: (of.seconds + 60) * 1000 });
}
