// The TCP side of a DNS server (RFC 7766): framing, pipelining, and what a connection may cost.
// Input: bytes of connections. Output: framed replies, in whatever order they are ready.
//
//   T1. A connection lives while it is used: whoever was silent the longest makes room.
//   T2. A question begun is ended within 5 s, and a reply is taken within 30 s, or the connection
//       is cut.
//   T3. Questions are read only while there is room for their answers: who does not read is not
//       read from.

import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from './clock.ts';
import type { DnsSocketOptions, DnsStream } from './dns-sockets.ts';

export interface TcpServer {
  close(): Promise<void>;
}

// RFC 7766 6.2.3 asks for an idle limit of the order of seconds; 30 s keeps forwarders' streams.
const idleMs = 30_000;
/** From the first byte of a message to its last. */
const readMs = 5_000;
const connectionsMax = 1_000;
/** Of one address: no single asker crowds out the others. */
const connectionsPerAddressMax = 200;
const inFlightMax = 100;
// One largest message and its length: more is never waiting in either direction.
const waitingBytesMax = 2 * (65_535 + 2);
const headerBytes = 12;

export function bindTcp(options: DnsSocketOptions, port: number): Promise<TcpServer> {
  const open = new OpenConnections(options);
  const server = createServer({ noDelay: true }, (socket) => open.add(socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, options.host, () => {
      server.off('error', reject);
      server.on('error', () => options.onIncident('sendFailed'));
      resolve({ close: () => closeServer(server, open) });
    });
  });
}

function closeServer(server: Server, open: OpenConnections): Promise<void> {
  open.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** In the order of their last use. */
class OpenConnections {
  readonly #options: DnsSocketOptions;
  readonly #open = new Set<Connection>();
  readonly #perAddress = new Map<string, number>();

  constructor(options: DnsSocketOptions) {
    this.#options = options;
  }

  add(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (ofAddress >= connectionsPerAddressMax) {
      this.#options.onIncident('connectionRefused');
      socket.destroy();
      return;
    }
    this.#makeRoom();
    this.#perAddress.set(address, ofAddress + 1);
    const connection = new Connection(this.#options, socket, address, () => {
      // Used: behind all others.
      this.#open.delete(connection);
      this.#open.add(connection);
    });
    this.#open.add(connection);
    socket.on('error', () => this.#options.onIncident('connectionCut'));
    socket.on('close', () => {
      connection.stop();
      this.#open.delete(connection);
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
    });
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy();
  }

  /** T1. */
  #makeRoom(): void {
    if (this.#open.size < connectionsMax) return;
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#options.onIncident('connectionEvicted');
    this.#open.delete(oldest);
    oldest.destroy();
  }
}

class Connection {
  readonly #options: DnsSocketOptions;
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #onUse: () => void;
  readonly #streams: DnsStream[] = [];
  #waiting: Buffer = Buffer.alloc(0);
  #inFlight = 0;
  #idle: Timer | undefined;
  #reading: Timer | undefined;
  #pumping: Timer | undefined;
  #isEnded = false;

  constructor(options: DnsSocketOptions, socket: Socket, address: string, onUse: () => void) {
    this.#options = options;
    this.#clock = options.clock;
    this.#socket = socket;
    this.#address = address;
    this.#onUse = onUse;
    this.#rest();
    socket.on('data', (chunk: Buffer) => {
      this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
      this.#read();
    });
    socket.on('drain', () => {
      this.#rest();
      this.#pump();
      this.#read();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  stop(): void {
    this.#isEnded = true;
    for (const timer of [this.#idle, this.#reading, this.#pumping]) timer?.cancel();
    for (const stream of this.#streams.splice(0)) stream.end();
  }

  /** Begins the time that nothing may happen in (T2). */
  #rest(): void {
    this.#idle?.cancel();
    if (this.#isEnded) return;
    this.#idle = this.#clock.after(idleMs, () => {
      if (this.#socket.writableLength > 0) this.#options.onIncident('connectionStalled');
      this.#socket.destroy();
    });
  }

  /** T3. */
  #isBusy(): boolean {
    return (
      this.#inFlight >= inFlightMax ||
      this.#streams.length > 0 ||
      this.#socket.writableLength > waitingBytesMax
    );
  }

  #read(): void {
    while (this.#waiting.length >= 2 && !this.#isBusy() && !this.#socket.destroyed) {
      const length = this.#waiting.readUInt16BE(0);
      if (length < headerBytes) return void this.#socket.destroy(); // no header fits: not DNS
      if (this.#waiting.length < 2 + length) break;
      const request = this.#waiting.subarray(2, 2 + length);
      this.#waiting = this.#waiting.subarray(2 + length);
      this.#use();
      this.#answer(request);
    }
    this.#limitReading();
    // A paused socket leaves the asker's bytes in the system's buffers, and so slows the asker.
    if (this.#isBusy()) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #use(): void {
    this.#reading?.cancel();
    this.#reading = undefined;
    this.#rest();
    this.#onUse();
  }

  /** T2: bytes that are no whole message yet. What we do not read ourselves has time. */
  #limitReading(): void {
    const isPart = this.#waiting.length > 0 && !this.#isBusy();
    if (!isPart) {
      this.#reading?.cancel();
      this.#reading = undefined;
      return;
    }
    this.#reading ??= this.#clock.after(readMs, () => {
      this.#options.onIncident('connectionSlow');
      this.#socket.destroy();
    });
  }

  #answer(request: Uint8Array): void {
    try {
      const reply = this.#options.answer(request, 'tcp', this.#address);
      if (reply instanceof Uint8Array) this.#write(reply);
      else if (reply instanceof Promise) this.#answerLate(reply);
      else if (reply !== undefined) {
        this.#streams.push(reply);
        this.#pump();
      }
    } catch {
      this.#options.onIncident('answerFailed');
    }
  }

  #answerLate(late: Promise<Uint8Array | undefined>): void {
    this.#inFlight += 1;
    void late
      .then((reply) => (reply === undefined ? undefined : this.#write(reply)))
      .catch(() => this.#options.onIncident('answerFailed'))
      .then(() => {
        this.#inFlight -= 1;
        if (this.#inFlight === inFlightMax - 1) this.#read();
      });
  }

  /** One message of the oldest stream in each turn, while there is room. */
  #pump(): void {
    if (this.#pumping !== undefined || this.#isEnded) return;
    if (this.#streams.length === 0 || this.#socket.writableLength > waitingBytesMax) return;
    this.#pumping = this.#clock.soon(() => {
      this.#pumping = undefined;
      this.#pumpOne();
      this.#pump();
    });
  }

  #pumpOne(): void {
    const [stream] = this.#streams;
    if (stream === undefined) return;
    try {
      const message = stream.next();
      this.#rest();
      if (message !== undefined) return this.#write(message);
    } catch {
      this.#options.onIncident('answerFailed');
      this.#socket.destroy(); // half an answer must not look like a whole one
      return;
    }
    this.#streams.shift();
    stream.end();
    this.#use();
    this.#read();
  }

  #write(reply: Uint8Array): void {
    if (this.#socket.destroyed) return;
    const framed = Buffer.allocUnsafe(2 + reply.length);
    framed.writeUInt16BE(reply.length, 0);
    framed.set(reply, 2);
    this.#socket.write(framed);
  }
}
