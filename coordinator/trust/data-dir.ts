// The coordinator's folder and its certificates. What must survive is in its log, secrets sealed
// (desired/sealed-store.ts); certificates are made at each start, and again in the running process:
// when two thirds of their life are over, and when another CA signs. NATS keeps a folder of its own.
//
//   log/                 the desired state, with the federation's CA
//   admin.kubeconfig     for kubectl, context federation-cluster: a credential, 0600

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import {
  certificateHash,
  readCertificate,
  splitPem,
  type KeyPairPem,
} from '../../common/runtime/certificates.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { oneAtATime } from '../../common/runtime/one-at-a-time.ts';
import { issueClientCertificate, issueServerCertificate } from '../../common/runtime/pki.ts';
import { readFileIfThere, writePrivateFile } from '../../common/runtime/private-file.ts';
import { toAdminKubeconfig } from './admin-kubeconfig.ts';
import type { Authority } from './authority.ts';
import type { FormerKeys } from './authority-keys.ts';
import type { MeshCertificates } from '../session/grpc-listener.ts';

export interface DataDir {
  readonly path: string;
  /** Signs now. */
  readonly ca: KeyPairPem;
  /** Every CA that is trusted now, PEM, that one first. */
  trustedPem(): string;
  /** For the mesh and NATS; names every address in `hosts`, and leads to every trusted CA. */
  readonly server: KeyPairPem;
  /** For the API: of the former CA while that is trusted, for clients that know only it. */
  readonly apiServer: KeyPairPem;
  readonly mesh: MeshCertificates;
  /** The coordinator's own identity towards NATS. */
  readonly natsClient: KeyPairPem;
  /** Told after each of the above is another; for those who cannot look each time. */
  onChange(listener: () => void): () => void;
  /** Writes admin.kubeconfig for this API address, and again after each change; its path. */
  writeAdminKubeconfig(apiUrl: string): Promise<string>;
  stop(): void;
}

interface Made {
  readonly server: KeyPairPem;
  readonly apiServer: KeyPairPem;
  readonly natsClient: KeyPairPem;
  readonly admin: KeyPairPem;
}

const daysOfLife = 365;
// A timer of node's cannot be set for months; an hour is soon enough.
const lookMs = 3_600_000;

export interface DataDirOptions {
  /** It exists: the store has opened in it. */
  readonly path: string;
  readonly federation: string;
  readonly authority: Authority;
  /** Names and addresses that clients use, beside loopback. */
  readonly hosts: readonly string[];
  /** Of the certificates made here. Default: a year. */
  readonly lifetimeDays?: number;
  readonly clock: Clock;
  readonly log: Log;
}

export async function openDataDir(options: DataDirOptions): Promise<DataDir> {
  const { path, authority, clock, log } = options;
  const listeners = new Set<() => void>();
  let made = await make(options);
  let apiUrl: string | undefined;
  const file = join(path, 'admin.kubeconfig');
  const writeKubeconfig = async (): Promise<void> => {
    if (apiUrl === undefined) return;
    const { admin } = made;
    const caPem = authority.trustedPem();
    await writePrivateFile(file, toAdminKubeconfig({ apiUrl, caPem, admin }));
  };
  const renew = oneAtATime(async () => {
    try {
      made = await make(options);
      await writeKubeconfig();
      for (const listener of listeners) listener();
      log.info('certificates made anew', { ca: certificateHash(authority.signing().certPem) });
    } catch (error) {
      log.error('certificates not made anew: the former stay', { error: describeError(error) });
    }
  });
  const unsubscribe = authority.subscribe(() => void renew());
  let timer: Timer;
  const wait = (): void => {
    timer = clock.after(lookMs, () => {
      const isOld = Object.values(made).some(({ certPem }) => isOverTwoThirds(certPem, clock));
      if (isOld) void renew();
      wait();
    });
  };
  wait();
  return {
    path,
    get ca() {
      return authority.signing();
    },
    trustedPem: () => authority.trustedPem(),
    get server() {
      return made.server;
    },
    get apiServer() {
      return made.apiServer;
    },
    get natsClient() {
      return made.natsClient;
    },
    mesh: {
      current: () => toMesh(authority, made.server),
      subscribe: (listener) => subscribeTo(listeners, listener),
    },
    onChange: (listener) => subscribeTo(listeners, listener),
    writeAdminKubeconfig: async (url) => {
      apiUrl = url;
      await writeKubeconfig();
      return file;
    },
    stop: () => {
      timer.cancel();
      unsubscribe();
    },
  };
}

function subscribeTo(listeners: Set<() => void>, listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

async function make(options: DataDirOptions): Promise<Made> {
  const { authority, federation, hosts, clock } = options;
  const { current, former, links } = authority.state();
  const common = { validDays: options.lifetimeDays ?? daysOfLife, clock };
  const server = (ca: KeyPairPem): Promise<KeyPairPem> =>
    issueServerCertificate({
      ...common,
      ca,
      commonName: 'isthmus-coordinator',
      dnsNames: ['localhost', 'isthmus-coordinator', ...hosts.filter((host) => !isAddress(host))],
      ipAddresses: ['127.0.0.1', '::1', ...hosts.filter(isAddress)],
    });
  const linked = async (ca: KeyPairPem): Promise<KeyPairPem> => {
    const { certPem, keyPem } = await server(ca);
    return { certPem: [certPem, ...links].join(''), keyPem };
  };
  return {
    server: await linked(current),
    apiServer: former === undefined ? await linked(current) : await server(former.ca),
    natsClient: await issueClientCertificate({
      ...common,
      ca: current,
      commonName: 'isthmus-coordinator',
      organizations: ['isthmus:coordinators'],
      uris: [`isthmus://${federation}/coordinator`],
    }),
    admin: await issueClientCertificate({
      ...common,
      ca: current,
      commonName: 'isthmus-admin',
      organizations: ['system:masters'],
    }),
  };
}

function isOverTwoThirds(certPem: string, clock: Clock): boolean {
  const { notBeforeMs, notAfterMs } = readCertificate(certPem);
  return clock.now() >= notAfterMs - (notAfterMs - notBeforeMs) / 3;
}

/** The chain ends in the CA that agents before 0.2 compare with their pin: the one they know. */
function toMesh(authority: Authority, server: KeyPairPem): ReturnType<MeshCertificates['current']> {
  const { current, former } = authority.state();
  const [leaf = ''] = splitPem(server.certPem);
  const root = former?.ca.certPem ?? (server.certPem === leaf ? current.certPem : '');
  return {
    chainPem: `${server.certPem}${root}`,
    keyPem: server.keyPem,
    trustedPem: authority.trustedPem(),
    chainFor: (pin) =>
      pin.length >= pinMin && certificateHash(current.certPem).startsWith(pin)
        ? `${leaf}${current.certPem}`
        : undefined,
  };
}

const pinMin = 32;

function isAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(':');
}

/**
 * CA and receipt key as files in the clear, where the first versions kept them; undefined when
 * there are none. They move into the log and then go, or every cluster would have to join anew.
 */
export async function readFormerKeys(path: string): Promise<FormerKeys | undefined> {
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
