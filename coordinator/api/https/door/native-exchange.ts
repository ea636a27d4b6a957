// One HTTP exchange, in one shape for both protocols, as Node has it: what is read from a request,
// and how an answer is written. HTTP/2 is spoken to its streams, not through node's imitation of
// HTTP/1.1, which costs a third more per request.

import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants as http2,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

export interface NativeExchange {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly target: string;
  /** Names in lower case; repeated ones joined by a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Name and value by turns, each line as it came. */
  readonly rawHeaders: readonly string[];
  readonly version: 1 | 2;
  /** The session or the socket that carries it. */
  readonly carrier: EventEmitter & { readonly destroyed: boolean };
  socket(): Socket | undefined;
  /** Undefined when the headers said that there is none. */
  readonly body: Readable | undefined;
  readonly answer: Writable;
  /** Status and headers, name and value by turns, once. `isWhole`: no body follows. */
  writeHead(status: number, headers: readonly string[], isWhole: boolean): void;
  /** Sends the head now, and not with the first of the body. */
  flushHead(): void;
  /** HTTP/2: closes the stream once the answer is out, whatever the client still sends. */
  endWhenSent(): void;
  /** Ends the exchange without (the rest of) an answer. */
  abandon(): void;
}

// Classes, not objects of closures: of these one is made per request, and ten closures each were
// a fifth of all garbage.
export class Http2Exchange implements NativeExchange {
  readonly method: string;
  readonly target: string;
  readonly headers: NativeExchange['headers'];
  readonly rawHeaders: readonly string[];
  readonly version = 2;
  readonly carrier: NativeExchange['carrier'];
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
    this.headers = headers as NativeExchange['headers']; // of all headers only set-cookie is a list
    this.carrier = stream.session ?? stream;
    this.body = stream.endAfterHeaders ? undefined : stream;
    this.answer = stream;
  }

  socket(): Socket | undefined {
    return this.answer.session?.socket;
  }

  writeHead(status: number, headers: readonly string[], isWhole: boolean): void {
    const stream = this.answer;
    if (stream.destroyed || stream.headersSent) return;
    const head: OutgoingHttpHeaders = { ':status': status };
    addHeaders(head, headers);
    stream.respond(head, isWhole ? whole : undefined);
  }

  flushHead(): void {
    // respond() sent it.
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

/** A name that comes again becomes a list. */
function addHeaders(head: OutgoingHttpHeaders, lines: readonly string[]): void {
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [name = '', value = ''] = [lines[at], lines[at + 1]];
    const known = head[name];
    head[name] = known === undefined ? value : [known, value].flat().map(String);
  }
}

export class Http1Exchange implements NativeExchange {
  readonly method: string;
  readonly target: string;
  readonly headers: NativeExchange['headers'];
  readonly version = 1;
  readonly carrier: NativeExchange['carrier'];
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

  socket(): Socket {
    return this.#request.socket;
  }

  writeHead(status: number, headers: readonly string[], isWhole: boolean): void {
    const response = this.answer;
    if (response.headersSent || response.destroyed) return;
    response.statusCode = status;
    const head: OutgoingHttpHeaders = {};
    addHeaders(head, headers);
    for (const name in head) response.setHeader(name, head[name] ?? '');
    if (isWhole) response.end();
  }

  flushHead(): void {
    this.answer.flushHeaders();
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
