// Which of many TLS handshakes is answered in a turn of the event loop.
//
//   A1. Each answer of a client is a millisecond or two of cryptography and of all that follows it, in the callback
//       that reads it, and Node reads every socket that has something before it returns to its loop. So who has
//       been read keeps the others from it until the next turn (I11).
//   A2. In each turn one of those who were kept is read again, the first of them first; and all of them when
//       nobody answers. Who is silent takes nobody's turn.
//
// Node's public interface does not stop a socket that TLS has taken over; the handle under it does.

import type { Clock } from './clock.ts';

/** Of a socket; undocumented, so it may be another one day: then nobody is kept. */
interface Handle {
  readStop?(): unknown;
  readStart?(): unknown;
}

export class AnswerTurns {
  readonly #clock: Pick<Clock, 'soon'>;
  readonly #reading = new Map<object, Handle>();
  readonly #kept = new Map<object, Handle>();
  /** Read again, in a turn that has not polled since. */
  #last: object | undefined;
  #isPlanned = false;

  constructor(clock: Pick<Clock, 'soon'>) {
    this.#clock = clock;
  }

  /** One whose handshake has begun. */
  add(socket: object): void {
    const { _handle: handle } = socket as { readonly _handle?: Handle | null };
    if (handle !== undefined && handle !== null) this.#reading.set(socket, handle);
  }

  /** A1. Its answer was read, and its handshake is over. */
  answered(socket: object): void {
    this.#kept.get(socket)?.readStart?.(); // it was read before it was stopped
    this.leave(socket);
    for (const [other, handle] of this.#reading) {
      handle.readStop?.();
      this.#kept.set(other, handle);
    }
    this.#reading.clear();
    this.#plan();
  }

  /** Whether what it has said would have been read. */
  isHeard(socket: object): boolean {
    return !this.#kept.has(socket) && this.#last !== socket;
  }

  /** It is closed. Safe to call twice. */
  leave(socket: object): void {
    this.#reading.delete(socket);
    this.#kept.delete(socket);
  }

  #plan(): void {
    if (this.#isPlanned || (this.#kept.size === 0 && this.#last === undefined)) return;
    this.#isPlanned = true;
    this.#clock.soon(this.#goOn);
  }

  /** A2. */
  readonly #goOn = (): void => {
    this.#isPlanned = false;
    const [first] = this.#kept;
    this.#last = first?.[0];
    if (first !== undefined) {
      const [socket, handle] = first;
      this.#kept.delete(socket);
      this.#reading.set(socket, handle);
      handle.readStart?.();
    }
    this.#plan();
  };
}
