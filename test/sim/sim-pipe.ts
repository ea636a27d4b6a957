// One direction of a stream over the simulated network.

import type { Clock } from '../../common/runtime/clock.ts';
import type { Network } from './network.ts';

/** TCP gives up a dead path, or HTTP/2 keepalive does, about then. */
export const keepaliveMs = 15_000;
const retransmitMs = 250;

interface PipeOptions {
  readonly network: Network;
  readonly clock: Clock;
}

interface PipeEvents {
  readonly onBytes: (bytes: Uint8Array) => void;
  /** Cut for longer than TCP tries. */
  readonly onDead: () => void;
}

/** One direction: in order, held up while its path is cut. */
export class Pipe {
  readonly #options: PipeOptions;
  readonly #from: string;
  readonly #to: string;
  readonly #on: PipeEvents;
  readonly #queue: Uint8Array[] = [];
  #isOpen = false;
  #isClosed = false;
  #ready = 0;
  #lastAtMs = 0;
  #cutSinceMs: number | undefined;
  #isRetrying = false;
  #finish: (() => void) | undefined;

  constructor(options: PipeOptions, from: string, to: string, on: PipeEvents) {
    this.#options = options;
    this.#from = from;
    this.#to = to;
    this.#on = on;
  }

  get size(): number {
    return this.#queue.length;
  }

  open(): void {
    this.#isOpen = true;
    this.#flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
  }

  /** Calls back behind what was sent. */
  finish(act: () => void): void {
    this.#finish = act;
    this.send(new Uint8Array());
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const { clock, network } = this.#options;
    const nowMs = clock.monotonicMs();
    const atMs = Math.max(nowMs + network.latencyMs(this.#from, this.#to), this.#lastAtMs);
    this.#lastAtMs = atMs;
    this.#queue.push(bytes);
    clock.after(atMs - nowMs, () => {
      this.#ready += 1;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isClosed || !this.#isOpen || this.#ready === 0) return;
    const { clock, network } = this.#options;
    if (network.isCut(this.#from, this.#to)) {
      this.#cutSinceMs ??= clock.monotonicMs();
      if (clock.monotonicMs() - this.#cutSinceMs >= keepaliveMs) return this.#on.onDead();
      if (this.#isRetrying) return;
      this.#isRetrying = true;
      clock.after(retransmitMs, () => {
        this.#isRetrying = false;
        this.#flush();
      });
      return;
    }
    this.#cutSinceMs = undefined;
    while (this.#ready > 0 && !this.#isClosed) {
      const bytes = this.#queue.shift();
      this.#ready -= 1;
      if (bytes === undefined) return;
      if (this.#queue.length === 0 && this.#finish !== undefined) return this.#finish();
      this.#on.onBytes(bytes);
    }
  }
}
