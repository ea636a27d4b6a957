// Who a client certificate says that its holder is. The chain was verified in the handshake.

import { TLSSocket } from 'node:tls';
import type { Credentials } from './machinery/access/authenticate.ts';

// Clusters choose their names when they join: without a prefix one could call itself as a user is
// called, and have his rights. As kubelets are `system:node:NAME`.
const agentsGroup = 'isthmus:clusters';
const clusterPrefix = 'isthmus:cluster:';

export function readCertificate(socket: unknown): Credentials['certificate'] {
  // An HTTP/2 session hands out a proxy of its socket, which instanceof sees through.
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerCertificate();
  const subject: Readonly<Record<string, string | string[] | undefined>> = {
    ...certificate.subject,
  };
  if (Object.keys(certificate).length === 0) return undefined;
  if (!socket.authorized) return 'invalid';
  const organizations = toList(subject['O']);
  const commonName = toList(subject['CN'])[0] ?? '';
  return {
    commonName: organizations.includes(agentsGroup) ? `${clusterPrefix}${commonName}` : commonName,
    organizations,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

function toList(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
