// By which issuers the certificate of a connection was verified: those of its handshake, whenever its
// first request comes.

import type { Http2SecureServer } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { handshakeMs } from '../../../../common/runtime/handshake-gate.ts';

/** On the socket itself, as HTTP/2 hands out a proxy of it. */
const told = Symbol('how often the issuers had been told');

type Marked = Socket & { [told]?: number };

/**
 * Notes it for each connection from now on. `change` is called when other issuers are told. A handshake
 * that began before may end after it, so for as long as one takes, those of before count.
 */
export function watchTrust(
  server: Http2SecureServer,
  clock: Pick<Clock, 'monotonicMs'>,
): { change(): void } {
  let times = 1;
  let sinceMs = Number.NEGATIVE_INFINITY;
  server.on('secureConnection', (socket: TLSSocket & Marked) => {
    socket[told] = clock.monotonicMs() - sinceMs > handshakeMs ? times : times - 1;
  });
  return {
    change: () => {
      times += 1;
      sinceMs = clock.monotonicMs();
    },
  };
}

/** Carrier.trust; 0, which is never, for a connection of which nothing is known. */
export function trustOf(socket: Socket | undefined): number {
  return (socket as Marked | undefined)?.[told] ?? 0;
}
