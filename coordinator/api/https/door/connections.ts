// The connections under the requests: how fast they are taken up, how the dead ones among them
// are found, and how all of them end.
//
//   C1. Connections that end together are taken down over many turns of the event loop (I11), as
//       handshakes are taken up: common/runtime/handshake-gate.ts.
//   C2. An HTTP/2 session that is silent is asked for a sign of life; one that gives none, and one
//       that has had no stream for a while, is closed.

import {
  constants as http2,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
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
  takeDownInTurns(server, ports);
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
    const streams = noteStreams(session);
    keepAlive(session, limits, streams);
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

/** A stream whose last write never ends closes with its connection. */
const downTurnsMax = 1_000;

/**
 * C1. Node ends a connection, and in the same moment all that runs on it, as soon as it hears that the peer
 * left. The bytes that are under way to a peer who left are nobody's.
 */
function takeDownInTurns(
  server: Http2SecureServer,
  { clock, soon }: Pick<ConnectionPorts, 'clock' | 'soon'>,
): void {
  server.on('secureConnection', (socket: TLSSocket & CarriesStreams) => {
    if (socket.alpnProtocol !== 'h2') return; // node's HTTP/1.1 ends what runs on it itself
    const destroy = socket.destroy.bind(socket);
    let isPlanned = false;
    socket.destroy = (error) => {
      if (isPlanned) return socket;
      isPlanned = true;
      const streams = socket[streamsOf] ?? new Set(); // none before node has made its session
      for (const stream of streams) soon(() => stream.close(http2.NGHTTP2_CANCEL));
      let turnsLeft = downTurnsMax;
      const goOn = (): void => {
        turnsLeft -= 1;
        if (streams.size === 0 || turnsLeft === 0) soon(() => destroy(error));
        else clock.soon(goOn);
      };
      goOn();
      return socket;
    };
    socket.allowHalfOpen = true; // or it would wait for them
    socket.once('end', () => socket.destroy());
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

const streamsOf = Symbol('the streams that are open on a connection');

interface CarriesStreams {
  [streamsOf]?: ReadonlySet<ServerHttp2Stream>;
}

/** Those of a session, also for who knows its socket only. */
function noteStreams(session: ServerHttp2Session): ReadonlySet<ServerHttp2Stream> {
  const streams = new Set<ServerHttp2Stream>();
  session.on('stream', (stream) => {
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
  });
  (session.socket as CarriesStreams)[streamsOf] = streams;
  return streams;
}

/** C2. node restarts the time limit with every frame, also that of a ping's answer. */
function keepAlive(
  session: ServerHttp2Session,
  limits: ConnectionLimits,
  streams: ReadonlySet<ServerHttp2Stream>,
): void {
  let silentMs = 0;
  session.on('stream', () => {
    silentMs = 0;
  });
  let isAsked = false;
  const listen = (): void => {
    session.setTimeout(limits.pingAfterMs, onSilence);
  };
  const onSilence = (): void => {
    if (session.destroyed) return;
    if (isAsked) return session.destroy();
    silentMs += limits.pingAfterMs;
    if (streams.size === 0 && silentMs >= limits.idleMs) return session.close();
    isAsked = true;
    session.ping(() => {
      isAsked = false;
    });
    listen();
  };
  listen();
}
