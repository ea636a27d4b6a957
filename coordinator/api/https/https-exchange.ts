// One HTTP exchange as the API's thread sees it, in one shape for both protocols: what is read from a
// request, and how an answer is written.

import type { Readable } from 'node:stream';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Carrier } from './door-messages.ts';
import type { ApiResponse } from '../machinery/api.ts';

export interface Exchange {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly target: string;
  /** Names in lower case; repeated ones joined by a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Name and value by turns, each line as it came; known where somebody is impersonated. */
  readonly rawHeaders: readonly string[] | undefined;
  readonly version: 1 | 2;
  /** The same object for all exchanges of a connection. */
  readonly carrier: Carrier;
  /** Undefined when the headers said that there is none. */
  readonly body: Readable | undefined;
  readonly answer: Answer;
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

/** What the API needs of a Writable. */
export interface Answer {
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  /** Bytes that are not on their way to the client. */
  readonly writableLength: number;
  readonly writableNeedDrain: boolean;
  /** False: `drain` says when all of it is on its way. */
  write(chunk: Uint8Array): boolean;
  /** As one write of all of them. */
  writeParts?(parts: readonly Uint8Array[]): boolean;
  end(chunk?: Uint8Array): void;
  once(event: 'drain' | 'close', listener: () => void): void;
  off(event: 'drain' | 'close', listener: () => void): void;
}

export type AnswerHeaders = ApiResponse['headers'];

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

/** To join them, or to make text of them, takes a part of a millisecond that counts. */
const longBytes = 256 << 10;

/**
 * Resolves once: with the whole body, or as soon as it is too long or the client is gone. A long one
 * is joined in a turn of its own, and whoever waits for it has the next one (I11): in the turn in
 * which its end arrives much of it has been read.
 */
export function readBody(
  { body, headers }: Exchange,
  bytesMax: number,
  ownTurn: () => Promise<void>,
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
    const onGone = (): void => resolve('gone');
    body.on('data', onData);
    body.once('end', () => {
      body.off('close', onGone); // which follows an end as well
      if (length < longBytes) resolve(joinChunks(chunks));
      else void joinInTurns(chunks, ownTurn).then(resolve);
    });
    body.once('close', onGone);
    body.once('error', onGone);
  });
}

async function joinInTurns(
  chunks: readonly Buffer[],
  ownTurn: () => Promise<void>,
): Promise<Buffer> {
  await ownTurn();
  const joined = joinChunks(chunks);
  await ownTurn();
  return joined;
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
