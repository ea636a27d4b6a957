// One HTTP exchange of the SDK, over node:http. The SDK's own transport has no deadline that holds
// and cannot tell a request that never left from one without an answer; this one can.
//
//   X1. `onSent` is called before the first byte of a request leaves, and never where the
//       connection was not made: what failed without it has changed nothing.
//   X2. A body over `bodyBytesMax` ends the exchange; a page of 300 sets has some 100 KiB.

import { Agent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as requestHttps } from 'node:https';
import type { Clock } from '../../../common/runtime/clock.ts';

const bodyBytesMax = 8 * 2 ** 20;
/** A server that is there accepts within a few round trips. */
const connectTimeoutMs = 5_000;
/** For exchanges that the SDK makes by itself, for credentials. */
const exchangeTimeoutMs = 15_000;
// AWS closes idle connections after some 20 s; ours go first, so that no request meets a closed one.
const idleMs = 10_000;

/** What the SDK hands to its transport. */
export interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface SdkResponse {
  readonly response: {
    readonly statusCode: number;
    readonly reason?: string;
    readonly headers: Record<string, string>;
    readonly body: Uint8Array;
  };
}

export interface ExchangeHints {
  readonly abortSignal?: AbortSignal;
  readonly onSent?: () => void;
}

export interface Exchange {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: SdkRequest, hints?: ExchangeHints): Promise<SdkResponse>;
  destroy(): void;
  // The SDK asks for these two; nothing here is to be configured.
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

export function createExchange(clock: Clock): Exchange {
  const options = { keepAlive: true, maxSockets: 8, timeout: idleMs };
  const [plain, tls] = [new Agent(options), new TlsAgent(options)];
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request, hints = {}) => exchange(request, hints, { clock, plain, tls }),
    destroy: () => {
      plain.destroy();
      tls.destroy();
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

function exchange(
  sdkRequest: SdkRequest,
  { abortSignal, onSent }: ExchangeHints,
  { clock, plain, tls }: { readonly clock: Clock; readonly plain: Agent; readonly tls: TlsAgent },
): Promise<SdkResponse> {
  return new Promise((resolve, reject) => {
    if (abortSignal?.aborted === true) {
      reject(abortSignal.reason as Error);
      return;
    }
    const { protocol, hostname, port, method, headers } = sdkRequest;
    const isTls = protocol !== 'http:';
    const request = (isTls ? requestHttps : requestHttp)({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      ...(port === undefined ? {} : { port }),
      method,
      path: toPath(sdkRequest),
      headers,
      agent: isTls ? tls : plain,
    });
    const end = (error: Error): void => void request.destroy(error);
    const overall = clock.after(exchangeTimeoutMs, () => end(new Error('no answer in 15 s')));
    const connecting = clock.after(connectTimeoutMs, () => end(new Error('no connection in 5 s')));
    const onAbort = (): void => end(abortSignal?.reason as Error);
    abortSignal?.addEventListener('abort', onAbort, { once: true });
    request.once('close', () => {
      overall.cancel();
      connecting.cancel();
      abortSignal?.removeEventListener('abort', onAbort);
    });
    request.once('error', reject);
    request.once('socket', (socket) => {
      const connected = (): void => {
        connecting.cancel();
        onSent?.();
      };
      if (request.reusedSocket || !socket.connecting) connected();
      else socket.once(isTls ? 'secureConnect' : 'connect', connected);
    });
    request.once('response', (response) => {
      readBody(response).then((body) => resolve(toSdkResponse(response, body)), reject);
    });
    request.end(sdkRequest.body as string | Uint8Array | undefined); // the SDK's body is one of these
  });
}

function toPath({ path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    [value ?? ''].flat().map((each) => `${escapeQuery(key)}=${escapeQuery(each)}`),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

/** As the signature has it: RFC 3986, of which encodeURIComponent leaves out five. */
function escapeQuery(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function readBody(response: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > bodyBytesMax) {
      response.destroy();
      throw new Error(`an answer of more than ${bodyBytesMax} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function toSdkResponse(response: IncomingMessage, body: Uint8Array): SdkResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return {
    response: {
      statusCode: response.statusCode ?? 0,
      reason: response.statusMessage ?? '',
      headers,
      body,
    },
  };
}
