// One HTTP exchange with a Kubernetes API server over node:https: connections kept alive, one
// deadline per call, bounded bodies. Verbs are in kube-http.ts, watches in kube-http-watch.ts.

import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type AgentOptions } from 'node:https';
import type { Clock } from './clock.ts';
import { MeshError } from '../pure/errors.ts';
import { toDeadlineError, toNetworkError, toStatusError } from './kube-http-errors.ts';

/** How to reach and authenticate to one API server. */
export interface KubeEndpoint {
  /** `https://host:port`, optionally with a path. */
  readonly server: string;
  readonly caPem: string | undefined;
  readonly clientCertPem: string | undefined;
  readonly clientKeyPem: string | undefined;
  /** Name to expect in the server's certificate, when not the host of `server`. */
  readonly serverName: string | undefined;
  readonly skipTlsVerify: boolean;
  /** The bearer token of this moment: read again for each call, since tokens rotate. */
  readonly token: (() => Promise<string | undefined>) | undefined;
  /** Wins over the three above: of a user that a program or a provider speaks for. */
  readonly identity?:
    | { readonly current: () => Promise<ClientIdentity>; readonly refuse: () => void }
    | undefined;
  /** Default: the agent's. */
  readonly userAgent?: string | undefined;
}

/** Who asks, as of now. */
export interface ClientIdentity {
  readonly token?: string;
  readonly certPem?: string;
  readonly keyPem?: string;
}

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query below the server's own. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly deadlineMs: number;
  /** Asked before each sending, when all that it needs is there; what it throws is the outcome. */
  readonly leave?: (() => void) | undefined;
  /** Each text of a Warning header of the answer. */
  readonly onWarning?: (text: string) => void;
}

export interface KubeStream {
  cancel(): void;
}

export interface StreamSink {
  onLine(line: string): void;
  /** Any bytes at all: the connection lives. */
  onBytes(): void;
  /** Once, last. Without an error the server ended it in good order. */
  onEnd(error: MeshError | undefined): void;
}

export interface Exchange {
  /** The body of a 2xx answer. Throws MeshError. */
  send(request: KubeRequest): Promise<string>;
  stream(path: string, sink: StreamSink): KubeStream;
  close(): void;
}

// A page of 500 Services is about 1 MB; far above that something is wrong.
const bodyBytesMax = 64 * 2 ** 20;
// etcd refuses objects above 1.5 MB; a watch event holds one.
const lineCharactersMax = 8 * 2 ** 20;
const errorBodyCharactersMax = 64 * 2 ** 10;
const socketsMax = 16;
const keepAliveProbeMs = 15_000;
const defaultUserAgent = 'isthmus-agent';

export function createExchange(endpoint: KubeEndpoint, clock: Clock): Exchange {
  const base = new URL(endpoint.server);
  const isTls = base.protocol === 'https:';
  const tls: AgentOptions = {
    ca: endpoint.caPem,
    cert: endpoint.clientCertPem,
    key: endpoint.clientKeyPem,
    servername: endpoint.serverName,
    rejectUnauthorized: !endpoint.skipTlsVerify,
  };
  const shape = { keepAlive: true, keepAliveMsecs: keepAliveProbeMs, scheduling: 'lifo' as const };
  const create = (maxSockets: number): HttpAgent =>
    isTls
      ? new HttpsAgent({ ...shape, ...tls, maxSockets })
      : new HttpAgent({ ...shape, maxSockets });
  const calls = create(socketsMax);
  const watches = create(Infinity); // as many as there are watches: a handful
  const prefix = base.pathname.replace(/\/$/, '');

  const open = async (
    agent: HttpAgent,
    call: Omit<KubeRequest, 'deadlineMs'>,
  ): Promise<ClientRequest> => {
    const identity = await endpoint.identity?.current();
    const token = identity?.token ?? (await endpoint.token?.());
    const { certPem: cert, keyPem: key } = identity ?? {};
    const start = isTls ? httpsRequest : httpRequest;
    return start({
      agent,
      // The agent keeps the connections of each certificate apart.
      ...(cert === undefined ? {} : { cert, key }),
      method: call.method,
      host: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port === '' ? (isTls ? 443 : 80) : base.port,
      path: `${prefix}${call.path}`,
      headers: {
        accept: 'application/json',
        'user-agent': endpoint.userAgent ?? defaultUserAgent,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(call.body === undefined
          ? {}
          : {
              'content-type': call.contentType ?? 'application/json',
              'content-length': Buffer.byteLength(call.body),
            }),
      },
    });
  };

  return {
    send: (call) => sendOnce(open, calls, call, { clock, refuse: endpoint.identity?.refuse }),
    stream: (path, sink) =>
      openStream((request) => open(watches, request), path, {
        ...sink,
        onEnd: (error) => {
          if (error?.code === 'KUBE_UNAUTHORIZED') endpoint.identity?.refuse();
          sink.onEnd(error);
        },
      }),
    close: () => {
      calls.destroy();
      watches.destroy();
    },
  };
}

type Open = (agent: HttpAgent, call: Omit<KubeRequest, 'deadlineMs'>) => Promise<ClientRequest>;

async function sendOnce(
  open: Open,
  agent: HttpAgent,
  call: KubeRequest,
  { clock, refuse }: { readonly clock: Clock; readonly refuse: (() => void) | undefined },
): Promise<string> {
  const what = `${call.method} ${call.path.split('?', 1)[0] ?? ''}`;
  let sinceMs: number | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const request = await openOrThrow(open, agent, call, what);
    askLeave(request, call);
    sinceMs ??= clock.monotonicMs();
    // Both attempts share the deadline: whoever leads counts on the end of a write that was begun.
    const leftMs = Math.max(1, sinceMs + call.deadlineMs - clock.monotonicMs());
    const outcome = await attemptOnce(request, { ...call, leftMs }, what, clock);
    if (outcome.kind === 'answer') {
      if (outcome.status >= 200 && outcome.status < 300) return outcome.body;
      if (outcome.status === 401 && refuse !== undefined) {
        refuse();
        if (attempt === 1) continue; // once more, with what the program or provider says now
      }
      throw toStatusError(what, outcome.status, outcome.body);
    }
    // The server closed an idle connection just as we took it: nothing was processed.
    if (outcome.wasReused && attempt === 1) continue;
    throw outcome.error;
  }
}

async function openOrThrow(
  open: Open,
  agent: HttpAgent,
  call: KubeRequest,
  what: string,
): Promise<ClientRequest> {
  try {
    return await open(agent, call);
  } catch (error) {
    throw new MeshError('retryable', 'KUBE_UNAUTHORIZED', `${what}: no credentials`, error);
  }
}

/** Credentials may have taken a while, and a process may have been stopped meanwhile. */
function askLeave(request: ClientRequest, { leave }: Pick<KubeRequest, 'leave'>): void {
  try {
    leave?.();
  } catch (error) {
    request.on('error', () => undefined); // that it was ended unsent
    request.destroy();
    throw error;
  }
}

type Attempt =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'failure'; readonly error: MeshError; readonly wasReused: boolean };

function attemptOnce(
  request: ClientRequest,
  call: KubeRequest & { readonly leftMs: number },
  what: string,
  clock: Clock,
): Promise<Attempt> {
  return new Promise((resolve) => {
    const fail = (error: MeshError, wasReused = false): void => {
      timer.cancel();
      request.destroy();
      resolve({ kind: 'failure', error, wasReused });
    };
    const timer = clock.after(call.leftMs, () => fail(toDeadlineError(what, call.deadlineMs)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const wasReused =
        request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      fail(toNetworkError(what, error), wasReused);
    });
    request.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > bodyBytesMax) fail(toNetworkError(what, new Error('the answer is too large')));
        else chunks.push(chunk);
      });
      response.on('error', (error) => fail(toNetworkError(what, error)));
      response.on('end', () => {
        timer.cancel();
        for (const text of toWarnings(response)) call.onWarning?.(text);
        resolve({
          kind: 'answer',
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    request.end(call.body);
  });
}

// RFC 9111 5.5 as kube-apiserver writes it: `299 - "text"`, one value each.
const warningPattern = /299 \S+ "((?:[^"\\]|\\.)*)"/g;

function toWarnings({ headers }: IncomingMessage): readonly string[] {
  const all = [...(headers.warning ?? '').matchAll(warningPattern)];
  return all.map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}

function openStream(
  open: (call: Omit<KubeRequest, 'deadlineMs'>) => Promise<ClientRequest>,
  path: string,
  sink: StreamSink,
): KubeStream {
  const what = `WATCH ${path.split('?', 1)[0] ?? ''}`;
  let request: ClientRequest | undefined;
  let isDone = false;
  const end = (error: MeshError | undefined): void => {
    if (isDone) return;
    isDone = true;
    request?.destroy();
    sink.onEnd(error);
  };
  open({ method: 'GET', path }).then(
    (opened) => {
      request = opened;
      opened.on('error', (error) => end(toNetworkError(what, error)));
      if (isDone) opened.destroy();
      else
        opened
          .on('response', (response) => readStream(response, what, { ...sink, onEnd: end }))
          .end();
    },
    (error: unknown) =>
      end(new MeshError('retryable', 'KUBE_UNAUTHORIZED', `${what}: no credentials`, error)),
  );
  return {
    cancel: () => {
      isDone = true;
      request?.destroy();
    },
  };
}

function readStream(response: IncomingMessage, what: string, sink: StreamSink): void {
  const status = response.statusCode ?? 0;
  const isGood = status === 200;
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    sink.onBytes();
    rest += text;
    if (!isGood) {
      rest = rest.slice(0, errorBodyCharactersMax);
      return;
    }
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineCharactersMax) {
      sink.onEnd(toNetworkError(what, new Error('a watch event is too large')));
      return;
    }
    for (const line of lines) if (line !== '') sink.onLine(line);
  });
  response.on('error', (error) => sink.onEnd(toNetworkError(what, error)));
  response.on('end', () => sink.onEnd(isGood ? undefined : toStatusError(what, status, rest)));
  response.on('close', () => sink.onEnd(undefined));
}
