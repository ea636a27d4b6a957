// How much of what a connection is to send is under way at once.
//
//   S1. Few bytes are: what else is written to its exchanges waits here, in the order in which it was written.
//       Node makes frames of all that a connection has, encrypts and sends them in one turn of the event loop,
//       as soon as the socket takes more: megabytes, where a hundred watches had waited for it (I11).
//   S2. Exchanges whose client takes nothing keep the others of its connection for a moment only: as long as nothing is
//       sent, twice as much goes under way each time.
//   S3. What waited is taken up while there is time in the turn. While there is room, nothing waits.

import type { Clock, Timer } from '../../../../common/runtime/clock.ts';
import type { TurnShare } from '../../../../common/runtime/turn-pace.ts';

/** Half a millisecond or less. What is written at once counts whole, and may be more. */
export const underWayBytesMax = 128 << 10;
/** S2: nothing was sent for so long. */
export const stalledMs = 100;

/** Bytes that count until they are sent, or until nobody waits for them any more. */
export interface UnderWay {
  bytes: number;
}

export class SendGate {
  readonly #clock: Pick<Clock, 'after' | 'soon'>;
  readonly #share: TurnShare;
  #underWay: UnderWay = { bytes: 0 };
  #bytesMax = underWayBytesMax;
  #waiting: (() => void)[] = [];
  #next = 0;
  #isPlanned = false;
  #stall: Timer | undefined;

  constructor(clock: Pick<Clock, 'after' | 'soon'>, share: TurnShare) {
    this.#clock = clock;
    this.#share = share;
  }

  /** Whether what is to be sent now would wait. */
  isShut(): boolean {
    return this.#waiting.length > 0 || this.#underWay.bytes >= this.#bytesMax;
  }

  /** Calls `act` when what was to be sent before it has been. */
  wait(act: () => void): void {
    this.#waiting.push(act); // bounded by what each exchange may hold
    this.#stall ??= this.#clock.after(stalledMs, this.#release);
  }

  /** Counts bytes that are handed over to be sent; the result is for end(). */
  begin(bytes: number): UnderWay {
    this.#underWay.bytes += bytes;
    return this.#underWay;
  }

  /** They are sent. */
  end(underWay: UnderWay, bytes: number): void {
    underWay.bytes -= bytes;
    if (underWay !== this.#underWay) return;
    this.#bytesMax = underWayBytesMax;
    if (this.#waiting.length > 0) this.#plan();
  }

  /** Its connection is gone. */
  close(): void {
    this.#stall?.cancel();
    this.#waiting = [];
    this.#next = 0;
  }

  /** S2. */
  readonly #release = (): void => {
    this.#stall = undefined;
    this.#underWay = { bytes: 0 };
    this.#bytesMax *= 2;
    this.#plan();
  };

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#clock.soon(this.#takeUp);
  }

  /** S3. */
  readonly #takeUp = (): void => {
    this.#isPlanned = false;
    this.#stall?.cancel();
    this.#stall = undefined;
    const { time, untilMs } = this.#share;
    do {
      const act = this.#waiting[this.#next];
      if (act === undefined || this.#underWay.bytes >= this.#bytesMax) break;
      this.#next += 1;
      act();
    } while (time.usedMs() < untilMs);
    this.#waiting = this.#next < this.#waiting.length ? this.#waiting.slice(this.#next) : [];
    this.#next = 0;
    if (this.#waiting.length === 0) return;
    if (this.#underWay.bytes < this.#bytesMax) this.#plan();
    this.#stall = this.#clock.after(stalledMs, this.#release);
  };
}
