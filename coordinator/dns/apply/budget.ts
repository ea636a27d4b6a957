// How many requests a provider gets: one bucket of tokens for all zones of an account, filled at
// the provider's rate, or at what it has shown to take (additive increase, multiplicative
// decrease). Who waits is served by urgency, then in turn.
//
//   T1. One token is kept for what withdraws something: edits never make it wait for a refill.
//   T2. A throttled request halves the rate once, however many more come back with it, and stops
//       everybody for as long as the provider says.
//   T3. Readings that compare (audits) take only what is left over.

import type { Clock, Timer } from '../../../common/runtime/clock.ts';

/** 0: withdrawals. 1: other changes and what settles them. 2: audits. */
export type Urgency = 0 | 1 | 2;

export interface BudgetOptions {
  readonly perSecond: number;
  readonly burst: number;
  readonly clock: Clock;
}

interface Waiter {
  readonly cost: number;
  readonly wake: () => void;
}

// One request in five seconds still moves a thousand names in minutes.
const rateMin = 0.2;
const raiseEveryMs = 1000;
const raisesToFull = 50;
const halveEveryMs = 1000;
const pauseMaxMs = 60_000;

export class Budget {
  readonly #clock: Clock;
  readonly #nominal: number;
  readonly #burst: number;
  readonly #waiting: readonly Waiter[][] = [[], [], []];
  #rate: number;
  #tokens: number;
  #filledMs: number;
  #pausedUntilMs = 0;
  #raisedMs = 0;
  #halvedMs = -halveEveryMs;
  #timer: Timer | undefined;

  constructor({ perSecond, burst, clock }: BudgetOptions) {
    this.#clock = clock;
    this.#nominal = Math.max(rateMin, perSecond);
    this.#burst = Math.max(1, burst);
    this.#rate = this.#nominal;
    this.#tokens = this.#burst;
    this.#filledMs = clock.monotonicMs();
  }

  /** Requests a second that are let through now. */
  perSecond(): number {
    return this.#rate;
  }

  /**
   * Resolves when `cost` requests may be sent; false when the signal was first. More than the
   * bucket holds waits for a full one.
   */
  acquire(urgency: Urgency, cost: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const queue = this.#waiting[urgency] ?? [];
      const onAbort = (): void => {
        const at = queue.indexOf(waiter);
        if (at >= 0) queue.splice(at, 1);
        resolve(false);
      };
      const waiter: Waiter = {
        cost,
        wake: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(true);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(waiter);
      this.#serve();
    });
  }

  throttled(retryAfterMs: number | undefined): void {
    const nowMs = this.#clock.monotonicMs();
    this.#fill(nowMs);
    if (nowMs - this.#halvedMs >= halveEveryMs) {
      this.#halvedMs = nowMs;
      this.#raisedMs = nowMs;
      this.#rate = Math.max(rateMin, this.#rate / 2);
    }
    this.#tokens = 0;
    const pauseMs = Math.min(pauseMaxMs, retryAfterMs ?? 1000 / this.#rate);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs + pauseMs);
    this.#serve();
  }

  succeeded(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#rate >= this.#nominal || nowMs - this.#raisedMs < raiseEveryMs) return;
    this.#fill(nowMs);
    this.#raisedMs = nowMs;
    this.#rate = Math.min(this.#nominal, this.#rate + this.#nominal / raisesToFull);
  }

  #fill(nowMs: number): void {
    const gained = (this.#rate * (nowMs - this.#filledMs)) / 1000;
    this.#tokens = Math.min(this.#room(), this.#tokens + gained);
    this.#filledMs = nowMs;
  }

  /** Wakes who may go, most urgent first, and comes back for the next. */
  #serve(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    this.#fill(nowMs);
    for (const [urgency, queue] of this.#waiting.entries()) {
      while (queue[0] !== undefined) {
        const waitMs = this.#waitMs(urgency, queue[0].cost, nowMs);
        if (waitMs > 0) {
          this.#timer = this.#clock.after(waitMs, () => this.#serve());
          return;
        }
        // No debts: whoever is urgent would have to wait for them.
        this.#tokens -= Math.min(queue[0].cost, this.#room());
        queue.shift()?.wake();
      }
    }
  }

  /** A provider that takes fewer requests a second than it says has no greater burst either. */
  #room(): number {
    return Math.max(1, (this.#burst * this.#rate) / this.#nominal);
  }

  #waitMs(urgency: number, wanted: number, nowMs: number): number {
    const paused = this.#pausedUntilMs - nowMs;
    if (paused > 0) return paused;
    const room = this.#room();
    const cost = Math.min(wanted, room);
    const kept = Math.min([0, 1, room / 2][urgency] ?? 0, room - cost); // T1, T3
    const missing = cost + kept - this.#tokens;
    // Sums of fractions: what is missing by rounding alone is there.
    return missing <= 1e-6 ? 0 : Math.ceil((missing * 1000) / this.#rate);
  }
}
