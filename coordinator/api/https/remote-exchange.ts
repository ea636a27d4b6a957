// An exchange whose connection the door has: what is said to it goes there as orders, and what the
// door reports of it comes in here.

import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { lengthOf, type Bytes, type Outbox } from './door-mail.ts';
import { toHeaderText, toLines, toRecord } from './header-text.ts';
import {
  heldBytesMax,
  type Carrier,
  type ExchangeId,
  type Order,
  type RequestReport,
} from './door-messages.ts';
import type { Answer, AnswerHeaders, Exchange } from './https-exchange.ts';

type Post = Pick<Outbox<Order>, 'push'>;

class RemoteAnswer extends EventEmitter implements Answer {
  readonly #id: ExchangeId;
  readonly #post: Post;
  destroyed = false;
  writableEnded = false;
  writableLength = 0;
  writableNeedDrain = false;

  constructor(id: ExchangeId, post: Post) {
    super();
    this.#id = id;
    this.#post = post;
  }

  write(chunk: Uint8Array): boolean {
    return this.#write(chunk, chunk.length);
  }

  writeParts(parts: readonly Uint8Array[]): boolean {
    return this.#write(parts, lengthOf(parts));
  }

  #write(bytes: Bytes, length: number): boolean {
    if (this.destroyed || this.writableEnded) return false;
    this.writableLength += length;
    this.#post.push(['write', this.#id], bytes);
    this.writableNeedDrain ||= this.writableLength >= heldBytesMax;
    return !this.writableNeedDrain;
  }

  end(chunk?: Uint8Array): void {
    if (this.destroyed || this.writableEnded) return;
    this.writableEnded = true;
    this.#post.push(['end', this.#id], chunk);
  }

  sent(bytes: number): void {
    this.writableLength -= bytes;
    if (!this.writableNeedDrain || this.writableLength > 0) return;
    this.writableNeedDrain = false;
    this.emit('drain');
  }

  close(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/** What the API has read makes room for as much. */
class RemoteBody extends Readable {
  readonly #id: ExchangeId;
  readonly #post: Post;
  #taken = 0;

  constructor(id: ExchangeId, post: Post) {
    super();
    this.#id = id;
    this.#post = post;
  }

  receive(chunk: Buffer): void {
    this.#taken += chunk.length;
    this.push(chunk);
  }

  override _read(): void {
    if (this.#taken === 0) return;
    this.#post.push(['read', this.#id, this.#taken]);
    this.#taken = 0;
  }
}

export class RemoteExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly headers: Exchange['headers'];
  readonly rawHeaders: Exchange['rawHeaders'];
  readonly version: 1 | 2;
  readonly carrier: Carrier;
  readonly body: RemoteBody | undefined;
  readonly answer: RemoteAnswer;
  readonly #id: ExchangeId;
  readonly #post: Post;
  #isAnswered = false;

  constructor(report: RequestReport, carrier: Carrier, post: Post) {
    const [, id, , version, hasBody, method, target, headers, rawHeaders] = report;
    this.method = method;
    this.target = target;
    this.headers = toRecord(toLines(headers));
    this.rawHeaders = rawHeaders;
    this.version = version;
    this.carrier = carrier;
    this.body = hasBody ? new RemoteBody(id, post) : undefined;
    this.answer = new RemoteAnswer(id, post);
    this.#id = id;
    this.#post = post;
  }

  writeHead(status: number, headers: AnswerHeaders, isWhole: boolean): void {
    if (this.#isAnswered || this.answer.destroyed) return;
    this.#isAnswered = true;
    this.#post.push(['head', this.#id, status, toHeaderText(headers), isWhole]);
  }

  flushHead(): void {
    this.#post.push(['flushHead', this.#id]);
  }

  isAnswered(): boolean {
    return this.#isAnswered;
  }

  isLeft(): boolean {
    return this.answer.destroyed;
  }

  endWhenSent(): void {
    this.#post.push(['endWhenSent', this.#id]);
  }

  abandon(): void {
    this.#post.push(['abandon', this.#id]);
  }

  /** It is over, as the door says: the client is gone, or has its answer. */
  close(): void {
    this.answer.close();
    if (this.body?.readableEnded === false) this.body.destroy();
  }
}
