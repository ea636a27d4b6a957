// A simulated cluster's own certificate authority and its admin's kubeconfig, made at the first
// start and kept, so that a restarted cluster is still the same one to its clients.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Clock } from '../../common/runtime/clock.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import {
  createCa,
  issueClientCertificate,
  issueServerCertificate,
} from '../../common/runtime/pki.ts';

export interface Credentials {
  readonly ca: KeyPairPem;
  readonly server: KeyPairPem;
  /** Writes `admin.kubeconfig`, context and cluster named `cluster`; returns its path. */
  writeKubeconfig(apiUrl: string): Promise<string>;
}

const validDays = 365;

export async function openCredentials(options: {
  readonly folder: string;
  readonly cluster: string;
  readonly clock: Clock;
}): Promise<Credentials> {
  const { folder, cluster, clock } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const ca = await loadOrMakeCa(folder, cluster, clock);
  const [server, admin] = await Promise.all([
    issueServerCertificate({
      ca,
      commonName: cluster,
      dnsNames: ['localhost', 'kubernetes.default.svc'],
      ipAddresses: ['127.0.0.1', '::1'],
      validDays,
      clock,
    }),
    issueClientCertificate({
      ca,
      commonName: 'kubernetes-admin',
      organizations: ['system:masters'],
      validDays,
      clock,
    }),
  ]);
  return {
    ca,
    server,
    writeKubeconfig: async (apiUrl) => {
      const path = join(folder, 'admin.kubeconfig');
      const text = toKubeconfig({ cluster, apiUrl, caPem: ca.certPem, admin });
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
  };
}

async function loadOrMakeCa(folder: string, cluster: string, clock: Clock): Promise<KeyPairPem> {
  const path = join(folder, 'ca.json');
  try {
    return JSON.parse(await readFile(path, 'utf8')) as KeyPairPem; // our own file, 0600
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const ca = await createCa({ commonName: `${cluster} (Isthmus demo)`, clock, validDays });
  await writeFile(path, JSON.stringify(ca), { mode: 0o600 });
  return ca;
}

function toKubeconfig(options: {
  readonly cluster: string;
  readonly apiUrl: string;
  readonly caPem: string;
  readonly admin: KeyPairPem;
}): string {
  const { cluster, apiUrl, caPem, admin } = options;
  const user = `${cluster}-admin`;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': cluster,
    clusters: [
      { name: cluster, cluster: { server: apiUrl, 'certificate-authority-data': base64(caPem) } },
    ],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(admin.certPem),
          'client-key-data': base64(admin.keyPem),
        },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user, namespace: 'default' } }],
  });
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
