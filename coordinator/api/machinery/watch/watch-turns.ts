// Turns of the event loop for all watches together, and the minute of all bookmarks.
//
//   T1. However many watches have something to send, they take at most a few milliseconds of one
//       turn; the others come in the next (I11).
//   T2. Bookmarks of many watches are spread over the minute, by one timer for all.

import type { Clock, Timer } from '../../../../common/runtime/clock.ts';
import { turnTimeOf, type TurnTime } from '../../../../common/runtime/turn-time.ts';

export interface Turn {
  /** Does a short piece of work; true when there is more. */
  run(): boolean;
}

/** What is written in it is encrypted, and its end told to each stream, in the turn that follows. */
const turnMs = 2;

export class Turns {
  readonly #clock: Clock;
  readonly #time: TurnTime;
  readonly #ready = new Set<Turn>();
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#time = turnTimeOf(clock);
  }

  /** Runs soon, once, however often it was asked for until then. */
  add(turn: Turn): void {
    this.#ready.add(turn);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    const startMs = this.#clock.monotonicMs();
    this.#time.usedMs();
    for (const turn of this.#ready) {
      this.#ready.delete(turn);
      if (turn.run()) this.add(turn); // behind the others
      const ownMs = this.#clock.monotonicMs() - startMs;
      if (ownMs >= turnMs || this.#time.isLate(ownMs)) break;
    }
    const [next] = this.#ready;
    if (next !== undefined) this.add(next);
  }
}

export interface Bookmarked {
  bookmark(): void;
}

// As kube-apiserver: about one bookmark in a minute.
const slotCount = 60;
const slotMs = 1_000;

/** Asks each of its members for a bookmark once a minute, at a second of its own. */
export class BookmarkWheel {
  readonly #clock: Clock;
  readonly #slots: readonly Set<Bookmarked>[] = Array.from({ length: slotCount }, () => new Set());
  #size = 0;
  #nextSlot = 0;
  #at = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The returned function takes it out again; safe to call twice. */
  add(member: Bookmarked): () => void {
    const slot = this.#slots[this.#nextSlot];
    this.#nextSlot = (this.#nextSlot + 1) % slotCount; // T2
    slot?.add(member);
    this.#size += 1;
    this.#timer ??= this.#schedule();
    return () => {
      if (slot?.delete(member) !== true) return;
      this.#size -= 1;
      if (this.#size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  #schedule(): Timer {
    return this.#clock.after(slotMs, () => {
      this.#timer = this.#schedule();
      const slot = this.#slots[this.#at] ?? new Set();
      this.#at = (this.#at + 1) % slotCount;
      for (const member of slot) member.bookmark();
    });
  }
}
