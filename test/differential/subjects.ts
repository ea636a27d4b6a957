// The two servers under comparison: the federation's API, and a kube-apiserver with etcd and the
// controllers of namespaces and of garbage.
//
// Next file to read: suite.ts.

import { Agent } from 'node:https';
import { stringify } from 'yaml';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import { listenForTest, token } from '../support/https-fixture.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { openCoordinator } from './coordinator.ts';
import type { Subject } from './perform.ts';

export interface RunningSubject extends Subject {
  stop(): Promise<void>;
}

export async function startOurs(): Promise<RunningSubject> {
  const coordinator = await openCoordinator();
  const { listener, ca, admin } = await listenForTest(coordinator.api);
  return toSubject('ours', { url: listener.url, caPem: ca.certPem, admin, token }, async () => {
    await listener.close();
    await coordinator.stop();
  });
}

export async function startTheirs(): Promise<RunningSubject> {
  const server = await startKubeApiserver({ isWithControllers: true });
  const { url, ca, admin, adminToken } = server;
  const reached = { url, caPem: ca.certPem, admin, token: adminToken };
  return toSubject('theirs', reached, () => server.stop());
}

interface Reached {
  readonly url: string;
  readonly caPem: string;
  readonly admin: KeyPairPem;
  readonly token: string;
}

function toSubject(
  name: string,
  { url, caPem, admin, token: bearer }: Reached,
  stop: () => Promise<void>,
): RunningSubject {
  const agent = new Agent({ keepAlive: true, cert: admin.certPem, key: admin.keyPem });
  const bareAgent = new Agent({ keepAlive: true });
  return {
    name,
    url,
    caPem,
    agent,
    bareAgent,
    token: bearer,
    kubeconfig: (namespace) => toKubeconfig({ url, caPem, admin, token: bearer }, namespace),
    stop: async () => {
      agent.destroy();
      bareAgent.destroy();
      await stop();
    },
  };
}

function toKubeconfig({ url, caPem, admin }: Reached, namespace: string): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    clusters: [
      { name: 'c', cluster: { server: url, 'certificate-authority-data': base64(caPem) } },
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
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace } }],
  });
}
