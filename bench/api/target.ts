// The servers that the API bench measures: a whole coordinator with its nats-server and its log on
// disk, and a kube-apiserver with an etcd that flushes, each as processes of their own.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { startKubeApiserver } from '../../test/support/kube-apiserver.ts';
import type { BenchContext } from '../context.ts';
import { startCoordinator } from '../coordinator-process.ts';
import type { Credentials } from './http2-pool.ts';

export interface Target {
  readonly name: string;
  readonly credentials: Credentials;
  /** Of all its processes. */
  readonly pids: readonly number[];
}

/** Ends with the lifecycle of `context`. */
export async function startOurs(
  context: BenchContext,
  started?: Parameters<typeof startCoordinator>[1],
): Promise<Target & { readonly admin: string }> {
  const { kubeconfig, pids, admin } = await startCoordinator(context, started);
  return { name: 'isthmus', credentials: toCredentials(kubeconfig), pids, admin };
}

/** Ends with the lifecycle of `context`. */
export async function startPeer({ lifecycle }: BenchContext): Promise<Target> {
  const server = await startKubeApiserver({ isDurable: true });
  lifecycle.onClose({ name: 'kube-apiserver', close: () => server.stop() });
  return {
    name: 'kube-apiserver',
    credentials: {
      url: server.url,
      caPem: server.ca.certPem,
      certPem: server.admin.certPem,
      keyPem: server.admin.keyPem,
    },
    pids: server.pids,
  };
}

interface Kubeconfig {
  readonly clusters: readonly [
    {
      readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
    },
  ];
  readonly users: readonly [
    {
      readonly user: {
        readonly 'client-certificate-data': string;
        readonly 'client-key-data': string;
      };
    },
  ];
}

function toCredentials(path: string): Credentials {
  const config = parse(readFileSync(path, 'utf8')) as Kubeconfig; // the coordinator's own
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
  return {
    url: cluster.server,
    caPem: decode(cluster['certificate-authority-data']),
    certPem: decode(user['client-certificate-data']),
    keyPem: decode(user['client-key-data']),
  };
}
