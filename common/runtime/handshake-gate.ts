// TLS handshakes at the door. One costs the server one to two milliseconds, in two parts: the
// answer to the first message of the client, and the check of its certificate with all that an
// HTTP/2 session needs. A thousand clients that come back at once cost many short turns of the
// event loop, not one long one (I11).
//
//   D1. Who has said nothing costs no TLS and takes nobody's place; his time is bounded.
//   D2. Few handshakes begin in one turn, one where its time is used up or an answer was read, few run at
//       once, and of those that run one is answered in a turn (answer-turns.ts): near clients all answer in the
//       same moment.
//   D3. Addresses take turns: one that opens a thousand connections delays the others by one each.
//   D4. Who is slow while others wait is closed: silence holds a place only so long. Longer when
//       only connections of the same address wait: a busy client that opens two hundred at once is
//       in nobody's way but its own. What has come meanwhile is read first: a server that was late
//       itself, or has others to answer, blames nobody.
//   D5. Who leaves while he waits has no turn. Or else, when a thousand come back at once, all turns
//       go to those who have given up by then, and are at the end of the queue with another try.

import type { Http2SecureServer } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from './clock.ts';
import { AnswerTurns } from './answer-turns.ts';
import { paceTurns, type TurnShare } from './turn-pace.ts';

/** Until the first byte, and again from it until the handshake is done. */
export const handshakeMs = 10_000;

export interface HandshakeBounds {
  readonly perTurn: number;
  /** Their round trips bound how many a second. */
  readonly atOnce: number;
  /** While another address waits. A handshake is one or two round trips. */
  readonly patienceMs: number;
  /** While only its own address waits. */
  readonly ownPatienceMs: number;
}

/** A first message of TLS is some hundred bytes, with the keys of other days 2 KB. */
const saidBytesMax = 64 << 10;

/** A handshake that runs. */
interface Run {
  readonly address: string;
  readonly startMs: number;
}

interface HandshakePorts {
  readonly bounds: HandshakeBounds;
  readonly clock: Clock;
  readonly onFault: (kind: string, error?: Error) => void;
  /** Of a turn; else what follows handshakes has a time of its own. */
  readonly share?: TurnShare;
}

/** Stands between the listener and node's own taking up of a TLS connection, and after it. */
export function gateHandshakes(server: Http2SecureServer, ports: HandshakePorts): void {
  const { bounds, clock, onFault } = ports;
  const begin = takeListeners<Socket>(server, 'connection');
  const serve = takeListeners<TLSSocket>(server, 'secureConnection');
  const openings = new Map<Socket, Opening>();
  const running = new Map<string, Socket>();
  const answers = new AnswerTurns(clock);
  let answeredInTurn = false;
  const { share } = ports;
  const gate = new HandshakeGate<Socket>(bounds, clock, {
    isLate: () => answeredInTurn || (share !== undefined && share.time.usedMs() >= share.untilMs),
    isHeard: (socket) => answers.isHeard(socket),
    begin: (socket) => {
      if (socket.destroyed) return false;
      running.set(toName(socket), socket);
      openings.get(socket)?.end();
      openings.delete(socket);
      begin(socket);
      answers.add(socket);
      return true;
    },
    close: (socket) => {
      onFault('handshake');
      socket.destroy();
    },
  });
  server.on('connection', (socket: Socket) => {
    const name = toName(socket);
    const address = socket.remoteAddress ?? '';
    socket.once('close', () => {
      running.delete(name);
      openings.delete(socket);
      answers.leave(socket);
      gate.end(socket);
      gate.leave(address, socket);
    });
    openings.set(socket, new Opening(socket, ports, () => gate.add(address, socket)));
  });
  const serveSoon = paceTurns<TLSSocket>(
    clock,
    (socket) => {
      if (!socket.destroyed) serve(socket);
    },
    share,
  );
  const end = (socket: TLSSocket): void => {
    const carrier = running.get(toName(socket));
    if (carrier === undefined) return;
    answers.answered(carrier);
    gate.end(carrier);
    answeredInTurn = true;
    clock.soon(() => {
      answeredInTurn = false;
    });
  };
  server.on('secureConnection', (socket: TLSSocket) => {
    end(socket);
    serveSoon(socket);
  });
  server.on('tlsClientError', (_error, socket) => end(socket));
}

/** Takes them off the server; the function calls them. */
function takeListeners<T>(server: Http2SecureServer, event: string): (one: T) => void {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  return (one) => {
    for (const each of listeners) each.call(server, one);
  };
}

/** A TLS connection does not tell which socket is under it; both know who is at the other end. */
function toName({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** What a client says before its turn: kept, so that it is heard when the client leaves (D1, D5). */
class Opening {
  readonly #socket: Socket;
  readonly #said: Buffer[] = [];
  readonly #onReadable: () => void;
  readonly #onEnd = (): void => void this.#socket.destroy();
  #length = 0;

  constructor(socket: Socket, { clock, onFault }: HandshakePorts, onByte: () => void) {
    this.#socket = socket;
    const silent = clock.after(handshakeMs, () => {
      onFault('silent');
      socket.destroy();
    });
    socket.once('close', () => silent.cancel());
    // Until TLS has the socket nobody else listens, and an error that nobody hears ends the process.
    socket.on('error', () => undefined);
    this.#onReadable = () => {
      if (!this.#read() || this.#said.length > 1) return;
      silent.cancel();
      onByte();
    };
    socket.on('readable', this.#onReadable);
    socket.once('end', this.#onEnd);
  }

  /** Whether there was something. A client that says so much before it is answered speaks no TLS. */
  #read(): boolean {
    const bytes = this.#socket.read() as Buffer | null; // no encoding is set
    if (bytes === null) return false;
    this.#said.push(bytes);
    this.#length += bytes.length;
    if (this.#length > saidBytesMax) this.#socket.destroy();
    return true;
  }

  /** TLS takes the socket over; node hands it what the socket has. */
  end(): void {
    this.#socket.off('readable', this.#onReadable);
    this.#socket.off('end', this.#onEnd);
    this.#socket.unshift(Buffer.concat(this.#said));
  }
}

export interface HandshakeWork<T> {
  /** Whether the turn has no time for another one. */
  readonly isLate: () => boolean;
  /** False when there is nothing to begin any more. */
  readonly begin: (one: T) => boolean;
  readonly close: (one: T) => void;
  /** False while it may have said something that nobody has read. Default: all are heard. */
  readonly isHeard?: (one: T) => boolean;
}

/** D2 to D4, of whatever is to be begun. */
export class HandshakeGate<T> {
  readonly #bounds: HandshakeBounds;
  readonly #clock: Clock;
  readonly #work: HandshakeWork<T>;
  /** By address, in the order of their turns; no list is empty. */
  readonly #waiting = new Map<string, Set<T>>();
  /** The oldest first. */
  readonly #running = new Map<T, Run>();
  #isPumping = false;
  #patience: { readonly timer: Timer; readonly atMs: number } | undefined;

  constructor(bounds: HandshakeBounds, clock: Clock, work: HandshakeWork<T>) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#work = work;
  }

  /** Bounded by the connections that the listener accepts. */
  add(address: string, one: T): void {
    const waiting = this.#waiting.get(address);
    if (waiting === undefined) this.#waiting.set(address, new Set([one]));
    else waiting.add(one);
    this.#pumpSoon();
  }

  /** D5. Safe to call for one that does not wait. */
  leave(address: string, one: T): void {
    const waiting = this.#waiting.get(address);
    if (waiting?.delete(one) === true && waiting.size === 0) this.#waiting.delete(address);
  }

  /** Its handshake is over, however it ended. Safe to call twice. */
  end(one: T): void {
    if (this.#running.delete(one)) this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#isPumping || this.#waiting.size === 0) return;
    this.#isPumping = true;
    this.#clock.soon(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { perTurn, atOnce } = this.#bounds;
    const nowMs = this.#clock.monotonicMs();
    const room = Math.min(perTurn, atOnce - this.#running.size);
    for (let begun = 0; begun < room; ) {
      if (begun > 0 && this.#work.isLate()) return this.#pumpSoon();
      const next = this.#next();
      if (next === undefined) return;
      const { address, one } = next;
      this.#running.set(one, { address, startMs: nowMs });
      if (this.#work.begin(one)) begun += 1;
      else this.#running.delete(one);
    }
    if (this.#running.size >= atOnce) this.#awaitSlowest();
    else this.#pumpSoon();
  }

  /** D3: of the address whose turn it is, which is then behind the others. */
  #next(): { readonly address: string; readonly one: T } | undefined {
    for (const [address, waiting] of this.#waiting) {
      const [one] = waiting;
      this.#waiting.delete(address);
      if (one === undefined) continue;
      waiting.delete(one);
      if (waiting.size > 0) this.#waiting.set(address, waiting);
      return { address, one };
    }
    return undefined;
  }

  /** D4. Until when this one may run, as things are. */
  #deadlineMs({ address, startMs }: Run): number {
    const { patienceMs, ownPatienceMs } = this.#bounds;
    const waitsAlone = this.#waiting.size === 1 && this.#waiting.has(address);
    return startMs + (waitsAlone ? ownPatienceMs : patienceMs);
  }

  /** D4. */
  #awaitSlowest(): void {
    if (this.#waiting.size === 0) return;
    const atMs = Math.min(...[...this.#running.values()].map((run) => this.#deadlineMs(run)));
    if (this.#patience !== undefined && this.#patience.atMs <= atMs) return;
    this.#patience?.timer.cancel();
    const leftMs = Math.max(0, atMs - this.#clock.monotonicMs());
    const timer = this.#clock.after(leftMs, () => {
      this.#patience = undefined;
      this.#clock.soon(() => {
        this.#closeSlow();
        this.#pumpSoon();
      });
    });
    this.#patience = { timer, atMs };
  }

  #closeSlow(): void {
    if (this.#waiting.size === 0 || this.#running.size < this.#bounds.atOnce) return;
    const nowMs = this.#clock.monotonicMs();
    for (const [one, run] of this.#running) {
      if (this.#deadlineMs(run) > nowMs || this.#work.isHeard?.(one) === false) continue;
      this.#running.delete(one);
      this.#work.close(one);
    }
  }
}
