// Writes one zone, one request after the other: takes what is most urgent, packs it, writes the
// batch down, sends it, and settles what became of it. Runs while the lease is held.
//
//   W1. (I12) A batch is in the log, under our term, before it is sent, and carries the fence.
//   W2. Nothing is guessed: a batch without a certain answer is settled by reading the fence, and
//       nothing else is sent until it is.
//   W3. (I10) One zone's provider delays that zone only; one bad group delays itself only.
//   W4. What is urgent waits for one request in flight at most, never for a queue.

import type { ServiceKey } from '../../../common/model/ids.ts';
import type { DnsZoneState } from '../../../common/model/views.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import type { DnsProvider, GroupOutcome } from '../provider/provider.ts';
import type { Calls } from './calls.ts';
import type { Journal, SentBatch, SentGroup } from './journal.ts';
import { packBatch, type Packed } from './pack.ts';
import type { FenceScope } from './step-fence.ts';
import { toFenceScope, type ZoneFence } from './zone-fence.ts';
import type { ZoneFuse } from './zone-fuse.ts';
import type { ZoneHolds } from './zone-holds.ts';
import type { ZoneOutcomes } from './zone-outcomes.ts';
import type { Planned, ZoneState } from './zone-state.ts';

export interface WriterOptions {
  readonly state: ZoneState;
  readonly zone: () => DnsZoneState | undefined;
  readonly provider: () => DnsProvider | undefined;
  readonly federation: string;
  readonly calls: Calls;
  readonly fence: ZoneFence;
  readonly fuse: ZoneFuse;
  readonly journal: Journal;
  readonly holds: ZoneHolds;
  readonly outcomes: ZoneOutcomes;
  /** Plans this Service anew; undefined: nothing to send of it now. */
  readonly plan: (key: ServiceKey) => Planned | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

// Publications come one by one as the log takes them: so long is waited for what comes with the
// first. A tenth of the half second in which a withdrawal has to be on its way.
const gatherUrgentMs = 50;
const gatherMs = 200;
const errorWaitMs = 1000;

export class ZoneWriter {
  readonly #options: WriterOptions;
  readonly #abort = new AbortController();
  #done: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #isAwake = false;
  /** Ends a wait for a token that is not urgent. */
  #waiting: AbortController | undefined;
  /** Sent, and not settled yet. */
  #doubt: SentBatch | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#doubt = this.#options.journal.sent(this.#options.state.name);
    this.#done ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.wake();
    await this.#done;
  }

  /** Something may be due. */
  wake(): void {
    this.#isAwake = true;
    this.#wake?.();
    if (this.#options.state.queue.has(0)) this.#waiting?.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await this.#turn();
      } catch (error) {
        if (this.#isDeposed(error)) return;
        waitMs = errorWaitMs;
      }
      if (waitMs > 0 && !signal.aborted) await this.#rest(waitMs);
    }
  }

  #isDeposed(error: unknown): boolean {
    const { log, state } = this.#options;
    if (!(error instanceof MeshError)) throw error;
    const isDeposed = error.code === 'TERM_LOST';
    const said = isDeposed ? 'zone is no longer written: the lease is lost' : 'zone not written';
    log.warn(said, { zone: state.name, error: describeError(error) });
    return isDeposed;
  }

  #rest(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const end = (): void => {
        timer?.cancel();
        this.#wake = undefined;
        this.#isAwake = false;
        resolve();
      };
      if (this.#isAwake) return end();
      if (waitMs !== Infinity) timer = this.#options.clock.after(waitMs, end);
      this.#wake = end;
    });
  }

  /** One step; answers how long there is nothing to do unless woken. */
  async #turn(): Promise<number> {
    const { state, clock } = this.#options;
    this.#isAwake = false;
    const [zone, provider] = [this.#options.zone(), this.#options.provider()];
    if (zone === undefined || provider === undefined) return Infinity;
    if (zone.spec.frozen === true || zone.refusal !== undefined) return Infinity;
    const nowMs = clock.monotonicMs();
    if (nowMs < state.blockedUntilMs) return state.blockedUntilMs - nowMs;
    const scope = this.#scope(zone, provider);
    if (this.#needsFence(zone, provider)) return this.#settle(zone, provider, scope);
    const heldMs = this.#options.holds.decide(zone, nowMs);
    const first = state.queue.firstMs();
    if (first === undefined) {
      const isOver = zone.isDeleting && state.groups.size === 0 && !state.hasNoFence;
      return isOver ? this.#leave(scope) : heldMs;
    }
    const waitMs = first + (state.queue.has(0) ? gatherUrgentMs : gatherMs) - nowMs;
    return waitMs > 0 ? waitMs : this.#submit(zone, provider, scope);
  }

  #scope(zone: DnsZoneState, provider: DnsProvider): FenceScope {
    const at = { federation: this.#options.federation, domain: zone.spec.domain };
    return toFenceScope(at, provider.capabilities);
  }

  /** Nothing is in doubt, and nothing may be on its way from somebody else. */
  #needsFence(zone: DnsZoneState, provider: DnsProvider): boolean {
    const { state, fence } = this.#options;
    if (this.#doubt !== undefined) return true;
    if (!provider.capabilities.hasCompareAndSet || fence.isHeld()) return false;
    return state.groups.size > 0 || (zone.isDeleting && !state.hasNoFence);
  }

  async #settle(zone: DnsZoneState, provider: DnsProvider, scope: FenceScope): Promise<number> {
    const { state, fence, outcomes } = this.#options;
    const doubt = this.#doubt;
    if (!provider.capabilities.hasCompareAndSet) {
      if (doubt === undefined) return 0;
      await outcomes.doubted(doubt.groups);
      await this.#forget();
      return 0;
    }
    const settled = await fence.settle(scope, doubt, zone.spec.takeOverFrom ?? []);
    switch (settled.kind) {
      case 'applied':
      case 'held':
        outcomes.reached();
        outcomes.unfenced();
        if (doubt !== undefined) await this.#settled(doubt, settled.kind === 'applied');
        return 0;
      case 'seen':
        await outcomes.doubted(doubt?.groups ?? []);
        await this.#forget();
        return 0;
      case 'stop':
        return outcomes.fencedOff(settled.reason, settled.message);
      case 'throttled':
      case 'stopped':
        return 0;
      case 'denied':
      case 'unavailable':
        return outcomes.troubled(settled.kind, settled.message);
      default:
        return state.blockedUntilMs;
    }
  }

  async #settled(batch: SentBatch, wasApplied: boolean): Promise<void> {
    const { outcomes } = this.#options;
    if (wasApplied) await outcomes.applied(batch, batch.groups, undefined);
    else outcomes.undone(batch.groups);
    await this.#forget();
  }

  async #forget(): Promise<void> {
    const { journal, state } = this.#options;
    await journal.settled(state.name);
    this.#doubt = undefined;
  }

  async #submit(zone: DnsZoneState, provider: DnsProvider, scope: FenceScope): Promise<number> {
    const { state, calls, clock, outcomes } = this.#options;
    const urgency = state.queue.has(0) ? 0 : 1;
    if (!(await this.#admit(urgency))) return 0;
    this.#options.holds.decide(zone, clock.monotonicMs());
    const hasFence = provider.capabilities.hasCompareAndSet;
    const next = this.#options.fence.next(scope);
    const packed = this.#pack(provider, hasFence ? provider.measure(next.group) : noCost);
    outcomes.oversize(packed.oversize, provider.capabilities.limits);
    if (packed.groups.length === 0) return state.queue.size === 0 ? 0 : gatherUrgentMs;
    const sent = { fence: next.value, groups: outcomes.submitted(packed.groups) };
    try {
      await this.#options.journal.send(state.name, sent);
    } catch (error) {
      outcomes.undone(sent.groups); // not sent
      throw error;
    }
    this.#doubt = sent;
    if (hasFence) this.#options.fence.sent(next.value);
    const fence = hasFence ? { fence: next.group } : {};
    const answers = await calls.apply({ groups: sent.groups.map(toPlain), ...fence });
    return this.#answered(sent, answers, scope);
  }

  /** False: something more urgent came, or we stop. */
  async #admit(urgency: 0 | 1): Promise<boolean> {
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    this.#abort.signal.addEventListener('abort', stop, { once: true });
    if (urgency > 0) this.#waiting = waiting;
    const isAdmitted = await this.#options.calls.admit(urgency, waiting.signal);
    this.#waiting = undefined;
    this.#abort.signal.removeEventListener('abort', stop);
    return isAdmitted && !this.#abort.signal.aborted;
  }

  #pack(provider: DnsProvider, fenceCost: Packed['oversize'][number]['cost']): Packed {
    const { state, fuse, plan, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const candidates = function* () {
      for (const key of state.queue.next(nowMs)) {
        const planned = plan(key);
        // What this look found suspect is decided on first.
        if (planned === undefined) continue;
        if (planned.suspicion !== undefined && (fuse.isUndecided || !fuse.isWhole)) continue;
        yield planned.group;
      }
    };
    return packBatch({
      candidates: candidates(),
      measure: (group) => provider.measure(group),
      limits: provider.capabilities.limits,
      fence: fenceCost,
      groupsMax: state.groupsMax,
    });
  }

  async #answered(
    sent: SentBatch,
    answers: ReadonlyMap<string, GroupOutcome>,
    scope: FenceScope,
  ): Promise<number> {
    const { fence, outcomes } = this.#options;
    const first = answers.get(sent.groups[0]?.id ?? '') ?? unanswered;
    switch (first.kind) {
      case 'unknown':
        // W2. `fenced` too: an SDK that asked twice was told so of its own first request.
        fence.drop();
        return outcomes.unanswered(first.message);
      case 'fenced':
        fence.drop();
        return 0;
      case 'throttled':
      case 'denied':
      case 'unavailable':
        outcomes.undone(sent.groups);
        await this.#forget();
        return first.kind === 'throttled' ? 0 : outcomes.troubled(first.kind, first.message);
      case 'applied':
      case 'conflict':
      case 'rejected':
      case 'notTried':
        outcomes.reached();
        return this.#divide(sent, answers, scope);
      default:
        return 0;
    }
  }

  async #divide(
    sent: SentBatch,
    answers: ReadonlyMap<string, GroupOutcome>,
    scope: FenceScope,
  ): Promise<number> {
    const { fence, outcomes } = this.#options;
    const isApplied = ({ id }: SentGroup): boolean => answers.get(id)?.kind === 'applied';
    const applied = sent.groups.filter(isApplied);
    if (applied.length > 0) {
      fence.moved(sent.fence, scope);
      await outcomes.applied(sent, applied, changeOf(answers));
    }
    const others = sent.groups.filter((group) => !isApplied(group));
    if (others.length > 0) outcomes.refused(others, answers);
    await this.#forget();
    return 0;
  }

  async #leave(scope: FenceScope): Promise<number> {
    const { fence, outcomes } = this.#options;
    const removed = await fence.remove(scope);
    if (removed === 'removed') return outcomes.left();
    return removed.kind === 'throttled' ? 0 : outcomes.troubled('unavailable', removed.message);
  }
}

const noCost = { changes: 0, bytes: 0 };
const unanswered: GroupOutcome = { kind: 'unknown', message: 'the provider said nothing of it' };

function toPlain({ id, deletes, creates }: SentGroup): SentGroup {
  return { id, deletes, creates };
}

function changeOf(answers: ReadonlyMap<string, GroupOutcome>): string | undefined {
  for (const answer of answers.values()) {
    if (answer.kind === 'applied' && answer.change !== undefined) return answer.change;
  }
  return undefined;
}
