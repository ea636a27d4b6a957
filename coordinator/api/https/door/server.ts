// TLS, HTTP/2 and HTTP/1.1 on one port. Everything that comes in is hostile until proven.
//
//   H1. Nothing that arrives on the port, TLS or not, HTTP or not, ends the process: it is
//       counted and its connection closed.
//   H2. A body, a handshake, a header block and a request each have a bound. nghttp2 bounds what
//       a client resets (1,000 streams at once, 33 a second), pings and sends in continuations.

import { IncomingMessage, ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { handshakeMs } from '../../../../common/runtime/handshake-gate.ts';
import type { TlsFiles } from '../door-messages.ts';
import { toContext } from '../tls-context.ts';
import { destroyAfterWrite, destroyInTurn, type ConnectionPorts } from './connections.ts';
import { Http1Exchange, Http2Exchange, type NativeExchange } from './native-exchange.ts';

// As kube-apiserver: what Go's clients send before they are told.
const streamsMax = 100;
const keepAliveMs = 30_000;
// Megabytes of one HTTP/2 session: slow watches are cut off long before (watch.ts).
const sessionMemoryMegabytes = 64;
// A selector or a continue token may be long; a header block of more is nobody's client.
const headerBytesMax = 64 << 10;
const headersMs = 32_000; // kube-apiserver's ReadHeaderTimeout

export function createServer(tls: TlsFiles, idleMs: number): Http2SecureServer {
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
    keepAliveTimeout: idleMs,
  });
}

/** Its port; rejects with the system's error (EADDRINUSE, EACCES). */
export async function listen(
  server: Http2SecureServer,
  to: { readonly host: string; readonly port: number },
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(to.port, to.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port; // a TCP listener has no other kind of address
}

export function routeRequests(
  server: Http2SecureServer,
  open: (exchange: NativeExchange) => void,
  { clock, soon, onFault }: Pick<ConnectionPorts, 'clock' | 'soon' | 'onFault'>,
): void {
  server.on('request', (request: unknown, response: unknown) => {
    if (!(request instanceof IncomingMessage && response instanceof ServerResponse)) return;
    response.on('error', (error: Error) => onFault('response', error));
    request.on('error', (error: Error) => onFault('request', error));
    open(new Http1Exchange(request, response));
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
    open(new Http2Exchange(stream, headers, rawHeaders));
  };
  server.on('stream', onStream);
}

/** H1. */
export function catchFaults(
  server: Http2SecureServer,
  onFault: (kind: string, error?: Error) => void,
): void {
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
