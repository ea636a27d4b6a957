// Port of what the session does with keys and certificates, because the simulation has neither.
// The adapter at the end is the agent's; it loads the library that makes requests only when one is
// made: at the join and every two months. It would cost 16 MiB of every agent for all of its life.

import {
  certificateHash,
  keyHash,
  readCertificate,
  trustDigest,
} from '../../common/runtime/certificates.ts';

export interface AgentPki {
  /** A new key, with a certificate request (PKCS #10, DER) that it has signed. */
  createKey(commonName: string): Promise<{ readonly csrDer: Uint8Array; readonly keyPem: string }>;
  /** Another request for a key that there is. */
  requestFor(of: { readonly commonName: string; readonly keyPem: string }): Promise<Uint8Array>;
  validity(certPem: string): { readonly notBeforeMs: number; readonly notAfterMs: number };
  /** Lower-case hex SHA-256 of the public key: what the coordinator knows it by. */
  keyHash(keyPem: string): string;
  /** Lower-case hex SHA-256 of a CA: what a join token pins. */
  caHash(caPem: string): string;
  /** Of all CAs that are trusted; see certificates.ts. */
  trustDigest(caPem: string): string;
}

export const systemPki: AgentPki = {
  createKey: async (commonName) => (await loadPki()).createCsr({ commonName }),
  requestFor: async (of) => (await loadPki()).createCsrForKey(of),
  validity: readCertificate,
  keyHash,
  caHash: certificateHash,
  trustDigest,
};

function loadPki() {
  return import('../../common/runtime/pki.ts');
}
