// The certificate that a client showed in its handshake.

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '../door-messages.ts';

/** Undefined when it showed none. */
export function readPeer(socket: Socket | undefined): PeerCertificate | undefined {
  // An HTTP/2 session hands out a proxy of its socket, which instanceof sees through.
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerCertificate();
  if (Object.keys(certificate).length === 0) return undefined;
  return {
    subject: { ...certificate.subject },
    raw: new Uint8Array(certificate.raw), // a copy: with a part of a buffer all of it would travel
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    isAuthorized: socket.authorized,
  };
}
