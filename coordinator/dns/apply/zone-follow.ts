// Follows what was written until the provider serves it everywhere. One question at a time, about
// one change: changes take effect in their order, so the newest that is served settles all before
// it. The one that is followed is followed to its end, or a busy zone would never hear of any.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import type { Calls } from './calls.ts';

export interface Written {
  readonly number: number;
  readonly change: string;
  readonly keys: readonly ServiceKey[];
  /** When the oldest of them became due (monotonic). */
  readonly dueMs: number;
}

const intervalsMs = [2000, 5000, 10_000, 20_000, 40_000, 60_000];
// Older ones are served long before so many more are accepted.
const writtenMax = 2000;

export class ZoneFollow {
  readonly #calls: Calls;
  readonly #clock: Clock;
  readonly #onLive: (written: readonly Written[]) => void;
  #written: Written[] = [];
  #followed: Written | undefined;
  #asked = 0;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(calls: Calls, clock: Clock, onLive: (written: readonly Written[]) => void) {
    this.#calls = calls;
    this.#clock = clock;
    this.#onLive = onLive;
  }

  add(written: Written): void {
    this.#written.push(written);
    if (this.#written.length > writtenMax) this.#settle(this.#written[0]?.number ?? 0);
    if (this.#followed === undefined) this.#follow();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #follow(): void {
    this.#followed = this.#written.at(-1);
    this.#asked = 0;
    if (this.#followed !== undefined) this.#later();
  }

  #later(): void {
    const waitMs = intervalsMs[Math.min(this.#asked, intervalsMs.length - 1)] ?? 0;
    this.#asked += 1;
    this.#timer = this.#clock.after(waitMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const followed = this.#followed;
    if (followed === undefined || this.#isStopped) return;
    const answer = await this.#calls.observe(followed.change);
    if (this.#isStopped) return;
    if (answer.kind !== 'answer' || answer.value !== 'live') {
      this.#later();
      return;
    }
    this.#settle(followed.number);
    this.#follow();
  }

  #settle(number: number): void {
    const served = this.#written.filter((written) => written.number <= number);
    this.#written = this.#written.filter((written) => written.number > number);
    this.#onLive(served);
  }
}
