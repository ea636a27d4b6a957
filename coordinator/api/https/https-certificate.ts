// Who a client certificate says that its holder is. The chain was verified in the handshake.

import { readCertificate as readFacts } from '../../../common/runtime/certificates.ts';
import type { PeerCertificate } from './door-messages.ts';
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

export function toClientCertificate(peer: PeerCertificate | undefined): ClientCertificate {
  if (peer === undefined) return none;
  if (!peer.isAuthorized) return { ...none, subject: 'invalid' };
  const { subject, raw, fingerprint } = peer;
  const organizations = toList(subject['O']);
  const commonName = toList(subject['CN'])[0] ?? '';
  const name = organizations.includes(agentsGroup) ? `${clusterPrefix}${commonName}` : commonName;
  return {
    subject: { commonName: name, organizations, fingerprint },
    notAfterMs: readFacts(raw).notAfterMs,
    raw,
  };
}

function toList(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
