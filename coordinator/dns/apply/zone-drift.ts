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

/**
 * Once in so long is each Service compared that is at rest, where the rate allows it, from the start
 * on: what a hand changed is found within it.
 */
export const driftRoundMs = 600_000;
/** Of the account's rate, for readings that nobody waits for. */
const share = 0.2;
const tickMinMs = 50;
/** Services come while we wait, and come to rest: the pace is counted anew so often. */
const lookMs = 10_000;
/** A reading comes earlier by this much at most, so that those of several zones spread. */
const spread = 0.2;
/** Most may be in motion: so many are looked at for one that is not. */
const triesMax = 50;

export class ZoneDrift {
  readonly #options: DriftOptions;
  readonly #abort = new AbortController();
  /** Were in motion when their turn came, and have it as soon as they are at rest. */
  readonly #passed = new Set<ServiceKey>();
  #walk: Iterator<Group> | undefined;
  #isBegun = false;
  #timer: Timer | undefined;
  /** The last reading, or the start (monotonic), and what of the pace is waited for after it. */
  #last = { atMs: 0, names: 1, part: 1 };

  constructor(options: DriftOptions) {
    this.#options = options;
  }

  start(): void {
    this.#note(1);
    this.#wait();
  }

  stop(): void {
    this.#abort.abort();
    this.#timer?.cancel();
  }

  #note(names: number): void {
    const { clock, chance } = this.#options;
    const part = 1 - spread * chance.fraction();
    this.#last = { atMs: clock.monotonicMs(), names, part };
  }

  /** A round takes ten minutes, or as long as its readings take of their share. */
  #wait(): void {
    if (this.#abort.signal.aborted) return;
    const { clock, groups, perSecond } = this.#options;
    const { atMs, names, part } = this.#last;
    const evenMs = driftRoundMs / Math.max(1, groups.size);
    const paidMs = (names * 1000) / (share * perSecond());
    const dueMs = atMs + Math.max(tickMinMs, evenMs, paidMs) * part - clock.monotonicMs();
    this.#timer = clock.after(Math.min(dueMs, lookMs), () => {
      if (dueMs > lookMs) this.#wait();
      else void this.#compare();
    });
  }

  async #compare(): Promise<void> {
    const group = this.#firstPassed() ?? this.#next();
    if (group === undefined) {
      this.#timer = this.#options.clock.after(lookMs, () => void this.#compare());
      return;
    }
    const names = this.#options.namesOf(group);
    const before = group.writes;
    this.#note(names.length);
    const answer = await this.#options.calls.read(names, 2);
    // What was written meanwhile is newer than what was read.
    const isFresh = group.writes === before && this.#options.isDue(group);
    if (answer.kind === 'answer' && isFresh) this.#options.onRead(group, answer.value);
    this.#wait();
  }

  #firstPassed(): Group | undefined {
    let left = Math.min(this.#passed.size, triesMax);
    for (const key of this.#passed) {
      if (left === 0) return undefined;
      left -= 1;
      this.#passed.delete(key);
      const group = this.#options.groups.get(key);
      if (group === undefined) continue;
      if (this.#options.isDue(group)) return group;
      this.#passed.add(key); // behind the others
    }
    return undefined;
  }

  #next(): Group | undefined {
    for (let tries = 0; tries < triesMax; tries += 1) {
      this.#walk ??= this.#begin();
      const { value, done } = this.#walk.next();
      if (done === true) this.#walk = undefined;
      else if (this.#options.isDue(value)) return value;
      else this.#passed.add(value.key);
    }
    return undefined;
  }

  /** Anywhere: holders of the lease that follow each other soon leave nobody out for ever. */
  #begin(): Iterator<Group> {
    const { groups, chance } = this.#options;
    const walk = groups.values()[Symbol.iterator]();
    const skipped = this.#isBegun ? 0 : Math.floor(chance.fraction() * groups.size);
    for (let at = 0; at < skipped; at += 1) walk.next();
    this.#isBegun = true;
    return walk;
  }
}
