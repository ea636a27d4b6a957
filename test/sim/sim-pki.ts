// Keys, certificates and the federation's CA as plain texts: real ones take a thread pool, whose
// timing is not the seed's. What they say, how long they live and who signed them is as in life.

import { createHash } from 'node:crypto';
import { toClusterName } from '../../common/model/ids.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { AgentPki } from '../../agent/session/agent-pki.ts';
import type { CertificateAuthority } from '../../coordinator/session/certificate-authority.ts';
import type { PeerIdentity, Refusal } from '../../coordinator/session/mesh-port.ts';
import type { SimProcess } from './sim-process.ts';

const backdatedMs = 3_600_000;
/** A run lasts minutes: some certificates are renewed in it, some end while nobody renews them. */
export const lifetimeMs = 900_000;

interface SimCertificate {
  readonly ca: string;
  readonly cluster: string;
  readonly clusterUid: string;
  readonly publicKeyHash: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A key is any text. */
export function publicKeyHashOf(keyPem: string): string {
  return hash(`public ${keyPem}`);
}

/** Trusted CAs are one text each, a line each; the first signs. */
export class SimCas {
  #all: readonly string[] = ['ca-1'];
  readonly #listeners = new Set<() => void>();
  #signed = 0;

  /** Certificates that coordinators have given out. */
  get signed(): number {
    return this.#signed;
  }

  trustedPem(): string {
    return this.#all.join('\n');
  }

  trustDigest(): string {
    return digestOf(this.trustedPem());
  }

  /** What a join token pins. */
  signingHash(): string {
    return hash(this.#all[0] ?? '');
  }

  /** Another CA signs; the one before is trusted until retire(). One rotation at a time. */
  rotate(): void {
    const [current = ''] = this.#all;
    this.#become([`ca-${Number(current.slice(3)) + 1}`, current]);
  }

  isOverlapping(): boolean {
    return this.#all.length > 1;
  }

  retire(): void {
    this.#become(this.#all.slice(0, 1));
  }

  #become(all: readonly string[]): void {
    this.#all = all;
    for (const listener of this.#listeners) listener();
  }

  certificate(
    of: Omit<SimCertificate, 'ca' | 'notBeforeMs' | 'notAfterMs'>,
    endMs: number,
  ): string {
    const notBeforeMs = endMs - lifetimeMs - backdatedMs;
    const certificate: SimCertificate = {
      ...of,
      ca: this.#all[0] ?? '',
      notBeforeMs,
      notAfterMs: endMs,
    };
    return JSON.stringify(certificate);
  }

  /** Who may speak with it, as a listener's TLS would find out. */
  identify(certPem: string, nowMs: number): PeerIdentity | Refusal {
    const { ca, cluster, clusterUid, publicKeyHash, notAfterMs } = parse(certPem);
    if (!this.#all.includes(ca) || notAfterMs <= nowMs) {
      return { reason: 'NoCertificate', message: `of ${ca}, until ${notAfterMs}`, retry: false };
    }
    return {
      cluster: toClusterName(cluster),
      clusterUid,
      publicKeyHash,
      certificateEndMs: notAfterMs,
    };
  }

  /** As a process of the coordinator signs, by its own clock. */
  authority(process: SimProcess): CertificateAuthority {
    const { clock } = process;
    return {
      trustedPem: () => this.trustedPem(),
      trustDigest: () => this.trustDigest(),
      subscribe: (listener) => {
        const tell = (): void => process.run(listener);
        this.#listeners.add(tell);
        return () => void this.#listeners.delete(tell);
      },
      lifetimeMs,
      hashOfRequest: async (csrDer) => Buffer.from(csrDer).toString(),
      sign: async ({ csrDer, cluster, clusterUid }) => {
        const publicKeyHash = Buffer.from(csrDer).toString();
        this.#signed += 1;
        return this.certificate({ cluster, clusterUid, publicKeyHash }, clock.now() + lifetimeMs);
      },
    };
  }
}

function digestOf(caPem: string): string {
  return hash(caPem.split('\n').sort().join()).slice(0, 32);
}

function parse(certPem: string): SimCertificate {
  return JSON.parse(certPem) as SimCertificate; // made above
}

/** The agent's side; a request is the hash of the key that signs it. */
export function createSimPki(chance: Chance): AgentPki {
  const requestFor = async ({ keyPem }: { readonly keyPem: string }): Promise<Uint8Array> =>
    Buffer.from(publicKeyHashOf(keyPem));
  return {
    createKey: async () => {
      const keyPem = `key ${chance.uuid()}`;
      return { keyPem, csrDer: await requestFor({ keyPem }) };
    },
    requestFor,
    validity: parse,
    keyHash: publicKeyHashOf,
    caHash: hash,
    trustDigest: digestOf,
  };
}
