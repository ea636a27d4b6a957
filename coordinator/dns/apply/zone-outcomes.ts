// What follows from each answer of a provider: what is recorded, who is tried again and when, and
// what people learn of it. The writer asks in order; nothing here calls the provider.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { AppliedZone } from '../../../common/model/views.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import type { BatchLimits, GroupOutcome, RecordGroup } from '../provider/provider.ts';
import type { Journal, SentBatch, SentGroup } from './journal.ts';
import type { Packed } from './pack.ts';
import { applyGroup } from './plan-group.ts';
import type { ZoneEvents } from './zone-events.ts';
import type { ZoneFollow } from './zone-follow.ts';
import type { ZoneFuse } from './zone-fuse.ts';
import type { Group, ZoneState, ZoneTrouble } from './zone-state.ts';

export interface OutcomesOptions {
  readonly state: ZoneState;
  readonly journal: Journal;
  readonly fuse: ZoneFuse;
  readonly events: ZoneEvents;
  readonly follow: ZoneFollow;
  readonly hasChangeStatus: () => boolean;
  /** Looks at a Service again. */
  readonly mark: (key: ServiceKey) => void;
  /** Reads a Service's names, then looks at it again. */
  readonly reread: (key: ServiceKey) => void;
  /** Others learn; `key` undefined: of the zone. */
  readonly tell: (key: ServiceKey | undefined) => void;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Doubling from the first to the last. */
interface Wait {
  readonly firstMs: number;
  readonly lastMs: number;
}

const troubleWaits = {
  denied: { firstMs: 5000, lastMs: 300_000 },
  unavailable: { firstMs: 1000, lastMs: 60_000 },
} as const;
const quarantine = { firstMs: 5000, lastMs: 600_000 };
// As often as what stands in one Service's way: one name is read, and somebody may have removed it.
const fencedWait = { firstMs: 10_000, lastMs: 60_000 };
/** Shorter trouble is retried without a word: providers have it every day. */
const tellAfterMs = 30_000;
// A conflict is read and decided at once; one that comes back so often is somebody who fights.
const conflictsAtOnce = 3;
const unansweredAtOnce = 2;
const writesAtOnce = 32;
const lagBuckets = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 900, 3600];

export class ZoneOutcomes {
  readonly #options: OutcomesOptions;
  #batches = 0;
  /** What was waited for last: failures are counted of one kind alone. */
  #waited: Wait | undefined;

  constructor(options: OutcomesOptions) {
    this.#options = options;
  }

  /** The provider answered. */
  reached(): void {
    const { state } = this.#options;
    state.failures = 0;
    state.blockedUntilMs = 0;
    this.#answers();
  }

  #answers(): void {
    const { state, events, tell } = this.#options;
    events.reached();
    if (state.trouble === undefined) return;
    state.trouble = undefined;
    tell(undefined);
  }

  /** Nothing is sent for a while, longer each time. Answers how long. */
  troubled(kind: 'denied' | 'unavailable', message: string): number {
    return this.#trouble(kind === 'denied' ? 'Denied' : 'Unavailable', message, troubleWaits[kind]);
  }

  /** A batch without an answer is settled at once; when it happens again and again, later. */
  unanswered(message: string): number {
    const { state } = this.#options;
    state.unanswered += 1;
    state.failures = Math.max(0, state.unanswered - unansweredAtOnce);
    const waitMs = this.#trouble('NotAnswering', message, troubleWaits.unavailable);
    if (state.unanswered > unansweredAtOnce) return waitMs;
    state.blockedUntilMs = 0;
    return 0;
  }

  fencedOff(reason: NonNullable<AppliedZone['fence']>['reason'], message: string): number {
    const { state, events, clock, log, tell } = this.#options;
    this.#answers();
    if (state.fenced?.reason !== reason || state.fenced.message !== message) {
      state.fenced = { reason, message, sinceMs: clock.now() };
      events.fenced(reason, message);
      log.error('zone is fenced off', { zone: state.name, reason, detail: message });
      tell(undefined);
    }
    // Another's fence is none of ours to remove.
    state.hasNoFence = true;
    return this.#block(fencedWait);
  }

  unfenced(): void {
    const { state, tell } = this.#options;
    state.hasNoFence = false;
    if (state.fenced === undefined) return;
    state.fenced = undefined;
    tell(undefined);
  }

  /** What goes into the log and to the provider. */
  submitted(groups: readonly RecordGroup[]): readonly SentGroup[] {
    const { state } = this.#options;
    return groups.map((sent): SentGroup => {
      const group = state.groups.get(sent.id as ServiceKey); // ids are keys: plan-group.ts
      if (group === undefined) return sent;
      state.queue.remove(group.key);
      group.isInFlight = true;
      group.writes += 1;
      const after = group.planned?.after;
      // What is recorded, and this change, say it all: unless something was read that is ours too.
      const isImplied = after === undefined || group.observed === undefined;
      return isImplied ? sent : { ...sent, after };
    });
  }

  /** Recorded before anything else is sent (J1). */
  async applied(
    batch: SentBatch,
    groups: readonly SentGroup[],
    change: string | undefined,
  ): Promise<void> {
    const { state, follow, clock, hasChangeStatus, metrics } = this.#options;
    for (let at = 0; at < groups.length; at += writesAtOnce) {
      await Promise.all(groups.slice(at, at + writesAtOnce).map((sent) => this.#record(sent)));
    }
    this.#batches += 1;
    state.unanswered = 0;
    state.groupsMax = state.groupsMax * 2 > 4096 ? Infinity : state.groupsMax * 2;
    const isFollowed = change !== undefined && hasChangeStatus();
    let dueMs = clock.monotonicMs();
    const keys: ServiceKey[] = [];
    for (const sent of groups) {
      const group = state.groups.get(sent.id as ServiceKey);
      if (group === undefined) continue;
      dueMs = Math.min(dueMs, group.dueMs ?? dueMs);
      this.#wentWell(group, sent, isFollowed);
      keys.push(group.key);
    }
    metrics.count(
      'mesh_dns_changes_total',
      { zone: state.name, outcome: 'applied' },
      groups.length,
    );
    if (isFollowed) follow.add({ number: this.#batches, change, keys, dueMs });
    else this.#observeLag(dueMs);
    for (const key of keys) this.#options.mark(key);
    this.#options.log.info('names written', {
      zone: state.name,
      services: groups.length,
      seq: batch.fence.seq,
    });
  }

  /** Served everywhere. */
  live(written: { readonly number: number; readonly keys: readonly ServiceKey[]; dueMs: number }) {
    const { state, tell, mark } = this.#options;
    this.#observeLag(written.dueMs);
    for (const key of written.keys) {
      const group = state.groups.get(key);
      if (group?.batch !== written.number) continue;
      group.batch = undefined;
      tell(key);
      mark(key); // forgotten, if nothing of it is left
    }
  }

  /** Certain that nothing was changed. */
  undone(groups: readonly SentGroup[]): void {
    for (const { id } of groups) {
      const group = this.#options.state.groups.get(id as ServiceKey);
      if (group === undefined) continue;
      group.isInFlight = false;
      this.#options.mark(group.key);
    }
  }

  /**
   * Nobody can say whether it was applied: there is no fence. Whatever it creates may be ours from
   * now on; reading will tell what stands.
   */
  async doubted(groups: readonly SentGroup[]): Promise<void> {
    const { journal, state, clock } = this.#options;
    for (const sent of groups) {
      const key = sent.id as ServiceKey; // ids are keys: plan-group.ts
      const recorded = journal.recorded(key, state.name).sets;
      const maybe = applyGroup(recorded, { deletes: [], creates: sent.creates });
      await journal.record(key, state.name, maybe);
      const group = state.group(key, clock.now());
      group.isInFlight = false;
      this.#reread(group);
    }
  }

  /** A batch that failed for the sake of some of its groups. */
  refused(groups: readonly SentGroup[], answers: ReadonlyMap<string, GroupOutcome>): void {
    const { state, metrics, mark } = this.#options;
    state.unanswered = 0;
    const isNamed = groups.some(({ id }) => {
      const kind = answers.get(id)?.kind;
      return kind === 'conflict' || kind === 'rejected';
    });
    // Nobody says who: half of it next time, until it is one.
    if (!isNamed && groups.length > 1) state.groupsMax = Math.ceil(groups.length / 2);
    for (const { id } of groups) {
      const group = state.groups.get(id as ServiceKey);
      if (group === undefined) continue;
      group.isInFlight = false;
      const answer = answers.get(id) ?? { kind: 'notTried' };
      metrics.count('mesh_dns_changes_total', { zone: state.name, outcome: answer.kind });
      if (answer.kind === 'conflict') this.#conflicted(group);
      else if (answer.kind === 'rejected') this.#rejected(group, 'Rejected', answer.message);
      else if (groups.length === 1 && !isNamed) {
        this.#rejected(group, 'Rejected', 'the provider refuses it without a reason');
      } else mark(group.key);
    }
  }

  /** No request could hold them. */
  oversize(oversize: Packed['oversize'], limits: BatchLimits): void {
    for (const { group, cost } of oversize) {
      const known = this.#options.state.groups.get(group.id as ServiceKey);
      if (known === undefined) continue;
      const message =
        `the names of this Service cost ${cost.changes} changes and ${cost.bytes} bytes of one ` +
        `request, which holds ${limits.changes} and ${limits.bytes}: place it in fewer zones`;
      this.#rejected(known, 'TooLarge', message);
    }
  }

  /** The fence is gone; nothing of ours is left in the zone. */
  left(): number {
    const { state, tell } = this.#options;
    state.hasNoFence = true;
    tell(undefined);
    return Infinity;
  }

  async #record(sent: SentGroup): Promise<void> {
    const { journal, state } = this.#options;
    const key = sent.id as ServiceKey; // ids are keys: plan-group.ts
    const recorded = journal.recorded(key, state.name).sets;
    await journal.record(key, state.name, sent.after ?? applyGroup(recorded, sent));
  }

  #wentWell(group: Group, sent: SentGroup, isFollowed: boolean): void {
    const { fuse, clock, journal, state } = this.#options;
    fuse.spend(group.planned?.suspicion, group.key, clock.monotonicMs());
    group.isInFlight = false;
    // What is foreign there still is: it is read again after a while.
    const isBlocked = group.obstacle !== undefined && group.observed !== undefined;
    group.observed = isBlocked ? applyGroup(group.observed ?? [], sent) : undefined;
    group.planned = undefined;
    group.refusal = undefined;
    group.failures = 0;
    group.notBeforeMs = 0;
    group.dueMs = undefined;
    group.batch = isFollowed ? this.#batches : undefined;
    state.own(group, journal.recorded(group.key, state.name).sets.length);
    state.track(group);
  }

  #conflicted(group: Group): void {
    const { clock, log, state } = this.#options;
    group.failures += 1;
    if (group.failures > conflictsAtOnce) {
      group.notBeforeMs = clock.monotonicMs() + this.#backoff(quarantine, group.failures - 3);
      log.warn('names are being changed by another writer', {
        zone: state.name,
        service: group.key,
        times: group.failures,
      });
    }
    this.#reread(group);
  }

  #rejected(group: Group, reason: string, message: string): void {
    const { clock, events, state, mark } = this.#options;
    group.failures += 1;
    group.notBeforeMs = clock.monotonicMs() + this.#backoff(quarantine, group.failures);
    group.refusal = { reason, message };
    state.queue.remove(group.key);
    state.track(group);
    events.refused(group.key, message);
    mark(group.key);
  }

  #reread(group: Group): void {
    group.observed = undefined;
    group.isReading = true;
    this.#options.reread(group.key);
  }

  #trouble(reason: ZoneTrouble['reason'], message: string, wait: Wait): number {
    const { state, events, clock, log, tell } = this.#options;
    const nowMs = clock.now();
    const isNew = state.trouble?.reason !== reason || state.trouble.message !== message;
    const sinceMs = state.trouble?.sinceMs ?? nowMs;
    if (isNew) {
      state.trouble = { reason, message, sinceMs };
      log.warn('zone cannot be written', { zone: state.name, reason, detail: message });
      tell(undefined);
    }
    if (nowMs - sinceMs >= tellAfterMs) events.failing(reason, message, this.#waiting());
    return this.#block(wait);
  }

  *#waiting(): Iterable<ServiceKey> {
    yield* this.#options.state.unsettled;
  }

  #block(wait: Wait): number {
    const { state, clock } = this.#options;
    if (this.#waited !== wait) state.failures = 0;
    this.#waited = wait;
    state.failures += 1;
    const waitMs = this.#backoff(wait, state.failures);
    state.blockedUntilMs = clock.monotonicMs() + waitMs;
    return waitMs;
  }

  #backoff({ firstMs, lastMs }: Wait, failures: number): number {
    const ceiling = Math.min(lastMs, firstMs * 2 ** Math.min(failures - 1, 20));
    return Math.round(ceiling * (0.5 + this.#options.chance.fraction() / 2));
  }

  #observeLag(dueMs: number): void {
    const { metrics, clock, state } = this.#options;
    const seconds = (clock.monotonicMs() - dueMs) / 1000;
    metrics.observe('mesh_dns_publish_lag_seconds', seconds, { zone: state.name }, lagBuckets);
  }
}
