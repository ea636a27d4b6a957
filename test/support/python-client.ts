// Finds the Pythons that test/ecosystem/python/install.sh has made: one with Kubernetes' client in
// it, one with moto's server and the aws command line.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const sets = {
  'python-client': 'test/ecosystem/python/requirements.txt',
  'python-aws': 'test/ecosystem/python/requirements-aws.txt',
} as const;

export interface FoundPython {
  /** The interpreter's path; what was installed beside it is beside it. */
  readonly python: string;
  /** Why there is none. */
  readonly missing: string | undefined;
}

export function findPythonClient(): FoundPython {
  return findPython('python-client');
}

export function findPython(name: keyof typeof sets): FoundPython {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const digest = createHash('sha256').update(readFileSync(sets[name])).digest('hex').slice(0, 16);
  const folder = join(cache, 'isthmus-peers', `${name}-${digest}`);
  const python = join(folder, 'bin', 'python');
  return { python, missing: existsSync(python) ? undefined : readReason(`${folder}.reason`) };
}

function readReason(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'not installed, test/ecosystem/python/install.sh does it';
  }
}
