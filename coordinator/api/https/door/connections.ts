// The connections under the requests: how fast they are taken up, how the dead ones among them
// are found, and how all of them end.
//
//   C1. Connections that end together are taken down over many turns of the event loop (I11), as
//       handshakes are taken up: common/runtime/handshake-gate.ts.
//   C2. An HTTP/2 session that is silent is asked for a sign of life; one that gives none, and one
//       that has had no stream for a while, is closed.

import type { Http2SecureServer, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { gateHandshakes } from '../../../../common/runtime/handshake-gate.ts';
import type { TurnShare } from '../../../../common/runtime/turn-pace.ts';
import { handshakeBounds, type ConnectionLimits } from '../door-messages.ts';

export interface Connections {
  /** GOAWAY to all: what runs may end, nothing new begins. */
  drain(): void;
  destroy(): void;
}

export interface ConnectionPorts {
  readonly clock: Clock;
  /** C1. For all that ends: the callbacks that follow one end are as long as it was. */
  readonly soon: (act: () => void) => void;
  /** Of a turn, for connections that begin. */
  readonly openShare: TurnShare;
  readonly onFault: (kind: string, error?: Error) => void;
  /** Of each connection, once each. */
  readonly onCount: (change: 'opened' | 'left') => void;
}

export function watchConnections(
  server: Http2SecureServer,
  limits: ConnectionLimits,
  ports: ConnectionPorts,
): Connections {
  const { soon, onFault, onCount } = ports;
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  server.maxConnections = limits.connectionsMax;
  gateHandshakes(server, { ...ports, bounds: handshakeBounds, share: ports.openShare });
  closeInTurns(server, soon);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    onCount('opened');
    socket.on('error', (error) => onFault('socket', error));
    socket.once('close', () => {
      sockets.delete(socket);
      onCount('left');
    });
  });
  server.on('drop', () => onFault('dropped'));
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', (error) => onFault('session', error));
    session.once('close', () => sessions.delete(session));
    keepAlive(session, limits);
    closeInTurn(session, soon);
  });
  return {
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
 * C1. Node ends a connection in the same moment in which it hears that the peer did. The bytes that
 * are under way to a peer who left are nobody's.
 */
function closeInTurns(server: Http2SecureServer, soon: ConnectionPorts['soon']): void {
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol !== 'h2') return; // node's HTTP/1.1 ends them itself
    socket.allowHalfOpen = true;
    socket.once('end', () => soon(() => socket.destroy()));
  });
}

/** C1. Node closes a session in the same moment in which its client says GOAWAY. */
function closeInTurn(session: ServerHttp2Session, soon: ConnectionPorts['soon']): void {
  session.once('goaway', () => {
    const close = session.close.bind(session);
    session.close = () => soon(close); // which node calls right after this event
  });
}

/**
 * C1. Node destroys a stream in the same moment in which its client resets it; not at all where the
 * client says NO_ERROR and has not taken what was written. Neither `drain` nor `close` came then.
 */
export function destroyInTurn(stream: ServerHttp2Stream, soon: ConnectionPorts['soon']): void {
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

/**
 * Node leaves a stream that is destroyed while its last write is under way to the collector of
 * garbage, and so nearly each request with a body: each has a weak handle, and all of them are let go
 * in the pause of the next full collection. A turn later nothing is under way.
 */
export function destroyAfterWrite(stream: ServerHttp2Stream, clock: Pick<Clock, 'soon'>): void {
  const destroy = stream.destroy.bind(stream);
  stream.destroy = (error) => {
    clock.soon(() => destroy(error));
    return stream;
  };
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
