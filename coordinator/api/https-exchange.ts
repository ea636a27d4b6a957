// One HTTP exchange, of either protocol: what is read from a request, and how an answer is written.

import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { constants as zlibConstants, gzip } from 'node:zlib';
import type { Clock } from '../../common/runtime/clock.ts';
import type { ApiResponse, BodySink } from './machinery/api.ts';
import type { Credentials } from './machinery/access/authenticate.ts';

export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

/** Whether the client still waits. Only watches ask for the signal, so only they pay for one. */
export class Presence {
  #controller: AbortController | undefined;
  isOver = false;

  signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isOver) this.#controller.abort(clientGone);
    return this.#controller.signal;
  }

  end(): void {
    this.isOver = true;
    this.#controller?.abort(clientGone);
  }
}

const clientGone = new Error('the client is gone');

export function toHeaders(request: Request): Readonly<Record<string, string | undefined>> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

export function readCertificate(socket: unknown): Credentials['certificate'] {
  // An HTTP/2 session hands out a proxy of its socket, which instanceof sees through.
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerCertificate();
  const subject: Readonly<Record<string, string | string[] | undefined>> = {
    ...certificate.subject,
  };
  if (Object.keys(certificate).length === 0) return undefined;
  if (!socket.authorized) return 'invalid';
  return { commonName: toList(subject['CN'])[0] ?? '', organizations: toList(subject['O']) };
}

function toList(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** Resolves once: with the whole body, or as soon as it is too long or the client is gone. */
export function readBody(request: Request, bytesMax: number): Promise<Buffer | 'large' | 'gone'> {
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

// As Go's server: a socket that is closed with unread bytes is reset, and the reset overtakes the
// answer. So the rest is read for a moment, within bounds.
const discardMs = 500;
const discardBytesMax = 16 << 20;

/** Resolves when the rest of an unwanted body is read, or enough of it. */
export function discardRest(request: Request, clock: Clock): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let length = 0;
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    const timer = clock.after(discardMs, done);
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > discardBytesMax) done();
    });
    for (const event of ['end', 'close', 'error']) request.once(event, done);
  });
}

// As kube-apiserver: below this, compressing costs more than it saves.
const gzipBytesMin = 128 * 1024;
const gzipAsync = promisify(gzip);

export async function pack(request: Request, headers: ApiResponse['headers'], body: Uint8Array) {
  const accepted = request.headers['accept-encoding'];
  const wantsGzip = typeof accepted === 'string' && /\bgzip\b/.test(accepted);
  if (!wantsGzip || body.length < gzipBytesMin) return { headers, body };
  const packed = await gzipAsync(body, { level: zlibConstants.Z_BEST_SPEED });
  // What the answer depends on already (its form) stays said, or a cache mixes the forms up.
  const vary = [headers['vary'] ?? [], 'Accept-Encoding'].flat().join(', ');
  return { headers: { ...headers, 'content-encoding': 'gzip', vary }, body: packed };
}

/** Two protocols, one shape: the overloads of the two responses cannot be called as a union. */
export function writeHead(
  response: Response,
  status: number,
  headers: ApiResponse['headers'],
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
}

/** A watch's head goes out at once, even when its first event is an hour away. */
export function flushHead(response: Response, status: number): void {
  if ('stream' in response) response.writeHead(status);
  else response.flushHeaders();
}

export function toSink(response: Response): BodySink {
  // Of an HTTP/2 response the stream holds the buffer; of an HTTP/1.1 one the response itself.
  const buffered =
    'stream' in response ? () => response.stream.writableLength : () => response.writableLength;
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
