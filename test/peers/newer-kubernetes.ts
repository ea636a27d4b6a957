// A folder for KUBEBUILDER_ASSETS whose control plane is of a newer Kubernetes version: what looks
// there first meets that version under the usual names.

import { existsSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peersCacheFolder } from './catalog.ts';

/** By the name under which tests look for it. */
const programs = {
  etcd: 'etcd',
  'kube-apiserver': 'kube-apiserver.1.36',
  'kube-controller-manager': 'kube-controller-manager.1.36',
};

/** A new folder of links; undefined when a program of that version was not built. */
export function linkNewerKubernetes(env: NodeJS.ProcessEnv): string | undefined {
  const cache = peersCacheFolder(env);
  const links = Object.entries(programs).map(([name, file]) => [name, join(cache, file)] as const);
  if (!links.every(([, path]) => existsSync(path))) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-newer-kubernetes-'));
  for (const [name, path] of links) symlinkSync(path, join(folder, name));
  return folder;
}
