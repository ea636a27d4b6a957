// The exchanges that are open at the door: hands them to the main thread, and does with them what
// that orders.
//
//   K1. Few requests are on their way to the main thread; the others wait here, in the order in
//       which they came. Who leaves while he waits is not handed over.
//   K2. Of a body few bytes are on their way; its client is stopped by its window meanwhile.
//   K3. An order for an exchange that is over does nothing.
//   K4. What is written to one passes the gate of its connection (send-gate.ts), in order; to give it up does not.

import { assertNever } from '../../../../common/pure/errors.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import type { TurnShare } from '../../../../common/runtime/turn-pace.ts';
import type { Outbox } from '../door-mail.ts';
import {
  bodyAheadBytes,
  heldBytesMax,
  requestsAheadMax,
  type ExchangeId,
  type Order,
  type Report,
} from '../door-messages.ts';
import { SlotNumbers, Slots } from '../exchange-slots.ts';
import { toHeaderText, toLines } from '../header-text.ts';
import type { NativeExchange } from './native-exchange.ts';
import { readPeer } from './peer-certificate.ts';
import { SendGate } from './send-gate.ts';
import { trustOf } from './trust.ts';

export type ExchangeOrder = Exclude<
  Order,
  readonly ['tls' | 'drain' | 'destroy' | 'ping', ...unknown[]]
>;

export interface DeskPorts {
  readonly outbox: Outbox<Report>;
  readonly onFault: (fault: string, error?: Error) => void;
  readonly clock: Pick<Clock, 'after' | 'soon'>;
  /** Of a turn, for what waited at the gates of connections. */
  readonly sendShare: TurnShare;
}

/** A connection. */
interface Line {
  readonly number: number;
  readonly gate: SendGate;
}

class Visit {
  readonly exchange: NativeExchange;
  gate: SendGate | undefined;
  id: ExchangeId | undefined;
  isOver = false;
  /** Bytes of the body that may still be sent. */
  bodyRoom = bodyAheadBytes;

  constructor(exchange: NativeExchange) {
    this.exchange = exchange;
  }
}

export class Desk {
  readonly #ports: DeskPorts;
  readonly #visits = new Slots<Visit>();
  readonly #numbers = new SlotNumbers();
  readonly #lines = new WeakMap<NativeExchange['carrier'], Line>();
  #linesSeen = 0;
  #room = requestsAheadMax;
  #waiting: Visit[] = []; // bounded by the streams of all connections
  #next = 0; // of those waiting

  constructor(ports: DeskPorts) {
    this.#ports = ports;
  }

  /** K1. */
  open(exchange: NativeExchange): void {
    const visit = new Visit(exchange);
    exchange.answer.once('close', () => this.#close(visit));
    if (this.#room === 0) this.#waiting.push(visit);
    else this.#try(visit, () => this.#hand(visit));
  }

  follow(order: ExchangeOrder, bytes: Buffer | undefined): void {
    if (order[0] === 'taken') return this.#admit(order[1]);
    const visit = this.#visits.get(order[1]);
    if (visit === undefined) return; // K3
    if (!isSent(order) || visit.gate?.isShut() !== true) return this.#act(visit, order, bytes);
    const kept = bytes === undefined ? undefined : keep(bytes);
    visit.gate.wait(() => this.#act(visit, order, kept)); // K4
  }

  #act(visit: Visit, order: VisitOrder, bytes: Buffer | undefined): void {
    this.#try(visit, () => act(visit, order, bytes, this.#ports.outbox));
  }

  /** What is wrong with one exchange ends that and no other. */
  #try({ exchange }: Visit, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#ports.onFault('exchange', error instanceof Error ? error : undefined);
      exchange.abandon();
    }
  }

  #admit(count: number): void {
    this.#room += count;
    for (;;) {
      const visit = this.#waiting[this.#next];
      if (visit === undefined || this.#room === 0) break;
      this.#next += 1;
      if (!visit.isOver) this.#try(visit, () => this.#hand(visit));
    }
    if (this.#next < requestsAheadMax && this.#next < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }

  #hand(visit: Visit): void {
    const { exchange } = visit;
    if (exchange.carrier.destroyed) return exchange.abandon();
    const { version, method, target, headers, body, rawHeaders } = exchange;
    const text = toHeaderText(headers);
    const lines = text.includes('impersonate-') ? rawHeaders : undefined;
    const about = [version, body !== undefined, method, target, text, lines] as const;
    const line = this.#lineOf(exchange);
    const id = this.#numbers.take();
    if (id === undefined) return exchange.abandon();
    visit.id = id;
    visit.gate = line.gate;
    this.#visits.put(id, visit);
    this.#room -= 1;
    this.#ports.outbox.push(['request', id, line.number, ...about]);
    if (body !== undefined) this.#sendBody(visit, id, body);
  }

  #sendBody(visit: Visit, id: ExchangeId, body: NonNullable<NativeExchange['body']>): void {
    const { outbox } = this.#ports;
    body.on('data', (chunk: Buffer) => {
      if (visit.isOver) return;
      visit.bodyRoom -= chunk.length;
      outbox.push(['body', id], chunk);
      if (visit.bodyRoom <= 0) body.pause(); // K2
    });
    body.once('end', () => {
      if (!visit.isOver) outbox.push(['bodyEnd', id]);
    });
  }

  #lineOf(exchange: NativeExchange): Line {
    const { carrier } = exchange;
    const known = this.#lines.get(carrier);
    if (known !== undefined) return known;
    const { outbox, clock, sendShare } = this.#ports;
    this.#linesSeen += 1;
    const line = { number: this.#linesSeen, gate: new SendGate(clock, sendShare) };
    const socket = exchange.socket();
    const facts = {
      remoteAddress: socket?.remoteAddress,
      peer: readPeer(socket),
      trust: trustOf(socket),
    };
    this.#lines.set(carrier, line);
    outbox.push(['carrier', line.number, facts]);
    carrier.once('close', () => {
      line.gate.close();
      outbox.pushLazily(['carrierGone', line.number]);
    });
    return line;
  }

  #close(visit: Visit): void {
    visit.isOver = true;
    const { id } = visit;
    if (id === undefined || !this.#visits.delete(id)) return;
    this.#numbers.giveBack(id);
    this.#ports.outbox.pushLazily(['closed', id]);
  }
}

type VisitOrder = Exclude<ExchangeOrder, readonly ['taken', number]>;

/** Whether it is part of the body, or comes behind it. */
function isSent(order: VisitOrder): boolean {
  return order[0] === 'write' || order[0] === 'end' || order[0] === 'endWhenSent';
}

/** What a slow client has not taken shall not keep what others have. */
function keep(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength < 2 * bytes.length ? bytes : Buffer.from(bytes);
}

function act(
  visit: Visit,
  order: VisitOrder,
  bytes: Buffer | undefined,
  outbox: Outbox<Report>,
): void {
  const { exchange } = visit;
  switch (order[0]) {
    case 'read':
      visit.bodyRoom += order[2];
      if (visit.bodyRoom > 0) exchange.body?.resume();
      return;
    case 'head':
      return exchange.writeHead(order[2], toLines(order[3]), order[4]);
    case 'flushHead':
      return exchange.flushHead();
    case 'write':
      return write(visit, order[1], bytes, outbox);
    case 'end':
      return end(visit, bytes);
    case 'endWhenSent':
      return exchange.endWhenSent();
    case 'abandon':
      return exchange.abandon();
    default:
      return assertNever(order);
  }
}

function write(
  { exchange: { answer }, gate }: Visit,
  id: ExchangeId,
  bytes: Buffer | undefined,
  outbox: Outbox<Report>,
): void {
  if (bytes === undefined || answer.destroyed || answer.writableEnded) return;
  const { length } = bytes;
  const underWay = gate?.begin(length);
  answer.write(answer.writableLength === 0 ? bytes : keep(bytes), () => {
    if (underWay !== undefined) gate?.end(underWay, length);
    // Who wrote much waits until it is gone; who wrote an event does not.
    if (length < heldBytesMax) outbox.pushLazily(['sent', id, length]);
    else outbox.push(['sent', id, length]);
  });
}

/** Most answers are shorter, and as good as sent. */
const countedBytesMin = 4 << 10;

function end({ exchange: { answer }, gate }: Visit, bytes: Buffer | undefined): void {
  if (answer.destroyed || answer.writableEnded) return;
  if (bytes === undefined || bytes.length < countedBytesMin || gate === undefined) {
    answer.end(bytes);
    return;
  }
  const underWay = gate.begin(bytes.length);
  answer.end(bytes, () => gate.end(underWay, bytes.length));
}
