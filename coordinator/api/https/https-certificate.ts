// Who a client certificate says that its holder is. The chain was verified in the handshake.

import { TLSSocket } from 'node:tls';
import { readCertificate as readFacts } from '../../../common/runtime/certificates.ts';
import type { Credentials } from '../machinery/access/authenticate.ts';

// Clusters choose their names when they join: without a prefix one could call itself as a user is
// called, and have his rights. As kubelets are `system:node:NAME`.
const agentsGroup = 'isthmus:clusters';
const clusterPrefix = 'isthmus:cluster:';

export interface ClientCertificate {
  readonly subject: Credentials['certificate'];
  /** A connection can outlive the certificate that opened it. */
  readonly notAfterMs: number;
  /** Its DER, to be verified again when the CAs are others. */
  readonly raw: Uint8Array | undefined;
}

const none: ClientCertificate = {
  subject: undefined,
  notAfterMs: Number.POSITIVE_INFINITY,
  raw: undefined,
};

export function readCertificate(socket: unknown): ClientCertificate {
  // An HTTP/2 session hands out a proxy of its socket, which instanceof sees through.
  if (!(socket instanceof TLSSocket)) return none;
  const certificate = socket.getPeerCertificate();
  const subject: Readonly<Record<string, string | string[] | undefined>> = {
    ...certificate.subject,
  };
  if (Object.keys(certificate).length === 0) return none;
  if (!socket.authorized) return { ...none, subject: 'invalid' };
  const organizations = toList(subject['O']);
  const commonName = toList(subject['CN'])[0] ?? '';
  const name = organizations.includes(agentsGroup) ? `${clusterPrefix}${commonName}` : commonName;
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  return {
    subject: { commonName: name, organizations, fingerprint },
    notAfterMs: readFacts(certificate.raw).notAfterMs,
    raw: certificate.raw,
  };
}

function toList(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
