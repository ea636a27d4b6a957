// The coordinator's folder. What must survive is in its log, secrets sealed (desired/sealed-store.ts);
// certificates are made at each start. NATS keeps a folder of its own in it.
//
//   log/                 the desired state, with the federation's CA
//   admin.kubeconfig     for kubectl, context federation-cluster: a credential, 0600

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../common/runtime/clock.ts';
import type { KeyPairPem } from '../common/runtime/certificates.ts';
import { issueClientCertificate, issueServerCertificate } from '../common/runtime/pki.ts';
import { readFileIfThere, writePrivateFile } from '../common/runtime/private-file.ts';
import { toAdminKubeconfig } from './admin-kubeconfig.ts';
import type { AuthorityKeys } from './authority-keys.ts';

export interface DataDir {
  readonly path: string;
  readonly ca: KeyPairPem;
  readonly receiptKey: Uint8Array;
  /** For the API, the mesh and NATS; names every address in `hosts`. */
  readonly server: KeyPairPem;
  /** Another such certificate, for when that one comes to its end. */
  issueServer(): Promise<KeyPairPem>;
  /** The coordinator's own identity towards NATS. */
  readonly natsClient: KeyPairPem;
  /** URI in natsClient, by which NATS knows the coordinator. */
  readonly coordinatorUri: string;
  /** Writes admin.kubeconfig for this API address; returns its path. */
  writeAdminKubeconfig(apiUrl: string): Promise<string>;
}

// Certificates that are made anew at each start need to live only as long as one process.
const serverDays = 365;
const adminDays = 365;

/** `path` exists: the store has opened in it. */
export async function openDataDir(options: {
  readonly path: string;
  readonly federation: string;
  readonly keys: AuthorityKeys;
  /** Names and addresses that clients use, beside loopback. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
}): Promise<DataDir> {
  const { path, clock, federation } = options;
  const { ca, receiptKey } = options.keys;
  const admin = await issueClientCertificate({
    ca,
    commonName: 'isthmus-admin',
    organizations: ['system:masters'],
    validDays: adminDays,
    clock,
  });
  const names = [
    'localhost',
    'isthmus-coordinator',
    ...options.hosts.filter((host) => !isAddress(host)),
  ];
  const issueServer = (): Promise<KeyPairPem> =>
    issueServerCertificate({
      ca,
      commonName: 'isthmus-coordinator',
      dnsNames: names,
      ipAddresses: ['127.0.0.1', '::1', ...options.hosts.filter(isAddress)],
      validDays: serverDays,
      clock,
    });
  const coordinatorUri = `isthmus://${federation}/coordinator`;
  const natsClient = await issueClientCertificate({
    ca,
    commonName: 'isthmus-coordinator',
    organizations: ['isthmus:coordinators'],
    uris: [coordinatorUri],
    validDays: serverDays,
    clock,
  });
  return {
    path,
    ca,
    receiptKey,
    server: await issueServer(),
    issueServer,
    natsClient,
    coordinatorUri,
    writeAdminKubeconfig: async (apiUrl) => {
      const file = join(path, 'admin.kubeconfig');
      await writePrivateFile(file, toAdminKubeconfig({ apiUrl, caPem: ca.certPem, admin }));
      return file;
    },
  };
}

function isAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(':');
}

/**
 * CA and receipt key as files in the clear, where the first versions kept them; undefined when
 * there are none. They move into the log and then go, or every cluster would have to join anew.
 */
export async function readFormerKeys(path: string): Promise<AuthorityKeys | undefined> {
  const [certificate, key, receiptKey] = await Promise.all(
    ['ca.crt', 'ca.key', 'receipt.key'].map((name) => readFileIfThere(join(path, 'pki', name))),
  );
  if (certificate === undefined || key === undefined || receiptKey?.length !== 32) return undefined;
  return {
    ca: { certPem: certificate.toString('utf8'), keyPem: key.toString('utf8') },
    receiptKey,
  };
}

export async function removeFormerKeys(path: string): Promise<void> {
  await rm(join(path, 'pki'), { recursive: true, force: true });
}
