// One HTTP exchange, in one shape for both protocols: what is read from a request, and how an
// answer is written. HTTP/2 is spoken to its streams, not through node's imitation of HTTP/1.1,
// which costs a third more per request.

import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants as http2,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { ApiResponse } from '../machinery/api.ts';

export interface Exchange {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly target: string;
  /** Names in lower case; repeated ones joined by a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Name and value by turns, each line as it came. */
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string | undefined;
  readonly version: 1 | 2;
  /** The connection or session that carries it, by which its certificate is known. */
  readonly carrier: object;
  socket(): unknown;
  /** Undefined when the headers said that there is none. */
  readonly body: Readable | undefined;
  readonly answer: Writable;
  /** Status and headers, once. `isWhole`: no body follows. */
  writeHead(status: number, headers: AnswerHeaders, isWhole: boolean): void;
  /** Sends the head now, and not with the first of the body. */
  flushHead(): void;
  isAnswered(): boolean;
  /** The client is gone, or has reset the stream. */
  isLeft(): boolean;
  /** HTTP/2: closes the stream once the answer is out, whatever the client still sends. */
  endWhenSent(): void;
  /** Ends the exchange without (the rest of) an answer. */
  abandon(): void;
}

export type AnswerHeaders = ApiResponse['headers'];

// Classes, not objects of closures: of these one is made per request, and ten closures each were
// a fifth of all garbage.
export class Http2Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly headers: Exchange['headers'];
  readonly rawHeaders: readonly string[];
  readonly version = 2;
  readonly carrier: object;
  readonly body: Readable | undefined;
  readonly answer: ServerHttp2Stream;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ) {
    this.rawHeaders = rawHeaders;
    this.method = toText(headers[':method']);
    this.target = toText(headers[':path']);
    this.headers = headers as Exchange['headers']; // of all headers only set-cookie is a list
    this.carrier = stream.session ?? stream;
    this.body = stream.endAfterHeaders ? undefined : stream;
    this.answer = stream;
  }

  get remoteAddress(): string | undefined {
    return this.answer.session?.socket.remoteAddress;
  }

  socket(): unknown {
    return this.answer.session?.socket;
  }

  writeHead(status: number, headers: AnswerHeaders, isWhole: boolean): void {
    const stream = this.answer;
    if (stream.destroyed || stream.headersSent) return;
    const head: OutgoingHttpHeaders = { ':status': status };
    for (const name in headers) head[name] = toHeaderValue(headers[name]);
    stream.respond(head, isWhole ? whole : undefined);
  }

  flushHead(): void {
    // respond() sent it.
  }

  isAnswered(): boolean {
    return this.answer.headersSent;
  }

  isLeft(): boolean {
    return this.answer.destroyed || this.answer.aborted;
  }

  /** RFC 9113 8.1: the answer is complete, the rest of the request is not wanted. */
  endWhenSent(): void {
    this.answer.close(http2.NGHTTP2_NO_ERROR);
  }

  abandon(): void {
    // One that waits until its answer is taken (endWhenSent) would not be closed a second time.
    if (this.answer.closed) this.answer.destroy();
    else this.answer.close(http2.NGHTTP2_INTERNAL_ERROR);
  }
}

const whole = { endStream: true };

function toText(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}

function toHeaderValue(value: string | readonly string[] | undefined): string | string[] {
  return typeof value === 'string' ? value : [...(value ?? [])];
}

export class Http1Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly headers: Exchange['headers'];
  readonly version = 1;
  readonly carrier: object;
  readonly body: Readable | undefined;
  readonly answer: ServerResponse;
  readonly #request: IncomingMessage;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.method = request.method ?? '';
    this.target = request.url ?? '';
    this.headers = joinHeaders(request);
    this.carrier = request.socket;
    this.body = hasBody(request) ? request : undefined;
    this.answer = response;
    this.#request = request;
    if (this.body === undefined) request.resume();
  }

  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }

  get remoteAddress(): string | undefined {
    return this.#request.socket.remoteAddress;
  }

  socket(): unknown {
    return this.#request.socket;
  }

  writeHead(status: number, headers: AnswerHeaders, isWhole: boolean): void {
    const response = this.answer;
    if (response.headersSent || response.destroyed) return;
    response.statusCode = status;
    for (const name in headers) response.setHeader(name, toHeaderValue(headers[name]));
    if (isWhole) response.end();
  }

  flushHead(): void {
    this.answer.flushHeaders();
  }

  isAnswered(): boolean {
    return this.answer.headersSent;
  }

  isLeft(): boolean {
    return this.answer.destroyed;
  }

  endWhenSent(): void {
    // The connection ends with the answer: its headers said so.
  }

  abandon(): void {
    this.#request.destroy();
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function joinHeaders(request: IncomingMessage): Readonly<Record<string, string | undefined>> {
  const headers: Record<string, string | undefined> = {};
  for (const name in request.headers) {
    const value = request.headers[name];
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/** Whether the client still waits. Only watches ask for the signal, so only they pay for one. */
export class Presence {
  #controller: AbortController | undefined;
  isOver = false;
  /** Counted among those that were let in. */
  isAdmitted = false;
  onEnd: (() => void) | undefined;

  signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isOver) this.#controller.abort(clientGone);
    return this.#controller.signal;
  }

  end(): void {
    this.isOver = true;
    this.#controller?.abort(clientGone);
    this.onEnd?.();
  }
}

const clientGone = new Error('the client is gone');

export const emptyBody = Buffer.alloc(0);

/** Resolves once: with the whole body, or as soon as it is too long or the client is gone. */
export function readBody(
  { body, headers }: Exchange,
  bytesMax: number,
): Promise<Buffer | 'large' | 'gone'> | Buffer | 'large' {
  if (body === undefined) return emptyBody;
  if (Number(headers['content-length'] ?? 0) > bytesMax) return 'large';
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= bytesMax) return;
      chunks = [];
      body.off('data', onData);
      body.pause(); // the client is stopped by its window until it reads the refusal
      resolve('large');
    };
    body.on('data', onData);
    body.once('end', () => resolve(joinChunks(chunks)));
    body.once('close', () => resolve('gone'));
    body.once('error', () => resolve('gone'));
  });
}

function joinChunks(chunks: readonly Buffer[]): Buffer {
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

// As Go's server: a socket that is closed with unread bytes is reset, and the reset overtakes the
// answer. So over HTTP/1.1 the rest is read for a moment and forgotten, within bounds.
const discardMs = 500;
const discardBytesMax = 16 << 20;

/** Resolves when the rest of an unwanted body is read, or enough of it. */
export function discardRest(body: Readable, clock: Clock): Promise<void> {
  if (body.readableEnded || body.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let length = 0;
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    const timer = clock.after(discardMs, done);
    body.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > discardBytesMax) done();
    });
    for (const event of ['end', 'close', 'error']) body.once(event, done);
    body.resume();
  });
}
