// The coordinator's folder: keys and certificates made at the first start and kept, server
// certificates made at each start, and the admin's kubeconfig. The log and NATS keep folders of
// their own in it. Everything secret is 0600 in a folder of 0700.
//
//   pki/ca.crt ca.key    the federation's CA; losing it means that every cluster joins anew
//   pki/admin.crt .key   client certificate of the bootstrap admin (group system:masters)
//   pki/receipt.key      32 bytes; signs the receipts of batches
//   admin.kubeconfig     for kubectl, context federation-cluster

import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../common/runtime/clock.ts';
import type { Chance } from '../common/runtime/chance.ts';
import type { KeyPairPem } from '../common/runtime/certificates.ts';
import { createCa, issueClientCertificate, issueServerCertificate } from '../common/runtime/pki.ts';
import { makePrivateFolder } from '../common/runtime/private-folder.ts';
import { toAdminKubeconfig } from './admin-kubeconfig.ts';

export interface DataDir {
  readonly path: string;
  readonly ca: KeyPairPem;
  /** For the API, the mesh and NATS; names every address in `hosts`. */
  readonly server: KeyPairPem;
  /** The coordinator's own identity towards NATS. */
  readonly natsClient: KeyPairPem;
  /** URI in natsClient, by which NATS knows the coordinator. */
  readonly coordinatorUri: string;
  readonly receiptKey: Uint8Array;
  /** Writes admin.kubeconfig for this API address; returns its path. */
  writeAdminKubeconfig(apiUrl: string): Promise<string>;
}

// Certificates that are made anew at each start need to live only as long as one process.
const serverDays = 365;
const adminDays = 365;
const caDays = 3650;

export async function openDataDir(options: {
  readonly path: string;
  readonly federation: string;
  /** Names and addresses that clients use, beside loopback. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<DataDir> {
  const { path, clock, chance, federation } = options;
  const pki = join(path, 'pki');
  makePrivateFolder(pki);
  const ca = await loadOrMake(pki, 'ca', () =>
    createCa({ commonName: `isthmus ${federation}`, clock, validDays: caDays }),
  );
  const admin = await issueClientCertificate({
    ca,
    commonName: 'isthmus-admin',
    organizations: ['system:masters'],
    validDays: adminDays,
    clock,
  });
  await writeSecret(join(pki, 'admin.crt'), admin.certPem);
  await writeSecret(join(pki, 'admin.key'), admin.keyPem);
  const names = [
    'localhost',
    'isthmus-coordinator',
    ...options.hosts.filter((host) => !isAddress(host)),
  ];
  const server = await issueServerCertificate({
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
    server,
    natsClient,
    coordinatorUri,
    receiptKey: await loadOrMakeKey(join(pki, 'receipt.key'), chance),
    writeAdminKubeconfig: async (apiUrl) => {
      const file = join(path, 'admin.kubeconfig');
      await writeSecret(file, toAdminKubeconfig({ apiUrl, caPem: ca.certPem, admin }));
      return file;
    },
  };
}

function isAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(':');
}

async function loadOrMake(
  folder: string,
  name: string,
  make: () => Promise<KeyPairPem>,
): Promise<KeyPairPem> {
  const [certPath, keyPath] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const [certPem, keyPem] = await Promise.all([readIfThere(certPath), readIfThere(keyPath)]);
  if (certPem !== undefined && keyPem !== undefined) {
    return { certPem: certPem.toString('utf8'), keyPem: keyPem.toString('utf8') };
  }
  const made = await make();
  // The key first: a certificate without its key would look complete and be useless.
  await writeSecret(keyPath, made.keyPem);
  await writeSecret(certPath, made.certPem);
  return made;
}

async function loadOrMakeKey(path: string, chance: Chance): Promise<Uint8Array> {
  const known = await readIfThere(path);
  if (known !== undefined && known.length === 32) return known;
  const key = chance.bytes(32);
  await writeSecret(path, key);
  return key;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all, also through a power cut: written beside, flushed, then renamed. */
async function writeSecret(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
