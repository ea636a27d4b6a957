// Takes what the fuse holds out of the queue and brings back what it lets go, and tells people:
// once the plan has stopped growing, so that the hash they are told is the one to confirm.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { DnsZoneState } from '../../../common/model/views.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { ZoneEvents } from './zone-events.ts';
import type { ZoneFuse } from './zone-fuse.ts';
import type { ZoneState } from './zone-state.ts';

export interface HoldsOptions {
  readonly state: ZoneState;
  readonly fuse: ZoneFuse;
  readonly events: ZoneEvents;
  readonly mark: (key: ServiceKey) => void;
  readonly tell: (key: ServiceKey | undefined) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const tellAfterMs = 5000;
const tellAgainAfterMs = 60_000;
const decideEveryMs = 100;

export class ZoneHolds {
  readonly #options: HoldsOptions;
  #decidedMs = -decideEveryMs;
  /** Services that are held, and those that were until something else became of them. */
  readonly #parked = new Set<ServiceKey>();
  #isTelling = false;
  /** Hash that people were told last; undefined: they know of nothing that is held. */
  #told: string | undefined;

  constructor(options: HoldsOptions) {
    this.#options = options;
  }

  /** Holds, or lets go, what is suspect. Answers how long until that may change by itself. */
  decide(zone: DnsZoneState, nowMs: number): number {
    const { fuse, state } = this.#options;
    const isDue = fuse.isUndecided || fuse.againMs(nowMs) === 0;
    if (isDue) {
      const waitMs = this.#decidedMs + decideEveryMs - nowMs;
      // With nothing to send there is no hurry, and each decision looks at all that is suspect.
      if (waitMs > 0 && state.queue.size === 0) return waitMs;
      this.#decidedMs = nowMs;
      if (fuse.decide(zone.spec, state.owned, nowMs)) this.#changed();
      this.#park();
    }
    return fuse.againMs(nowMs) ?? Infinity;
  }

  /** What is held leaves the queue; what no longer is comes back. */
  #park(): void {
    const { fuse, state, mark, tell } = this.#options;
    for (const key of this.#parked) {
      if (fuse.isHeld(key)) continue;
      this.#parked.delete(key);
      const group = state.groups.get(key);
      if (group?.isHeld !== true) continue;
      group.isHeld = false;
      mark(key);
      tell(key);
    }
    for (const key of fuse.heldServices()) {
      this.#parked.add(key);
      const group = state.groups.get(key);
      if (group === undefined || group.isHeld) continue;
      group.isHeld = true;
      state.queue.remove(key);
      tell(key);
    }
  }

  #changed(): void {
    const { fuse, log, state, tell } = this.#options;
    if (fuse.held !== undefined) {
      const { hash, services, recordSets } = fuse.held;
      log.warn('mass change is held', { zone: state.name, hash, services, recordSets });
    }
    tell(undefined);
    this.#tellPeople(this.#told === undefined ? tellAfterMs : tellAgainAfterMs);
  }

  #tellPeople(afterMs: number): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    const { clock, fuse, events, signal } = this.#options;
    clock.after(afterMs, () => {
      this.#isTelling = false;
      const { held } = fuse;
      if (signal.aborted || held?.hash === this.#told) return;
      this.#told = held?.hash;
      if (held === undefined) events.released();
      else events.held(held, fuse.heldServices());
    });
  }
}
