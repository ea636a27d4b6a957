// A TLS connection as HTTP/2 reads it: a little at a time, when the turn of the event loop has
// time for it. Node reads everything that came on all connections in one turn, and a stream costs
// twenty bytes of the client and some 20 us of ours: a thousand at once were turns of 20 ms.
//
//   K1. What came is handed on in slices, each when its turn comes (common/runtime/turn-pace.ts).
//       A lone request is handed on where it arrives.
//   K2. While something waits to be handed on, nothing more is read: the kernel's window stops the
//       client. So at most one read of a connection waits.
//   K3. A write is done when the kernel has it, so that HTTP/2 sees how slow its client is.
//   K4. When the client leaves, so does the connection, in a turn that has time for it: what is
//       under way to a peer who left is nobody's.

import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** Calls `act` now, or in a turn that has time for it. */
export type Pace = (act: () => void) => void;

export interface CarrierPaces {
  readonly read: Pace;
  readonly end: Pace;
}

/** Of headers, after a connection's first ones, some forty requests. */
const sliceBytes = 2 << 10;

export class Http2Carrier extends Duplex {
  /** By which node knows what to speak. */
  readonly alpnProtocol = 'h2';
  readonly encrypted = true;
  readonly tls: TLSSocket;
  readonly #paces: CarrierPaces;
  readonly #chunks: Buffer[] = [];
  /** HTTP/2 takes more. */
  #isWanted = true;
  #isPlanned = false;

  constructor(tls: TLSSocket, paces: CarrierPaces) {
    super({ allowHalfOpen: true, highWaterMark: sliceBytes });
    this.tls = tls;
    this.#paces = paces;
    tls.allowHalfOpen = true; // or node would end it at once (K4)
    tls.on('data', (chunk: Buffer) => this.#take(chunk));
    tls.once('end', () => paces.end(() => this.destroy()));
    tls.once('close', () => paces.end(() => this.destroy()));
    tls.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#isWanted = true;
    if (this.#chunks.length > 0) this.#plan();
    else this.#readOn();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.tls.write(chunk, done); // K3
  }

  /** Frames of many streams are one write. */
  override _writev(
    writes: readonly { readonly chunk: Buffer }[],
    done: (error?: Error | null) => void,
  ): void {
    this.tls.write(Buffer.concat(writes.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.tls.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#chunks.length = 0;
    this.tls.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    if (this.#isWanted) this.#plan();
    if (this.#chunks.length > 0) this.tls.pause(); // K2
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#paces.read(() => this.#handOn());
  }

  /** K1. */
  #handOn(): void {
    this.#isPlanned = false;
    const chunk = this.#chunks.shift();
    if (chunk === undefined || this.destroyed) return;
    if (chunk.length > sliceBytes) this.#chunks.unshift(chunk.subarray(sliceBytes));
    this.#isWanted = this.push(chunk.subarray(0, sliceBytes));
    if (!this.#isWanted) return; // _read() goes on
    if (this.#chunks.length > 0) this.#plan();
    else this.#readOn();
  }

  #readOn(): void {
    if (this.tls.isPaused()) this.tls.resume();
  }
}
