// Reads the names of Services whose change met something else than it said, a few Services in one
// call, beside the writing: who is read holds nobody up, and who cannot be read neither.

import type { ServiceKey } from '../../../common/model/ids.ts';
import { sleep, type Clock } from '../../../common/runtime/clock.ts';
import type { ZoneRecordSet } from '../provider/provider.ts';
import type { Calls } from './calls.ts';

export interface ReaderOptions {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Names of this Service; empty: no longer of interest. */
  readonly namesOf: (key: ServiceKey) => readonly string[];
  readonly onRead: (key: ServiceKey, observed: readonly ZoneRecordSet[]) => void;
}

// Some providers take a request for each: a second or two of them.
const namesPerCall = 20;
const retryMs = 5000;

export class ZoneReader {
  readonly #options: ReaderOptions;
  readonly #wanted = new Set<ServiceKey>();
  #isRunning = false;
  /** Most names of the next call: one Service's after a failure, which may be for its names' sake. */
  #together = namesPerCall;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  want(key: ServiceKey): void {
    this.#wanted.add(key);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    const { signal, clock } = this.#options;
    this.#isRunning = true;
    while (this.#wanted.size > 0 && !signal.aborted) {
      const isRead = await this.#readSome();
      if (!isRead) await sleep(clock, retryMs, signal).catch(() => undefined);
    }
    this.#isRunning = false;
  }

  async #readSome(): Promise<boolean> {
    const names = new Map<ServiceKey, readonly string[]>();
    let count = 0;
    for (const key of this.#wanted) {
      const own = this.#options.namesOf(key);
      if (count > 0 && count + own.length > this.#together) break;
      names.set(key, own);
      count += own.length;
    }
    const all = [...new Set([...names.values()].flat())];
    const answer =
      all.length === 0
        ? ({ kind: 'answer', value: [] } as const)
        : await this.#options.calls.read(all, 1);
    if (answer.kind === 'throttled') return true;
    if (answer.kind !== 'answer') {
      this.#behind(names.keys());
      return false;
    }
    this.#together = namesPerCall;
    for (const [key, own] of names) {
      this.#wanted.delete(key);
      const isOwn = new Set(own);
      this.#options.onRead(
        key,
        answer.value.filter(({ name }) => isOwn.has(name)),
      );
    }
    return true;
  }

  /** The next call is another Service's alone. */
  #behind(keys: Iterable<ServiceKey>): void {
    this.#together = 0;
    for (const key of keys) {
      this.#wanted.delete(key);
      this.#wanted.add(key);
    }
  }
}
