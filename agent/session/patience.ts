// How long the agent waits for a word of the coordinator before it takes a stream for dead.
//
//   W1. The coordinator pings every second; eight seconds of silence are a dead path that TCP has
//       not noticed.
//   W2. A stream that is being opened is given longer after each failure: a coordinator to which a
//       thousand agents come back must not lose those whom it has not reached yet to a second try,
//       which would put them behind all others.
//   W3. What came while this process stood still (SIGSTOP, a machine that is too busy) is read
//       before silence is judged.

import type { Clock, Timer } from '../../common/runtime/clock.ts';

const silenceMs = 8_000;
const openingMaxMs = 30_000;

/** W2. `failures` in a row before this try. */
export function openingMs(failures: number): number {
  return Math.min(openingMaxMs, silenceMs * 1.5 ** Math.min(failures, 10));
}

export class Patience {
  readonly #clock: Clock;
  readonly #onSilent: (ms: number) => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, onSilent: (ms: number) => void) {
    this.#clock = clock;
    this.#onSilent = onSilent;
  }

  /** A stream is being opened. */
  begin(failures: number): void {
    this.#wait(openingMs(failures));
  }

  heard(): void {
    this.#wait(silenceMs);
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, () => {
      // Twice round the event loop: what the socket holds is read, and cancels this.
      this.#timer = this.#clock.soon(() => {
        this.#timer = this.#clock.soon(() => this.#onSilent(ms));
      });
    });
  }
}
