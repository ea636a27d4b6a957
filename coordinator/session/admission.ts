// How many agents are let in at once. A join costs signatures and writes, a greeting a session number,
// a NATS login and all that follows; a thousand clusters that come at once are worked off one after
// another, and who has to wait keeps what he has (his stream) or is told when to come.
//
//   A1. Few are at work at once; the others wait in a queue of bounded length.
//   A2. Origins take turns, and each has few places in the queue: who sends a thousand delays the
//       others by one each.
//   A3. Who is gone by his turn costs nothing.
//   A4. Who would wait longer than he has patience for is told to come again, each at a time of his
//       own: as many as are served by then are before him.
//
// Next: ./loop.ts, which lets joins and greetings through here.

import type { Clock } from '../../common/runtime/clock.ts';
import type { Refusal } from './mesh-port.ts';

export interface AdmissionBounds {
  readonly atOnce: number;
  readonly waitingMax: number;
  readonly ofOriginMax: number;
  /** Nobody begins to wait who would probably wait longer. */
  readonly patienceMs: number;
}

/** An agent waits ten seconds for the answer to a join, and a cluster joins once. */
export const joinBounds: AdmissionBounds = {
  atOnce: 8,
  waitingMax: 512, // with 64 KiB each, and anybody may ask
  ofOriginMax: 256, // many clusters may be behind one address
  patienceMs: 5_000,
};

/** Who waits with an open stream hears pings and has paid for his handshake: better than again. */
export const greetingBounds: AdmissionBounds = {
  atOnce: 16,
  waitingMax: 4_096,
  ofOriginMax: 2, // an agent, and the one that replaces it
  patienceMs: 60_000,
};

export interface Visitor {
  readonly origin: string;
  readonly isGone: () => boolean;
}

interface Waiting extends Visitor {
  readonly begin: () => Promise<void>;
  readonly drop: () => void;
}

// Before anybody was served.
const firstGuessMs = 50;
/** Of the newest in the running average of how long one takes. */
const newestPart = 0.1;
const hintMinMs = 1_000;
const hintMaxMs = 60_000;

export class Admission {
  readonly #bounds: AdmissionBounds;
  readonly #clock: Clock;
  /** By origin, in the order of their turns; no list is empty. */
  readonly #queue = new Map<string, Waiting[]>();
  #waiting = 0;
  #running = 0;
  #takesMs = firstGuessMs;
  /** When the last of those who were told to come again is due. */
  #bookedMs = 0;

  constructor(bounds: AdmissionBounds, clock: Clock) {
    this.#bounds = bounds;
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** What `work` resolves with, when its turn comes; undefined: the visitor was gone by then. */
  pass<T>(visitor: Visitor, work: () => Promise<T>): Promise<T | Refusal | undefined> {
    const refusal = this.#check(visitor);
    if (refusal !== undefined) return Promise.resolve(refusal);
    return new Promise((resolve, reject) => {
      this.#add({
        ...visitor,
        begin: () => this.#timed(work).then(resolve, reject),
        drop: () => resolve(undefined),
      });
      this.#pump();
    });
  }

  #check({ origin }: Visitor): Refusal | undefined {
    const { atOnce, waitingMax, ofOriginMax, patienceMs } = this.#bounds;
    if (this.#running < atOnce) return undefined;
    const ofOrigin = this.#dropGone(origin);
    const waitMs = this.#waiting * this.#eachMs;
    const isFull = this.#waiting >= waitingMax || ofOrigin >= ofOriginMax;
    return isFull || waitMs > patienceMs ? this.#book(waitMs) : undefined;
  }

  /** How many of the origin wait after it. */
  #dropGone(origin: string): number {
    const known = this.#queue.get(origin) ?? [];
    const here = known.filter((one) => !one.isGone());
    if (here.length === known.length) return here.length;
    for (const one of known) if (!here.includes(one)) one.drop();
    this.#waiting -= known.length - here.length;
    if (here.length === 0) this.#queue.delete(origin);
    else this.#queue.set(origin, here);
    return here.length;
  }

  /** From one that is served to the next, when all places are taken. */
  get #eachMs(): number {
    return this.#takesMs / this.#bounds.atOnce;
  }

  /** A4. */
  #book(waitMs: number): Refusal {
    const nowMs = this.#clock.monotonicMs();
    const dueMs = Math.max(nowMs + waitMs, this.#bookedMs + this.#eachMs);
    this.#bookedMs = Math.min(dueMs, nowMs + hintMaxMs);
    const retryAfterMs = Math.round(Math.max(hintMinMs, this.#bookedMs - nowMs));
    const message =
      `many clusters come at once: ${this.#waiting} wait to be let in; ` +
      `come again in ${Math.ceil(retryAfterMs / 1000)} s`;
    return { reason: 'Busy', message, retry: true, retryAfterMs };
  }

  async #timed<T>(work: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    try {
      return await work();
    } finally {
      const tookMs = this.#clock.monotonicMs() - startMs;
      this.#takesMs += newestPart * (tookMs - this.#takesMs);
      this.#running -= 1;
      this.#pump();
    }
  }

  #add(one: Waiting): void {
    const known = this.#queue.get(one.origin);
    if (known === undefined) this.#queue.set(one.origin, [one]);
    else known.push(one);
    this.#waiting += 1;
  }

  #pump(): void {
    while (this.#running < this.#bounds.atOnce) {
      const one = this.#next();
      if (one === undefined) return;
      if (one.isGone()) {
        one.drop(); // A3
        continue;
      }
      this.#running += 1;
      void one.begin();
    }
  }

  /** A2: of the origin whose turn it is, which is then behind the others. */
  #next(): Waiting | undefined {
    for (const [origin, waiting] of this.#queue) {
      const one = waiting.shift();
      this.#queue.delete(origin);
      if (waiting.length > 0) this.#queue.set(origin, waiting);
      this.#waiting -= 1;
      return one;
    }
    return undefined;
  }
}
