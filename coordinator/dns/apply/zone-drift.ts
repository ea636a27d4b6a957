// Compares what stands at a provider with what is wanted, one Service after the other, all the
// time: hands change zones, and no provider tells. Each comparison is a reading of that Service's
// names alone, so that a zone's size does not matter, and takes a small part of the account's rate.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import type { ZoneRecordSet } from '../provider/provider.ts';
import type { Calls } from './calls.ts';
import type { Group } from './zone-state.ts';

export interface DriftOptions {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly groups: ReadonlyMap<ServiceKey, Group>;
  readonly perSecond: () => number;
  readonly isDue: (group: Group) => boolean;
  readonly namesOf: (group: Group) => readonly string[];
  readonly onRead: (group: Group, observed: readonly ZoneRecordSet[]) => void;
}

// Once in so long is each Service looked at, where the rate allows it.
const roundMs = 600_000;
/** Of the account's rate, for readings that nobody waits for. */
const share = 0.2;
const tickMinMs = 50;

export class ZoneDrift {
  readonly #options: DriftOptions;
  readonly #abort = new AbortController();
  #walk: Iterator<Group> | undefined;
  #timer: Timer | undefined;

  constructor(options: DriftOptions) {
    this.#options = options;
  }

  start(): void {
    this.#later(1);
  }

  stop(): void {
    this.#abort.abort();
    this.#timer?.cancel();
  }

  /** A round takes ten minutes, or as long as its readings take of their share. */
  #later(names: number): void {
    if (this.#abort.signal.aborted) return;
    const { clock, chance, groups, perSecond } = this.#options;
    const evenMs = roundMs / Math.max(1, groups.size);
    const paidMs = (names * 1000) / (share * perSecond());
    const waitMs = Math.max(tickMinMs, evenMs, paidMs) * (0.9 + chance.fraction() / 5);
    this.#timer = clock.after(waitMs, () => void this.#compare());
  }

  async #compare(): Promise<void> {
    const group = this.#next();
    if (group === undefined) return this.#later(1);
    const names = this.#options.namesOf(group);
    const before = group.writes;
    const answer = await this.#options.calls.read(names, 2);
    // What was written meanwhile is newer than what was read.
    const isFresh = group.writes === before && this.#options.isDue(group);
    if (answer.kind === 'answer' && isFresh) this.#options.onRead(group, answer.value);
    this.#later(names.length);
  }

  #next(): Group | undefined {
    // Bounded, since most may be in motion: the others come with the next tick.
    for (let tries = 0; tries < 20; tries += 1) {
      this.#walk ??= this.#options.groups.values()[Symbol.iterator]();
      const step = this.#walk.next();
      if (step.done === true) {
        this.#walk = undefined;
        return undefined;
      }
      if (this.#options.isDue(step.value)) return step.value;
    }
    return undefined;
  }
}
