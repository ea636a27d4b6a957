// HTTPS in front of the API: TLS, HTTP/2 and HTTP/1.1 on one port, client certificates, bodies,
// compression, and watches with backpressure. Everything that comes in is hostile until proven.
//
//   H1. Nothing that arrives on the port, TLS or not, HTTP or not, ends the process: it is
//       counted and its connection closed.
//   H2. A body, a handshake, a header block and a request each have a bound.
//   H3. close() ends watches cleanly, lets answers finish for a moment, and leaves no socket.

import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import {
  discardRest,
  flushHead,
  pack,
  Presence,
  readBody,
  readCertificate,
  toHeaders,
  toSink,
  writeHead,
  type Request,
  type Response,
} from './https-exchange.ts';
import { answerError } from './machinery/answer/answers.ts';
import type { Api, ApiResponse } from './machinery/api.ts';
import type { Authenticate, Credentials } from './machinery/access/authenticate.ts';
import type { UserInfo } from './machinery/kind.ts';
import {
  timeout,
  tooLarge,
  tooManyRequests,
  unauthorized,
} from './machinery/answer/status-error.ts';

export interface HttpsLimits {
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  /** Requests read or answered at once, watches not counted; more get 429. */
  readonly requestsMax: number;
  /** Whole request but a watch: reading it, and answering it. */
  readonly requestMs: number;
}

export const defaultHttpsLimits: HttpsLimits = {
  bodyBytesMax: 3 << 20, // kube-apiserver's limit
  connectionsMax: 5_000,
  requestsMax: 1_000, // kube-apiserver's in-flight limits are 400 reads and 200 writes
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

// Go's default of concurrent streams per connection.
const streamsMax = 250;
const handshakeMs = 10_000;
const keepAliveMs = 30_000;
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
    // A client that vanished without a word leaves its watches; the kernel finds out.
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
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
  readonly #watches = new Set<Presence>();
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
    const presence = new Presence();
    this.#active += 1;
    response.on('error', (error: Error) => this.#count('response', error));
    request.on('error', (error: Error) => this.#count('request', error));
    response.once('close', () => {
      this.#active -= 1;
      this.#watches.delete(presence);
      presence.end();
      if (this.#active === 0) this.#onIdle?.();
    });
    this.#serve(request, response, presence).catch((error: unknown) => {
      this.#options.log.error('API answer failed', { error: describeError(error) });
      request.destroy();
    });
  }

  async #serve(request: Request, response: Response, presence: Presence): Promise<void> {
    const user = this.#options.authenticate({
      certificate: this.#certificateOf(request),
      authorization: request.headers.authorization,
    });
    if (user === 'invalid') return this.#send(request, response, answerError(unauthorized()));
    if (this.#active - this.#watches.size > this.#limits.requestsMax) {
      return this.#send(request, response, answerError(tooManyRequests()));
    }
    const answer = await this.#answer(request, user, presence);
    if (answer === undefined || presence.isOver) return; // the client is gone
    await this.#send(request, response, answer, presence);
  }

  async #answer(
    request: Request,
    user: UserInfo | undefined,
    presence: Presence,
  ): Promise<ApiResponse | undefined> {
    const late = this.#deadline();
    try {
      const body = await Promise.race([readBody(request, this.#limits.bodyBytesMax), late.fired]);
      if (body === 'late') return answerError(timeout('the request body did not arrive in time'));
      if (body === 'gone') return undefined;
      if (body === 'large') {
        await discardRest(request, this.#options.clock);
        return answerError(tooLarge(this.#limits.bodyBytesMax));
      }
      const answer = await Promise.race([
        this.#options.api.handle({
          method: request.method ?? '',
          target: request.url ?? '',
          headers: toHeaders(request),
          body,
          user,
          get signal() {
            return presence.signal();
          },
        }),
        late.fired,
      ]);
      return answer === 'late'
        ? answerError(timeout('request did not complete within the allotted timeout'))
        : answer;
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
    presence?: Presence,
  ): Promise<void> {
    const { body } = answer;
    if (!(body instanceof Uint8Array)) {
      if (presence !== undefined) this.#watches.add(presence);
      writeHead(response, answer.status, answer.headers);
      flushHead(response, answer.status);
      body.start(toSink(response));
      if (this.#isClosing) presence?.end();
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
    for (const watch of this.#watches) watch.end();
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
