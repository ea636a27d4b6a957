// Answers on their way out: whole ones, compressed ones, streamed lists, and watches.
//
//   W1. No answer is encrypted, compressed or copied in one long turn: long ones go out in slices,
//       each after the one before was taken; gzip runs in libuv's pool (I11).

import { promisify } from 'node:util';
import { constants as zlib, createGzip, gzip } from 'node:zlib';
import type { Clock } from '../../../common/runtime/clock.ts';
import { discardRest, type Answer, type AnswerHeaders, type Exchange } from './https-exchange.ts';
import type { ApiResponse, BodySink } from '../machinery/api.ts';

// As kube-apiserver: below this, compressing costs more than it saves.
const gzipBytesMin = 128 * 1024;
const gzipOptions = { level: zlib.Z_BEST_SPEED } as const; // as kube-apiserver
const gzipWhole = promisify(gzip);
// Encrypting this much takes well under a millisecond.
const sliceBytes = 1 << 18;

/** kube-apiserver knows the bare word only: `gzip;q=0` is not it, nor is `gzip;q=1`. */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  return header.split(',').some((token) => token.trim() === 'gzip');
}

export async function sendWhole(
  exchange: Exchange,
  { status, headers, body }: ApiResponse & { readonly body: Uint8Array },
): Promise<void> {
  const { answer } = exchange;
  if (body.length <= gzipBytesMin || !acceptsGzip(exchange.headers['accept-encoding'])) {
    const head = { ...headers, 'content-length': String(body.length) };
    const isWhole = body.length === 0 || exchange.method === 'HEAD';
    exchange.writeHead(status, head, isWhole);
    if (isWhole || answer.destroyed) return;
    if (body.length <= sliceBytes) answer.end(body);
    else await sendSlices(answer, body);
    return;
  }
  const packed = await gzipWhole(body, gzipOptions);
  const head = { ...toGzipHeaders(headers), 'content-length': String(packed.length) };
  exchange.writeHead(status, head, false);
  if (!answer.destroyed) await sendSlices(answer, packed);
}

/** The answer to a request whose body was not read, and will not be. */
export async function sendAndRefuseBody(
  exchange: Exchange,
  response: ApiResponse & { readonly body: Uint8Array },
  clock: Clock,
): Promise<void> {
  const { answer, body } = exchange;
  const { status, headers } = response;
  const length = { 'content-length': String(response.body.length) };
  if (exchange.version === 2) {
    exchange.writeHead(status, { ...headers, ...length }, false);
    answer.end(response.body);
    return exchange.endWhenSent();
  }
  // An unread body would be taken for the next request.
  exchange.writeHead(status, { ...headers, ...length, connection: 'close' }, false);
  answer.write(response.body);
  if (body !== undefined) await discardRest(body, clock);
  answer.end();
}

/** What the answer depends on already (its form) stays said, or a cache mixes the forms up. */
function toGzipHeaders(headers: AnswerHeaders): AnswerHeaders {
  const vary = [headers['vary'] ?? [], 'Accept-Encoding'].flat().join(', ');
  return { ...headers, 'content-encoding': 'gzip', vary };
}

/** W1. */
async function sendSlices(answer: Answer, body: Uint8Array): Promise<void> {
  let at = 0;
  while (body.length - at > sliceBytes) {
    const isTaken = answer.write(body.subarray(at, at + sliceBytes));
    at += sliceBytes;
    if (!isTaken) await untilDrained(answer);
    if (answer.destroyed) return;
  }
  answer.end(body.subarray(at));
}

/** Resolves when what was written is taken, or when the client is gone. */
function untilDrained(answer: Answer): Promise<void> {
  // One that has ended needs no drain, and is not taken before it is closed.
  const isTaken = !answer.writableNeedDrain && !answer.writableEnded;
  if (answer.destroyed || isTaken) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      answer.off('drain', done);
      answer.off('close', done);
      resolve();
    };
    answer.once('drain', done);
    answer.once('close', done);
  });
}

/** A watch's head goes out at once, even when its first event is an hour away. */
export function openWatch(exchange: Exchange, response: ApiResponse): BodySink {
  exchange.writeHead(response.status, response.headers, false);
  exchange.flushHead();
  return toSink(exchange.answer, exchange);
}

/** A long list in pieces: compressed for who takes that. */
export function openList(exchange: Exchange, response: ApiResponse): BodySink {
  const { status, headers } = response;
  const isPacked = acceptsGzip(exchange.headers['accept-encoding']);
  exchange.writeHead(status, isPacked ? toGzipHeaders(headers) : headers, false);
  const { answer } = exchange;
  return toSink(isPacked ? packInto(answer, exchange) : answer, exchange);
}

/** Ends and is destroyed with `answer`, so that nothing compresses for a client that is gone. */
function packInto(answer: Answer, exchange: Exchange): Answer {
  const packer = createGzip(gzipOptions);
  answer.once('close', () => packer.destroy());
  packer.on('error', () => exchange.abandon());
  packer.on('data', (chunk: Buffer) => {
    if (answer.write(chunk)) return;
    packer.pause();
    answer.once('drain', () => packer.resume());
  });
  packer.once('end', () => answer.end());
  return packer;
}

function toSink(answer: Answer, exchange: Exchange): BodySink {
  return {
    write: (chunk) => {
      if (!answer.destroyed && !answer.writableEnded) answer.write(chunk);
    },
    writeParts: (parts) => {
      if (answer.destroyed || answer.writableEnded) return;
      if (answer.writeParts === undefined) answer.write(Buffer.concat(parts));
      else answer.writeParts(parts);
    },
    bufferedBytes: () => answer.writableLength,
    drained: () => untilDrained(answer),
    end: () => {
      if (!answer.destroyed) answer.end();
    },
    fail: () => exchange.abandon(),
  };
}
