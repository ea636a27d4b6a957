// So many in a window of time, for each of several keys: what one peer may cost everybody.

import type { Clock } from './clock.ts';

interface Window {
  readonly sinceMs: number;
  readonly count: number;
}

// Beyond, windows that are over are forgotten.
const windowsMax = 4096;

export class Quota<K> {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #windowMs: number;
  readonly #max: number;
  readonly #windows = new Map<K, Window>();

  constructor(
    clock: Pick<Clock, 'monotonicMs'>,
    of: { readonly max: number; readonly windowMs: number },
  ) {
    this.#clock = clock;
    this.#windowMs = of.windowMs;
    this.#max = of.max;
  }

  /** True, and counted, while there is room for one more of this key. */
  take(key: K): boolean {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#windows.get(key);
    const isOver = last === undefined || nowMs >= last.sinceMs + this.#windowMs;
    const { sinceMs, count } = isOver ? { sinceMs: nowMs, count: 0 } : last;
    if (count >= this.#max) return false;
    this.#windows.set(key, { sinceMs, count: count + 1 });
    if (this.#windows.size > windowsMax) this.#forgetOver(nowMs);
    return true;
  }

  #forgetOver(nowMs: number): void {
    for (const [key, { sinceMs }] of this.#windows) {
      if (nowMs >= sinceMs + this.#windowMs) this.#windows.delete(key);
    }
  }
}
