// How much this process itself stood still: a timer that should fire every `tickMs` fires late by
// the time in which nothing was read. That time is no silence of anybody else.
//
//   L1. lagSince(t) never exceeds the time since t.
//   L2. Bounded: lags older than `keptMs` are forgotten.

export const tickMs = 250;
/** Lateness of an ordinary timer; below it nothing is subtracted. */
const toleratedMs = 30;
const keptMs = 60_000;

export class LagMeter {
  readonly #lags: { readonly atMs: number; readonly lagMs: number }[] = [];
  #lastMs: number;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** At each tick. Returns the lag of this tick in milliseconds. */
  tick(nowMs: number): number {
    const lagMs = nowMs - this.#lastMs - tickMs;
    this.#lastMs = nowMs;
    while (this.#lags.length > 0 && nowMs - (this.#lags[0]?.atMs ?? nowMs) > keptMs) {
      this.#lags.shift();
    }
    if (lagMs <= toleratedMs) return 0;
    this.#lags.push({ atMs: nowMs, lagMs });
    return lagMs;
  }

  /** Milliseconds of the time since `sinceMs` in which this process stood still. */
  lagSince(sinceMs: number): number {
    let sum = 0;
    for (const { atMs, lagMs } of this.#lags) {
      // The pause began at atMs - lagMs; only its part after `sinceMs` counts.
      if (atMs > sinceMs) sum += Math.min(lagMs, atMs - sinceMs);
    }
    return sum;
  }
}
