// Finds the programs of a real control plane: in KUBEBUILDER_ASSETS, as controller-runtime's
// envtest does, else where `npm run peers` builds them.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const controlPlanePrograms = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;

/** The folder that has all of them; undefined when none has. */
export function findAssets(env: NodeJS.ProcessEnv): string | undefined {
  const assets = env['KUBEBUILDER_ASSETS'] ?? '';
  const cache = join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'isthmus-peers');
  return [...(assets === '' ? [] : [assets]), ...newestFirst(cache)].find((folder) =>
    controlPlanePrograms.every((name) => existsSync(join(folder, name))),
  );
}

function newestFirst(cache: string): readonly string[] {
  if (!existsSync(cache)) return [];
  return readdirSync(cache, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(cache, name))
    .map((path) => ({ path, at: statSync(path).mtimeMs }))
    .sort((a, b) => b.at - a.at)
    .map(({ path }) => path);
}
