// An agent as a process of its own, whose member cluster is a real kube-apiserver.

import { join } from 'node:path';
import type { KubeApiserver } from './kube-apiserver.ts';
import type { RealMesh } from './real-mesh.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

/** Of the cluster `real`; `folder` is below the mesh's own. The caller stops it. */
export function startPeerAgent(
  server: KubeApiserver,
  mesh: RealMesh,
  folder: string,
  token?: string,
): ServerProcess {
  const flags = {
    cluster: 'real',
    kubeconfig: server.kubeconfig,
    coordinator: mesh.at('mesh'),
    ...(token === undefined ? {} : { token }),
    'data-dir': join(mesh.layout.dir, folder),
    'resolver-listen': '127.0.0.1:0',
    'admin-listen': '127.0.0.1:0',
  };
  return startServerProcess({
    name: folder,
    path: process.execPath,
    flags: ['dist/agent/main.js', ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v])],
  });
}
