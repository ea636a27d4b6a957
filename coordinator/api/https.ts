// HTTPS in front of the API: TLS, HTTP/2 and HTTP/1.1 on one port, client certificates, bodies,
// compression, and watches with backpressure. Everything that comes in is hostile until proven.
//
//   H1. Nothing that arrives on the port, TLS or not, HTTP or not, ends the process: it is
//       counted and its connection closed.
//   H2. A body, a handshake, a header block and a request each have a bound.
//   H3. close() ends watches cleanly, lets answers finish for a moment, and leaves no socket.

import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { constants as zlibConstants, gzip } from 'node:zlib';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { answerError } from './machinery/answers.ts';
import type { Api, ApiResponse, BodySink } from './machinery/api.ts';
import type { Authenticate, Credentials } from './machinery/authenticate.ts';
import type { UserInfo } from './machinery/kind.ts';
import { tooLarge, timeout, unauthorized } from './machinery/status-error.ts';

export interface HttpsLimits {
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  /** Whole request but a watch: reading it, and answering it. */
  readonly requestMs: number;
}

export const defaultHttpsLimits: HttpsLimits = {
  bodyBytesMax: 3 << 20, // kube-apiserver's limit
  connectionsMax: 5_000,
  requestMs: 60_000, // kube-apiserver's --request-timeout
};

export interface HttpsOptions {
  readonly api: Api;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: {
    readonly certPem: string;
    readonly keyPem: string;
    /** Issuers of client certificates. */
    readonly clientCaPem: string;
  };
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
  close(): Promise<void>;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

// Go's default of concurrent streams per connection.
const streamsMax = 250;
const handshakeMs = 10_000;
// Megabytes of one HTTP/2 session: slow watches are cut off long before (watch.ts).
const sessionMemoryMegabytes = 64;
const closeGraceMs = 2_000;

/** Listens; rejects with the system's error (EADDRINUSE, EACCES) when it cannot. */
export async function listenHttps(options: HttpsOptions): Promise<HttpsListener> {
  const front = new Front(options);
  const server = createSecureServer({
    cert: options.tls.certPem,
    key: options.tls.keyPem,
    ca: options.tls.clientCaPem,
    requestCert: true,
    rejectUnauthorized: false, // verified per request, so that tokens and anonymous work too
    allowHTTP1: true,
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeMs,
    maxSessionMemory: sessionMemoryMegabytes,
    settings: { maxConcurrentStreams: streamsMax },
    noDelay: true,
  });
  front.attach(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo; // a TCP listener has no other kind of address
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { port, url: `https://${host}:${port}`, close: () => front.close(server) };
}

class Front {
  readonly #options: HttpsOptions;
  readonly #limits: HttpsLimits;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #watches = new Set<AbortController>();
  readonly #certificates = new WeakMap<object, Credentials['certificate'] | 'none'>();
  #active = 0;
  #onIdle: (() => void) | undefined;
  #isClosing = false;

  constructor(options: HttpsOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultHttpsLimits;
  }

  attach(server: Http2SecureServer): void {
    server.maxConnections = this.#limits.connectionsMax;
    server.on('connection', (socket: Socket) => this.#trackSocket(socket));
    server.on('session', (session) => this.#trackSession(session));
    server.on('request', (request, response) => this.#onRequest(request, response));
    server.on('error', (error) => this.#count('listener', error));
    server.on('sessionError', (error: Error) => this.#count('session', error));
    server.on('tlsClientError', (error, socket) => {
      this.#count('tls', error);
      socket.destroy();
    });
    server.on('clientError', (error: Error, socket: Socket) => {
      this.#count('http', error);
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
    server.on('unknownProtocol', (socket) => {
      this.#count('protocol', undefined);
      socket.destroy();
    });
  }

  #trackSocket(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', (error) => this.#count('socket', error)); // H1
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #trackSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.on('error', (error) => this.#count('session', error));
    session.once('close', () => this.#sessions.delete(session));
  }

  /** H1. */
  #count(kind: string, error: Error | undefined): void {
    this.#options.metrics.count('mesh_api_connection_errors_total', { kind });
    this.#options.log.debug('API connection failed', { kind, error });
  }

  #onRequest(request: Request, response: Response): void {
    const abort = new AbortController();
    this.#active += 1;
    response.on('error', (error: Error) => this.#count('response', error));
    request.on('error', (error: Error) => this.#count('request', error));
    response.once('close', () => {
      this.#active -= 1;
      this.#watches.delete(abort);
      abort.abort();
      if (this.#active === 0) this.#onIdle?.();
    });
    this.#serve(request, response, abort).catch((error: unknown) => {
      this.#options.log.error('API answer failed', { error: describeError(error) });
      request.destroy();
    });
  }

  async #serve(request: Request, response: Response, abort: AbortController): Promise<void> {
    const user = this.#options.authenticate({
      certificate: this.#certificateOf(request),
      authorization: request.headers.authorization,
    });
    if (user === 'invalid') return this.#send(request, response, answerError(unauthorized()));
    const answer = await this.#answer(request, user, abort);
    if (answer === undefined || abort.signal.aborted) return; // the client is gone
    await this.#send(request, response, answer, abort);
  }

  async #answer(
    request: Request,
    user: UserInfo | undefined,
    abort: AbortController,
  ): Promise<ApiResponse | undefined> {
    const late = this.#deadline();
    try {
      const body = await Promise.race([readBody(request, this.#limits.bodyBytesMax), late.fired]);
      if (body === 'late') return answerError(timeout('the request body did not arrive in time'));
      if (body === 'gone') return undefined;
      if (body === 'large') return answerError(tooLarge(this.#limits.bodyBytesMax));
      const answer = await Promise.race([
        this.#options.api.handle({
          method: request.method ?? '',
          target: request.url ?? '',
          headers: toHeaders(request),
          body,
          user,
          signal: abort.signal,
        }),
        late.fired,
      ]);
      return answer === 'late' ? answerError(timeout('request did not complete within the allotted timeout')) : answer;
    } finally {
      late.cancel();
    }
  }

  #deadline(): { readonly fired: Promise<'late'>; cancel(): void } {
    let cancel = (): void => undefined;
    const fired = new Promise<'late'>((resolve) => {
      const timer = this.#options.clock.after(this.#limits.requestMs, () => resolve('late'));
      cancel = () => timer.cancel();
    });
    return { fired, cancel: () => cancel() };
  }

  /** Read once per connection: the chain was verified in the handshake. */
  #certificateOf(request: Request): Credentials['certificate'] {
    const session = 'stream' in request ? request.stream.session : undefined;
    const owner = session ?? request.socket;
    let known = this.#certificates.get(owner);
    if (known === undefined) {
      known = readCertificate(session?.socket ?? request.socket) ?? 'none';
      this.#certificates.set(owner, known);
    }
    return known === 'none' ? undefined : known;
  }

  async #send(
    request: Request,
    response: Response,
    answer: ApiResponse,
    abort?: AbortController,
  ): Promise<void> {
    const { body } = answer;
    if (!(body instanceof Uint8Array)) {
      if (abort !== undefined) this.#watches.add(abort);
      writeHead(response, answer.status, answer.headers);
      flushHead(response, answer.status);
      body.start(toSink(response));
      if (this.#isClosing) abort?.abort();
      return;
    }
    const packed = await pack(request, answer.headers, body);
    writeHead(response, answer.status, {
      ...packed.headers,
      'content-length': String(packed.body.length),
      // Over HTTP/1.1 an unread body would be taken for the next request.
      ...(answer.status === 413 && request.httpVersionMajor === 1 ? { connection: 'close' } : {}),
    });
    response.end(packed.body);
  }

  /** H3. */
  async close(server: Http2SecureServer): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const watch of this.#watches) watch.abort();
    for (const session of this.#sessions) session.close();
    if (this.#active > 0) await this.#idle();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(closeGraceMs, () => resolve());
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

function toHeaders(request: Request): Readonly<Record<string, string | undefined>> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

function readCertificate(socket: unknown): Credentials['certificate'] {
  // An HTTP/2 session hands out a proxy of its socket, which instanceof sees through.
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerCertificate();
  const subject: Readonly<Record<string, string | string[] | undefined>> = { ...certificate.subject };
  if (Object.keys(certificate).length === 0) return undefined;
  if (!socket.authorized) return 'invalid';
  return { commonName: toList(subject['CN'])[0] ?? '', organizations: toList(subject['O']) };
}

function toList(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** H2. Resolves once: with the whole body, or as soon as it is too long or the client is gone. */
function readBody(request: Request, bytesMax: number): Promise<Buffer | 'large' | 'gone'> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > bytesMax) return Promise.resolve('large');
  if (request.method === 'GET' && declared === 0) {
    request.resume();
    return Promise.resolve(emptyBody);
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > bytesMax) {
        chunks.length = 0; // the rest is read and forgotten until the answer closes the stream
        resolve('large');
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('close', () => resolve('gone'));
    request.once('error', () => resolve('gone'));
  });
}

const emptyBody = Buffer.alloc(0);

// As kube-apiserver: below this, compressing costs more than it saves.
const gzipBytesMin = 128 * 1024;
const gzipAsync = promisify(gzip);

async function pack(request: Request, headers: ApiResponse['headers'], body: Uint8Array) {
  const accepted = request.headers['accept-encoding'];
  const wantsGzip = typeof accepted === 'string' && /\bgzip\b/.test(accepted);
  if (!wantsGzip || body.length < gzipBytesMin) return { headers, body };
  const packed = await gzipAsync(body, { level: zlibConstants.Z_BEST_SPEED });
  return {
    headers: { ...headers, 'content-encoding': 'gzip', vary: 'Accept-Encoding' },
    body: packed,
  };
}

/** Two protocols, one shape: the overloads of the two responses cannot be called as a union. */
function writeHead(response: Response, status: number, headers: ApiResponse['headers']): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
}

/** A watch's head goes out at once, even when its first event is an hour away. */
function flushHead(response: Response, status: number): void {
  if ('stream' in response) response.writeHead(status);
  else response.flushHeaders();
}

function toSink(response: Response): BodySink {
  // Of an HTTP/2 response the stream holds the buffer; of an HTTP/1.1 one the response itself.
  const buffered = 'stream' in response ? () => response.stream.writableLength : () => response.writableLength;
  return {
    write: (chunk) => {
      if ('stream' in response) response.write(chunk);
      else response.write(chunk);
    },
    bufferedBytes: buffered,
    drained: () =>
      new Promise((resolve) => {
        const done = (): void => {
          response.off('drain', done);
          response.off('close', done);
          resolve();
        };
        response.once('drain', done);
        response.once('close', done);
      }),
    end: () => {
      response.end();
    },
  };
}
