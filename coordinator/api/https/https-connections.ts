// The connections under the requests: how fast they are taken up, how the dead ones among them
// are found, and how all of them end.
//
//   C1. Connections that end together are taken down over many turns of the event loop (I11), as
//       handshakes are taken up (common/runtime/handshake-gate.ts) and as what comes on them is
//       read (https-carrier.ts).
//   C2. An HTTP/2 session that is silent is asked for a sign of life; one that gives none, and one
//       that has had no stream for a while, is closed.

import type {
  Http2SecureServer,
  Http2Session,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../common/runtime/clock.ts';
import { Http2Carrier, type CarrierPaces, type Pace } from './https-carrier.ts';
import { gateHandshakes, type HandshakeBounds } from '../../../common/runtime/handshake-gate.ts';
import type { TurnShare } from '../../../common/runtime/turn-pace.ts';

export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** Without a byte for so long, an HTTP/2 session is pinged. */
  readonly pingAfterMs: number;
  /** Without an open stream for so long, it is closed: Go's server waits 90 s. */
  readonly idleMs: number;
}

/** People and their tools wait behind each other here: who is slow for a second is let go. */
export const handshakeBounds: HandshakeBounds = {
  perTurn: 2,
  atOnce: 16,
  freshAtOnce: 3,
  patienceMs: 1_000,
  ownPatienceMs: 5_000,
};

export interface Connections {
  /** HTTP/2 sessions and connections that are open. */
  count(): number;
  /** What carries a session. */
  socketOf(session: Http2Session | undefined): TLSSocket | undefined;
  /** GOAWAY to all: what runs may end, nothing new begins. */
  drain(): void;
  destroy(): void;
}

export interface ConnectionPorts {
  readonly clock: Clock;
  /** C1. */
  readonly paces: CarrierPaces & { readonly open: TurnShare };
  readonly onFault: (kind: string, error?: Error) => void;
}

export function watchConnections(
  server: Http2SecureServer,
  limits: ConnectionLimits,
  ports: ConnectionPorts,
): Connections {
  const { paces, onFault } = ports;
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  server.maxConnections = limits.connectionsMax;
  const carriers = new WeakMap<Http2Session, TLSSocket>();
  let opened: TLSSocket | undefined;
  const carry = (socket: TLSSocket): Duplex => {
    if (socket.alpnProtocol !== 'h2') return socket; // node's HTTP/1.1 reads a request at a time
    opened = socket;
    return new Http2Carrier(socket, paces);
  };
  gateHandshakes(server, { ...ports, bounds: handshakeBounds, carry, share: paces.open });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', (error) => onFault('socket', error));
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('drop', () => onFault('dropped'));
  server.on('session', (session) => {
    sessions.add(session);
    if (opened !== undefined) carriers.set(session, opened); // node tells of it as it opens it
    opened = undefined;
    session.on('error', (error) => onFault('session', error));
    session.once('close', () => sessions.delete(session));
    keepAlive(session, limits);
  });
  return {
    count: () => sockets.size,
    socketOf: (session) => session && carriers.get(session),
    drain: () => {
      for (const session of sessions) session.close();
    },
    destroy: () => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/**
 * C1. Node destroys a stream in the same moment in which its client resets it; not at all where the
 * client says NO_ERROR and has not taken what was written. Neither `drain` nor `close` came then.
 */
export function destroyInTurn(stream: ServerHttp2Stream, soon: Pace): void {
  stream.once('aborted', () => {
    const destroy = stream.destroy.bind(stream);
    let isPlanned = false;
    stream.destroy = (error) => {
      if (!isPlanned) soon(() => destroy(error));
      isPlanned = true;
      return stream;
    };
    queueMicrotask(() => stream.destroy()); // node may have called it by then
  });
}

/** C2. node restarts the time limit with every frame, also that of a ping's answer. */
function keepAlive(session: ServerHttp2Session, limits: ConnectionLimits): void {
  let openStreams = 0;
  let silentMs = 0;
  session.on('stream', (stream) => {
    openStreams += 1;
    silentMs = 0;
    stream.once('close', () => {
      openStreams -= 1;
    });
  });
  let isAsked = false;
  const listen = (): void => {
    session.setTimeout(limits.pingAfterMs, onSilence);
  };
  const onSilence = (): void => {
    if (session.destroyed) return;
    if (isAsked) return session.destroy();
    silentMs += limits.pingAfterMs;
    if (openStreams === 0 && silentMs >= limits.idleMs) return session.close();
    isAsked = true;
    session.ping(() => {
      isAsked = false;
    });
    listen();
  };
  listen();
}
