// Finds the Python that test/ecosystem/python/install.sh has made, with Kubernetes' client in it.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const pins = 'test/ecosystem/python/requirements.txt';

/** The interpreter's path, and why there is none. */
export function findPythonClient(): {
  readonly python: string;
  readonly missing: string | undefined;
} {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const digest = createHash('sha256').update(readFileSync(pins)).digest('hex').slice(0, 16);
  const folder = join(cache, 'isthmus-peers', `python-client-${digest}`);
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
