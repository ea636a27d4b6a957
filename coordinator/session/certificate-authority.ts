// The CA as joining and renewal need it. Adapter over common/runtime/pki.ts.

import { rememberLast } from '../../common/pure/remember-last.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { trustDigest, type KeyPairPem } from '../../common/runtime/certificates.ts';
import { requestKeyHash, signCsr, verifyCsr } from '../../common/runtime/pki.ts';

export interface CertificateAuthority {
  /** Every CA that agents shall trust, PEM; more than one while one replaces another. */
  trustedPem(): string;
  /** Of the above; see certificates.ts. */
  trustDigest(): string;
  /** Told when another CA signs, or is trusted. */
  subscribe(listener: () => void): () => void;
  /** How long a certificate of an agent is good for. */
  readonly lifetimeMs: number;
  /** Of the key that signed the request. Throws MeshError fatal CSR_INVALID. */
  hashOfRequest(csrDer: Uint8Array): Promise<string>;
  /** PEM of a certificate that names the Cluster and its uid. Throws MeshError fatal CSR_INVALID. */
  sign(request: {
    readonly csrDer: Uint8Array;
    readonly cluster: string;
    readonly clusterUid: string;
  }): Promise<string>;
}

/** Group of every agent's certificate. It has no rights at the API. */
export const agentsOrganization = 'isthmus:clusters';

/** Default lifetime of agents' certificates. */
export const certificateHours = 90 * 24;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** The URI in an agent's certificate: which federation, which Cluster object. */
export function toClusterUri(federation: string, cluster: string, uid: string): string {
  return `isthmus://${federation}/clusters/${cluster}/${uid}`;
}

/** Cluster and uid of such a URI of this federation. */
export function parseClusterUri(
  federation: string,
  uri: string,
): { readonly cluster: string; readonly uid: string } | undefined {
  const prefix = `isthmus://${federation}/clusters/`;
  if (!uri.startsWith(prefix)) return undefined;
  const [cluster, uid, ...rest] = uri.slice(prefix.length).split('/');
  return cluster === undefined || uid === undefined || rest.length > 0
    ? undefined
    : { cluster, uid };
}

/** The CAs of a federation: one signs, all are trusted. */
export interface TrustedCas {
  signing(): KeyPairPem;
  trustedPem(): string;
  subscribe(listener: () => void): () => void;
}

/** One CA, for ever. */
export function oneCa(ca: KeyPairPem): TrustedCas {
  return { signing: () => ca, trustedPem: () => ca.certPem, subscribe: () => () => undefined };
}

export function createAuthority(options: {
  readonly cas: TrustedCas;
  readonly federation: string;
  /** Default: 90 days. */
  readonly lifetimeMs?: number;
  readonly clock: Clock;
}): CertificateAuthority {
  const { cas, federation, clock, lifetimeMs = certificateHours * hourMs } = options;
  const digestOf = rememberLast(trustDigest); // asked for at each Hello
  return {
    trustedPem: () => cas.trustedPem(),
    trustDigest: () => digestOf(cas.trustedPem()),
    subscribe: (listener) => cas.subscribe(listener),
    lifetimeMs,
    hashOfRequest: async (csrDer) => {
      await verifyCsr(csrDer);
      return requestKeyHash(csrDer);
    },
    sign: ({ csrDer, cluster, clusterUid }) =>
      signCsr({
        ca: cas.signing(),
        csrDer,
        commonName: cluster,
        organizations: [agentsOrganization],
        uris: [toClusterUri(federation, cluster, clusterUid)],
        validDays: lifetimeMs / dayMs,
        clock,
      }),
  };
}
