// The CA as joining and renewal need it. Adapter over common/runtime/pki.ts.

import type { Clock } from '../../common/runtime/clock.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import { requestKeyHash, signCsr, verifyCsr } from '../../common/runtime/pki.ts';

export interface CertificateAuthority {
  readonly caPem: string;
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

const certificateDays = 90;

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

export function createAuthority(options: {
  readonly ca: KeyPairPem;
  readonly federation: string;
  readonly clock: Clock;
}): CertificateAuthority {
  const { ca, federation, clock } = options;
  return {
    caPem: ca.certPem,
    hashOfRequest: async (csrDer) => {
      await verifyCsr(csrDer);
      return requestKeyHash(csrDer);
    },
    sign: ({ csrDer, cluster, clusterUid }) =>
      signCsr({
        ca,
        csrDer,
        commonName: cluster,
        organizations: [agentsOrganization],
        uris: [toClusterUri(federation, cluster, clusterUid)],
        validDays: certificateDays,
        clock,
      }),
  };
}
