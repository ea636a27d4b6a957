// HTTPS in front of the API: TLS, HTTP/2 and HTTP/1.1 on one port. Everything that comes in is
// hostile until proven.
//
//   H1. Nothing that arrives on the port, TLS or not, HTTP or not, ends the process: it is
//       counted and its connection closed.
//   H2. A body, a handshake, a header block and a request each have a bound. nghttp2 bounds what
//       a client resets (1,000 streams at once, 33 a second), pings and sends in continuations.
//   H3. close() ends watches cleanly, lets answers finish for a moment, and leaves no socket.
//
// Next files to read: https-request.ts, https-connections.ts, machinery/flow/flow-control.ts.

import { IncomingMessage, ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import {
  destroyAfterWrite,
  destroyInTurn,
  watchConnections,
  type ConnectionLimits,
  type ConnectionPorts,
} from './https-connections.ts';
import { handshakeMs } from '../../../common/runtime/handshake-gate.ts';
import { Http1Exchange, Http2Exchange, type Exchange } from './https-exchange.ts';
import { paceTurns, TurnTime } from '../../../common/runtime/turn-pace.ts';
import { RequestServer, type Open, type RequestLimits } from './https-request.ts';
import type { Authenticate } from '../machinery/access/authenticate.ts';
import type { Api } from '../machinery/api.ts';
import {
  createFlowControl,
  defaultFlowLimits,
  type FlowLimits,
} from '../machinery/flow/flow-control.ts';

export interface HttpsLimits extends RequestLimits, ConnectionLimits, FlowLimits {}

export const defaultHttpsLimits: HttpsLimits = {
  ...defaultFlowLimits,
  bodyBytesMax: 3 << 20, // kube-apiserver's limit
  connectionsMax: 5_000,
  requestsMax: 2_000, // above all seats and the queue: what members of system:masters add
  requestMs: 60_000, // kube-apiserver's --request-timeout
  pingAfterMs: 30_000, // as client-go asks its server
  idleMs: 90_000, // as Go's server
};

export interface TlsFiles {
  readonly certPem: string;
  readonly keyPem: string;
  /** Issuers of client certificates. */
  readonly clientCaPem: string;
}

export interface HttpsOptions {
  readonly api: Api;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsFiles;
  readonly authenticate: Authenticate;
  readonly limits?: HttpsLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface HttpsListener {
  readonly port: number;
  /** With the host that was given, in brackets for IPv6. */
  readonly url: string;
  /** What is open now. */
  open(): Open & { readonly connections: number };
  /** New connections get these; those that stand keep theirs. Throws when the two do not fit. */
  setTls(tls: TlsFiles): void;
  close(): Promise<void>;
}

// As kube-apiserver: what Go's clients send before they are told.
const streamsMax = 100;
const keepAliveMs = 30_000;
// Megabytes of one HTTP/2 session: slow watches are cut off long before (watch.ts).
const sessionMemoryMegabytes = 64;
// A selector or a continue token may be long; a header block of more is nobody's client.
const headerBytesMax = 64 << 10;
// Until so much of a turn of the event loop is used, connections are opened, requests begun, and
// what is over is taken down (I11).
const openUntilMs = 3;
const serveUntilMs = 4;
const endUntilMs = 5;
const headersMs = 32_000; // kube-apiserver's ReadHeaderTimeout
const closeGraceMs = 2_000;
// From the last answer to its last byte on the wire.
const lastBytesMs = 500;

/** Listens; rejects with the system's error (EADDRINUSE, EACCES) when it cannot. */
export async function listenHttps(options: HttpsOptions): Promise<HttpsListener> {
  const { clock, log, metrics } = options;
  const limits = options.limits ?? defaultHttpsLimits;
  const server = createServer(options.tls);
  const onFault = (kind: string, error?: Error): void => {
    metrics.count('mesh_api_connection_errors_total', { kind });
    log.debug('API connection failed', { kind, error });
  };
  const flow = createFlowControl(limits, { clock, metrics });
  const time = new TurnTime(clock);
  const openShare = { time, untilMs: openUntilMs };
  const soon = paceTurns<() => void>(clock, (act) => act(), { time, untilMs: endUntilMs });
  const requests = new RequestServer({ ...options, limits, flow, soon });
  requests.trust(options.tls.clientCaPem);
  const connections = watchConnections(server, limits, { clock, soon, openShare, onFault });
  const serve = paceTurns<Exchange>(
    clock,
    (exchange) => {
      // Who left while he waited is not served.
      if (!exchange.isLeft()) requests.serve(exchange);
    },
    { time, untilMs: serveUntilMs },
  );
  routeRequests(server, serve, { clock, soon, onFault });
  catchFaults(server, onFault);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo; // a TCP listener has no other kind of address
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    port,
    url: `https://${host}:${port}`,
    open: () => ({ ...requests.open(), connections: connections.count() }),
    setTls: (tls) => {
      server.setSecureContext(toContext(tls));
      requests.trust(tls.clientCaPem);
    },
    // H3.
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      connections.drain();
      await requests.close(closeGraceMs);
      await within(clock, lastBytesMs, closed);
      connections.destroy();
      await closed;
    },
  };
}

function within(clock: Clock, ms: number, done: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, () => resolve());
    void done.then(() => {
      timer.cancel();
      resolve();
    });
  });
}

function createServer(tls: TlsFiles): Http2SecureServer {
  const server = createSecureServer({
    ...toContext(tls),
    requestCert: true,
    rejectUnauthorized: false, // verified per request, so that tokens and anonymous work too
    allowHTTP1: true,
    handshakeTimeout: handshakeMs,
    maxSessionMemory: sessionMemoryMegabytes,
    settings: { maxConcurrentStreams: streamsMax, maxHeaderListSize: headerBytesMax },
    noDelay: true,
    // A client that vanished without a word leaves its watches; the kernel finds out.
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  });
  // Of HTTP/1.1 connections; node takes these from the server, not from its options.
  return Object.assign(server, {
    maxHeaderSize: headerBytesMax,
    headersTimeout: headersMs,
    keepAliveTimeout: defaultHttpsLimits.idleMs,
  });
}

function toContext({ certPem, keyPem, clientCaPem }: TlsFiles) {
  return { cert: certPem, key: keyPem, ca: clientCaPem, minVersion: 'TLSv1.2' } as const;
}

type OnFault = (kind: string, error?: Error) => void;

function routeRequests(
  server: Http2SecureServer,
  serve: (exchange: Exchange) => void,
  { clock, soon, onFault }: Pick<ConnectionPorts, 'clock' | 'soon' | 'onFault'>,
): void {
  server.on('request', (request: unknown, response: unknown) => {
    if (!(request instanceof IncomingMessage && response instanceof ServerResponse)) return;
    response.on('error', (error: Error) => onFault('response', error));
    request.on('error', (error: Error) => onFault('request', error));
    serve(new Http1Exchange(request, response));
  });
  // That listener made node imitate HTTP/1.1 over HTTP/2 streams; they are served as they are.
  server.removeAllListeners('stream');
  const onStream = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    _flags: number,
    rawHeaders: readonly string[],
  ): void => {
    stream.on('error', (error) => onFault('response', error));
    if (headers.expect === '100-continue') stream.additionalHeaders({ ':status': 100 });
    if (!stream.endAfterHeaders) destroyAfterWrite(stream, clock);
    destroyInTurn(stream, soon);
    serve(new Http2Exchange(stream, headers, rawHeaders));
  };
  server.on('stream', onStream);
}

/** H1. */
function catchFaults(server: Http2SecureServer, onFault: OnFault): void {
  server.on('error', (error) => onFault('listener', error));
  server.on('sessionError', (error: Error) => onFault('session', error));
  server.on('tlsClientError', (error, socket) => {
    onFault('tls', error);
    socket.destroy();
  });
  server.on('clientError', (error: Error, socket: Socket) => {
    onFault('http', error);
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  server.on('unknownProtocol', (socket) => {
    onFault('protocol');
    socket.destroy();
  });
}
