// Holds one zone's fence (I12): takes it over, follows it from batch to batch, and settles by it
// what became of a batch without an answer. step-fence.ts decides.
//
//   - Taking over replaces the record before anything else is sent: from then on no request of a
//     former holder, however late, can succeed.
//   - A batch that was applied is recorded before its value is replaced, so that a value which is
//     newer than a batch in doubt says that it was not.
//   - Where somebody removed the record while a batch was in doubt, what that one creates is looked
//     for: a batch is applied as a whole, so a part of it tells of all.
//   - A provider without compare-and-set has no fence: its batches are settled by reading names.

import { assertNever } from '../../../common/pure/errors.ts';
import type {
  GroupOutcome,
  ProviderCapabilities,
  RecordGroup,
  ZoneRecordSet,
} from '../provider/provider.ts';
import type { Calls, Failure } from './calls.ts';
import type { SentBatch } from './journal.ts';
import {
  stepFence,
  toFenceGroup,
  toFenceName,
  toFenceSet,
  type FenceReason,
  type FenceScope,
  type FenceStep,
  type FenceValue,
} from './step-fence.ts';
import { textOf } from './zone-records.ts';

export interface FenceOptions {
  readonly calls: Calls;
  readonly ownerId: string;
  readonly term: () => number;
  readonly signal: AbortSignal;
  /** Newest value of our own term that was sent; outlives a stop, since the term may go on. */
  readonly memory: { sent: FenceValue | undefined };
}

export type Settled =
  /** We may write. The batch that was in doubt was not applied, and never will be. */
  | { readonly kind: 'held' }
  /**
   * The batch that was in doubt was applied. It is to be recorded before the fence is replaced:
   * afterwards nobody could tell.
   */
  | { readonly kind: 'applied' }
  /** The fence is gone and cannot tell, but what the batch in doubt creates stands there. */
  | { readonly kind: 'seen' }
  | { readonly kind: 'stop'; readonly reason: FenceReason; readonly message: string }
  | Failure;

// Each round is two requests; what moves the fence in between is another writer of ours.
const roundsMax = 5;
/** Of a batch: some providers take a request for each. */
const namesSeenMax = 20;

export class ZoneFence {
  readonly #options: FenceOptions;
  #held: { readonly value: FenceValue; readonly set: ZoneRecordSet } | undefined;

  constructor(options: FenceOptions) {
    this.#options = options;
  }

  isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** What stands there is in doubt. */
  drop(): void {
    this.#held = undefined;
  }

  /** The value of the next batch, and the change that goes with it. */
  next(scope: FenceScope): { readonly value: FenceValue; readonly group: RecordGroup } {
    const value = { ...this.#ours(), seq: (this.#options.memory.sent?.seq ?? 0) + 1 };
    return { value, group: toFenceGroup(this.#held?.set, toFenceSet(value, scope)) };
  }

  /** From now on it may stand there. */
  sent(value: FenceValue): void {
    this.#options.memory.sent = value;
  }

  /** It stands there. */
  moved(value: FenceValue, scope: FenceScope): void {
    this.#held = { value, set: toFenceSet(value, scope) };
  }

  /** Makes sure that we may write, and finds out what became of `doubt`. */
  async settle(
    scope: FenceScope,
    doubt: SentBatch | undefined,
    takeOverFrom: readonly string[],
  ): Promise<Settled> {
    this.#held = undefined;
    this.#recall(doubt);
    let unanswered = 0;
    for (let round = 0; round < roundsMax; round += 1) {
      const read = await this.#options.calls.read([toFenceName(scope)], 1);
      if (read.kind !== 'answer') return read;
      const step = this.#step(read.value, takeOverFrom);
      if (step.kind === 'stop') return step;
      const at = step.kind === 'held' ? step.set : step.from;
      if (step.kind === 'held') this.#held = { value: step.at, set: step.set };
      if (doubt !== undefined && isValue(at, doubt.fence, scope)) return { kind: 'applied' };
      if (step.kind === 'held' && doubt === undefined) return { kind: 'held' };
      this.#held = undefined;
      if (doubt !== undefined && at === undefined) {
        const seen = await this.#see(doubt);
        if (seen !== false) return seen;
      }
      const taken = await this.#take(scope, step);
      if (taken === 'taken') return { kind: 'held' };
      if (taken === 'unanswered') unanswered += 1;
      else if (taken !== 'again') return taken;
      if (unanswered > 1) return { kind: 'unavailable', message: 'changes are not answered' };
    }
    return { kind: 'unavailable', message: 'the fence keeps changing: another writer is there' };
  }

  /** Removes the record of a zone that is given up. */
  async remove(scope: FenceScope): Promise<'removed' | Failure> {
    const held = this.#held;
    if (held === undefined) return 'removed';
    const group = { id: 'fence', deletes: [held.set], creates: [] };
    const outcome = (await this.#send(group)).get('fence');
    this.#held = undefined;
    if (outcome?.kind === 'applied') return 'removed';
    return { kind: 'unavailable', message: `${toFenceName(scope)} could not be removed yet` };
  }

  /** Whether anything stands that the batch creates; its fence is gone, so it can no longer come. */
  async #see({ groups }: SentBatch): Promise<false | { readonly kind: 'seen' } | Failure> {
    const creates = groups.flatMap((group) => group.creates);
    const names = [...new Set(creates.map(({ name }) => name))].slice(0, namesSeenMax);
    if (names.length === 0) return false; // it only removes: what still stands is removed again
    const read = await this.#options.calls.read(names, 1);
    if (read.kind !== 'answer') return read;
    const made = new Set(creates.map(textOf));
    return read.value.some((set) => made.has(textOf(set))) && { kind: 'seen' };
  }

  async #send(group: RecordGroup): Promise<ReadonlyMap<string, GroupOutcome>> {
    const { calls, signal } = this.#options;
    await calls.admit(1, signal);
    return calls.apply({ groups: [group] });
  }

  #ours(): { readonly id: string; readonly term: number } {
    return { id: this.#options.ownerId, term: this.#options.term() };
  }

  /** A batch of our own term that was written down may have been sent, also in a former life. */
  #recall(doubt: SentBatch | undefined): void {
    const { memory } = this.#options;
    const { id, term } = this.#ours();
    if (memory.sent !== undefined && memory.sent.term !== term) memory.sent = undefined;
    const fence = doubt?.fence;
    if (fence === undefined || fence.id !== id || fence.term !== term) return;
    if ((memory.sent?.seq ?? 0) < fence.seq) memory.sent = fence;
  }

  #step(standing: readonly ZoneRecordSet[], takeOverFrom: readonly string[]): FenceStep {
    const { sent } = this.#options.memory;
    return stepFence({ ours: this.#ours(), standing, sent, takeOverFrom });
  }

  /** Replaces what stands there, so that what is still on its way can no longer succeed (F3). */
  async #take(
    scope: FenceScope,
    step: Extract<FenceStep, { kind: 'held' | 'take' }>,
  ): Promise<'taken' | 'again' | 'unanswered' | Failure> {
    const from = step.kind === 'held' ? step.set : step.from;
    const seq = (this.#options.memory.sent?.seq ?? 0) + 1;
    const value = step.kind === 'held' ? { ...this.#ours(), seq } : step.next;
    const group = toFenceGroup(from, toFenceSet(value, scope));
    this.sent(value);
    const outcome = (await this.#send(group)).get(group.id);
    switch (outcome?.kind) {
      case 'applied':
        this.moved(value, scope);
        return 'taken';
      case 'denied':
        return { kind: 'denied', message: outcome.message };
      case 'unavailable':
        return { kind: 'unavailable', message: outcome.message };
      case 'rejected':
        return { kind: 'denied', message: `the fence is refused: ${outcome.message}` };
      case 'unknown':
        return 'unanswered';
      case 'throttled':
      case 'conflict':
      case 'fenced':
      case 'notTried':
      case undefined:
        return 'again';
      default:
        return assertNever(outcome);
    }
  }
}

function isValue(set: ZoneRecordSet | undefined, value: FenceValue, scope: FenceScope): boolean {
  return set !== undefined && set.values[0] === toFenceSet(value, scope).values[0];
}

export function toFenceScope(
  at: { readonly federation: string; readonly domain: string },
  capabilities: ProviderCapabilities,
): FenceScope {
  return { ...at, ttlSecondsMin: capabilities.ttlSecondsMin };
}
