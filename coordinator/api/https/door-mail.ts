// How the main thread and the door's thread write to each other: what is said within a turn goes out
// together, and the bytes of it in one buffer that changes hands.
//
//   M1. What is said arrives, once and in order.
//   M2. A mail is short: who reads it can go on to other things after it (I11).
//   M3. Bytes that are said to many in one turn travel once.
//   M4. To wake the other thread costs more than most of what is said. What nobody waits for goes out
//       with what somebody does, or a little later.

import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../../common/runtime/clock.ts';

export interface Mail<T> {
  readonly items: readonly T[];
  /** Of the items that have bytes. */
  readonly bytes: ArrayBuffer | undefined;
  /** By threes: which item, where its bytes begin, how many they are. */
  readonly spans: readonly number[];
}

/** M2. To write that many to their streams takes about a millisecond. */
const itemsMax = 64;
/** More are no faster: the C library gets larger pieces from the kernel, and fresh each time. */
const bytesMax = 128 << 10;

/** M4. */
const lazyMs = 2;

/** Or parts of them, one after the other: they are joined as they are packed. */
export type Bytes = Uint8Array | readonly Uint8Array[];

export type MailPort = Pick<MessagePort, 'postMessage'>;

export class Outbox<T> {
  readonly #port: MailPort;
  readonly #clock: Pick<Clock, 'soon' | 'after'>;
  #items: T[] = [];
  #chunks: (readonly [index: number, chunk: Bytes])[] = [];
  #length = 0;
  #isPlanned = false;
  #isDelayed = false;
  readonly #onTurn: () => void;
  readonly #onDelay = (): void => {
    this.#isDelayed = false;
    this.flush();
  };

  /** What is said goes out after `turns` of the event loop. */
  constructor(port: MailPort, clock: Pick<Clock, 'soon' | 'after'>, turns: 1 | 2 = 1) {
    this.#port = port;
    this.#clock = clock;
    const flush = (): void => {
      this.#isPlanned = false;
      this.flush();
    };
    this.#onTurn = turns === 1 ? flush : () => void clock.soon(flush);
  }

  /** `bytes` are read at the end of the turn: nobody may change them until then. */
  push(item: T, bytes?: Bytes): void {
    if (bytes !== undefined) {
      this.#chunks.push([this.#items.length, bytes]);
      this.#length += lengthOf(bytes);
    }
    this.#items.push(item);
    if (this.#items.length >= itemsMax || this.#length >= bytesMax) return this.flush();
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#clock.soon(this.#onTurn);
  }

  /** M4: for what nobody waits for. */
  pushLazily(item: T): void {
    this.#items.push(item);
    if (this.#items.length >= itemsMax) return this.flush();
    if (this.#isPlanned || this.#isDelayed) return;
    this.#isDelayed = true;
    this.#clock.after(lazyMs, this.#onDelay);
  }

  /** Now. */
  flush(): void {
    if (this.#items.length === 0) return;
    const { bytes, spans } = this.#pack();
    const mail: Mail<T> = { items: this.#items, bytes, spans };
    [this.#items, this.#chunks, this.#length] = [[], [], 0];
    this.#port.postMessage(mail, bytes === undefined ? [] : [bytes]);
  }

  #pack(): Pick<Mail<T>, 'bytes' | 'spans'> {
    if (this.#chunks.length === 0) return { bytes: undefined, spans: [] };
    const offsets = new Map<Bytes, number>(); // M3
    let length = 0;
    for (const [, chunk] of this.#chunks) {
      if (offsets.has(chunk)) continue;
      offsets.set(chunk, length);
      length += lengthOf(chunk);
    }
    const bytes = Buffer.allocUnsafeSlow(length); // neither filled nor a part of another's
    for (const [chunk, offset] of offsets) copy(chunk, bytes, offset);
    const spans: number[] = [];
    for (const [index, chunk] of this.#chunks) {
      spans.push(index, offsets.get(chunk) ?? 0, lengthOf(chunk));
    }
    return { bytes: bytes.buffer as ArrayBuffer, spans }; // Node's own is never shared
  }
}

export function lengthOf(bytes: Bytes): number {
  if (bytes instanceof Uint8Array) return bytes.length;
  return bytes.reduce((sum, { length }) => sum + length, 0);
}

function copy(bytes: Bytes, into: Uint8Array, offset: number): void {
  if (bytes instanceof Uint8Array) return into.set(bytes, offset);
  let at = offset;
  for (const part of bytes) {
    into.set(part, at);
    at += part.length;
  }
}

/** A mail as it is read, item by item. */
export class MailReader<T> {
  readonly #mail: Mail<T>;
  #next = 0;
  #span = 0;

  constructor(mail: Mail<T>) {
    this.#mail = mail;
  }

  get isRead(): boolean {
    return this.#next >= this.#mail.items.length;
  }

  /** Gives the next one to `take`; the bytes are a part of a buffer that holds those of others too. */
  read(take: (item: T, bytes: Buffer | undefined) => void): void {
    const { items, bytes, spans } = this.#mail;
    const item = items[this.#next] as T; // isRead was asked
    const hasBytes = bytes !== undefined && spans[this.#span] === this.#next;
    const [offset = 0, length = 0] = [spans[this.#span + 1], spans[this.#span + 2]];
    this.#next += 1;
    if (!hasBytes) return take(item, undefined);
    this.#span += 3;
    take(item, Buffer.from(bytes, offset, length));
  }
}
