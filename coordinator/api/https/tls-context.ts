// How TLS is spoken at the door.

import type { SecureContextOptions } from 'node:tls';
import type { TlsFiles } from './door-messages.ts';

export function toContext({ certPem, keyPem, clientCaPem }: TlsFiles): SecureContextOptions {
  return { cert: certPem, key: keyPem, ca: clientCaPem, minVersion: 'TLSv1.2' };
}
