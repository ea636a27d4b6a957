// Takes one planned step in the cluster, remembers what was written and what the server made of
// it, and tells people of what was put right, taken over or given up.

import type { ServiceKey } from '../../common/model/ids.ts';
import { fieldManager } from '../../common/model/isthmus-kinds.ts';
import type { JsonObject, Service } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { ShardActs } from './acts.ts';
import type { Assignment, RecordEvent } from './assignment.ts';
import { findCulprit } from './culprit.ts';
import type { DriftNote, KeyMemories, WrittenMark } from './key-memory.ts';
import type { MemberEvents } from './member-events.ts';
import { planAdoptedMark, planRepair, toConfiguration } from './plan-configuration.ts';
import { findDifferences, noResidue, withoutResidue, type Residue } from './plan-drift.ts';
import { tooManyRemovals } from './plan-guard.ts';
import type { ShardAction, ShardSituation } from './plan.ts';
import type { RemovalBudget } from './removal-budget.ts';
import { isFought, noteRepair } from './step-fight.ts';

export interface StepPorts {
  readonly acts: ShardActs;
  readonly memories: KeyMemories;
  readonly budget: RemovalBudget;
  readonly noteRemovals: () => Promise<void>;
  readonly memberEvents: MemberEvents;
  readonly assignment: Assignment;
  readonly record: RecordEvent;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Where one run over a key stands. */
export interface Step {
  readonly observed: Service | undefined;
  readonly isNamespaceMissing: boolean;
  readonly hasApplied: boolean;
  readonly isRepaired: boolean;
  /** A drift was read afresh, and counted, in this run. */
  readonly isFresh: boolean;
}

// Answers after which the Service is still there (kube-client.ts, leader/fenced-kube.ts).
const undoneCodes: ReadonlySet<string> = new Set([
  'KUBE_ADMISSION_REFUSED',
  'KUBE_CONFLICT',
  'KUBE_FORBIDDEN',
  'KUBE_INVALID',
  'KUBE_THROTTLED',
  'KUBE_UNAUTHORIZED',
  'KUBE_WEBHOOK_FAILED',
  'NOT_LEADING',
]);

type Taken = Exclude<ShardAction, { kind: 'nothing' | 'refuse' }>;
type Writing = Extract<ShardAction, { kind: 'apply' | 'repair' }>;

export class StepTaker {
  readonly #ports: StepPorts;

  constructor(ports: StepPorts) {
    this.#ports = ports;
  }

  /** Throws MeshError; what follows from it is the loop's part. */
  async take(action: Taken, situation: ShardSituation, step: Step): Promise<'done' | Step> {
    const { acts, metrics } = this.#ports;
    const { key } = situation;
    const isFirst = !step.isFresh && !step.hasApplied;
    if ('cause' in action && isFirst && this.#isDrift(action, situation)) {
      return this.#lookAfresh(action, situation, step);
    }
    if (action.kind === 'apply' && action.cause === 'created' && isFirst) {
      // An apply takes over what it finds, and the watch may be behind: whose it is comes first.
      const live = await acts.read(key);
      if (live !== undefined) return { ...step, observed: live };
    }
    metrics.count('mesh_shard_actions_total', { action: action.kind });
    const next = { ...step, isNamespaceMissing: false };
    try {
      switch (action.kind) {
        case 'createNamespace':
          await this.#makeNamespace(action.namespace);
          return next;
        case 'create':
          return { ...next, observed: await acts.create(key, action.object) };
        case 'markOrder':
          return { ...next, observed: await this.#markOrder(action.patch, situation) };
        case 'repair':
          return { ...next, isRepaired: true, observed: await this.#repair(action, situation) };
        case 'apply':
          return {
            ...next,
            hasApplied: true,
            isRepaired: false,
            observed: await this.#apply(action, situation),
          };
        case 'delete':
        case 'release':
          await this.#giveUp(action, situation);
          return 'done';
      }
    } catch (error) {
      const code = error instanceof MeshError ? error.code : '';
      if (code !== 'KUBE_NAMESPACE_MISSING' || step.isNamespaceMissing) throw error;
      return { ...step, isNamespaceMissing: true };
    }
  }

  /** Somebody changed, or deleted, what we had applied. */
  #isDrift(action: Writing, { key, wish }: ShardSituation): boolean {
    if (action.cause === 'drifted') return action.fields.length > 0;
    const applied = this.#ports.memories.known(key)?.appliedHash;
    return action.cause === 'created' && applied !== undefined && applied === wish?.hash;
  }

  /** Who did it stands in managedFields, which the cache does not keep; and it may be over. */
  async #lookAfresh(action: Writing, situation: ShardSituation, step: Step): Promise<Step> {
    const { acts, memories, clock, log, metrics } = this.#ports;
    const { key, wish } = situation;
    const live = await acts.read(key);
    const fields = live === undefined || wish === undefined ? [] : fieldsOf(situation, live);
    const isOver = live !== undefined && action.cause === 'drifted' && fields.length === 0;
    if (!isOver && wish !== undefined) {
      const manager = live === undefined ? undefined : findCulprit(live, fields, fieldManager);
      const memory = memories.of(key);
      const repair = { hash: wish.hash, manager, fields };
      const wasFought = isFought(memory.fight);
      memory.fight = noteRepair(memory.fight, repair, clock.monotonicMs());
      if (isFought(memory.fight) && !wasFought) {
        metrics.count('mesh_shard_fights_total');
        log.warn('somebody undoes each repair of a shard', { key, manager, fields });
      }
      memory.drift = { manager, fields };
    }
    return { ...step, observed: live, isFresh: true };
  }

  async #makeNamespace(namespace: string): Promise<void> {
    try {
      await this.#ports.acts.createNamespace(namespace);
    } catch (error) {
      const isForbidden = error instanceof MeshError && error.code === 'KUBE_FORBIDDEN';
      if (!isForbidden) throw error;
      throw new MeshError('retryable', 'NAMESPACE_FORBIDDEN', error.message, error);
    }
  }

  /** The Service may be gone at the federation by now: an Event is where people still look. */
  async #markOrder(patch: readonly JsonObject[], { key, guard }: ShardSituation): Promise<Service> {
    const { acts, record, memberEvents } = this.#ports;
    const marked = await acts.patch(key, patch);
    const { message } = tooManyRemovals(key, guard);
    const event = { type: 'Warning', reason: 'RemovalWaits', message } as const;
    record({ key, ...event });
    memberEvents.record(key, marked, event);
    return marked;
  }

  async #repair(
    action: Extract<ShardAction, { kind: 'repair' }>,
    situation: ShardSituation,
  ): Promise<Service> {
    const { key } = situation;
    const repaired = await this.#ports.acts.patch(key, action.patch);
    if (action.cause === 'adopted') this.#tellAdopted(key, repaired);
    // A webhook that writes its own value into it would have us repair for ever.
    this.#noteWritten(situation, residueOf(situation, repaired, true));
    return repaired;
  }

  async #apply(
    action: Extract<ShardAction, { kind: 'apply' }>,
    situation: ShardSituation,
  ): Promise<Service> {
    const { acts, memories, clock } = this.#ports;
    const { key, observed, wish } = situation;
    const memory = memories.of(key);
    const mark: WrittenMark = {
      hash: wish?.hash,
      pendingFrom: observed?.metadata.resourceVersion ?? 'absent',
      atMs: clock.monotonicMs(),
      residue: noResidue,
    };
    memory.written = mark;
    let applied = await acts.apply(key, action.configuration);
    const isAdoptedUnseen = action.cause === 'created' && isOthersToo(applied);
    if (isAdoptedUnseen) applied = await acts.patch(key, planAdoptedMark(applied));
    const isPending = memory.written === mark; // else the watch was faster than the answer
    const isChange = applied.metadata.resourceVersion !== mark.pendingFrom;
    memory.written = {
      ...mark,
      pendingFrom: isPending && isChange ? mark.pendingFrom : undefined,
      residue: residueOf(situation, applied),
    };
    this.#tellApplied(isAdoptedUnseen ? 'adopted' : action.cause, situation, applied, isChange);
    return applied; // a look at what it became: foreign values may remain
  }

  #noteWritten({ key, wish }: ShardSituation, residue: Residue): void {
    const memory = this.#ports.memories.of(key);
    memory.written = {
      hash: wish?.hash,
      pendingFrom: undefined,
      atMs: this.#ports.clock.monotonicMs(),
      residue,
    };
  }

  #tellApplied(
    cause: Extract<ShardAction, { kind: 'apply' }>['cause'],
    { key, wish }: ShardSituation,
    applied: Service,
    isChange: boolean,
  ): void {
    const { log, record, memories, memberEvents } = this.#ports;
    log.info('shard applied', { key, cause, hash: wish?.hash });
    // Results tell the coordinator the rest: it makes its events of them.
    if (cause === 'adopted') this.#tellAdopted(key, applied);
    const memory = memories.of(key);
    const { drift } = memory;
    memory.drift = undefined;
    if (drift === undefined || !isChange) return;
    const event = {
      type: 'Warning',
      reason: 'DriftRepaired',
      message: toDriftText(drift),
    } as const;
    if (isFought(memory.fight)) return; // its result tells it once
    record({ key, ...event });
    memberEvents.record(key, applied, event);
  }

  #tellAdopted(key: ServiceKey, adopted: Service): void {
    const message =
      'adopted as a shard of a federated Service; what it was is kept in its annotations';
    this.#ports.memberEvents.record(key, adopted, { type: 'Normal', reason: 'Adopted', message });
  }

  /** I13: it is counted on disk before it is asked for, so that the next life counts it too. */
  async #remove(
    key: ServiceKey,
    uid: string,
    { order, observed }: Pick<ShardSituation, 'order' | 'observed'>,
  ): Promise<void> {
    const { acts, budget, noteRemovals, log, assignment } = this.#ports;
    const spending = budget.spend();
    try {
      await noteRemovals();
    } catch (error) {
      spending.undone();
      throw error;
    }
    // A batch that came meanwhile has woken the key: it is looked at again.
    if (assignment.order(key)?.revision !== order?.revision) return spending.undone();
    try {
      const { resourceVersion } = observed?.metadata ?? {};
      await acts.delete(key, { uid, resourceVersion });
    } catch (error) {
      if (isUndone(error)) spending.undone();
      else spending.done();
      throw error;
    }
    spending.done();
    log.info('shard deleted', { key }); // removed only when the watch says so: a finalizer may hold it
  }

  async #giveUp(
    action: Extract<ShardAction, { kind: 'delete' | 'release' }>,
    { key, order, observed }: ShardSituation,
  ): Promise<void> {
    const { acts, log, assignment, memories, memberEvents } = this.#ports;
    if (action.kind === 'delete') return await this.#remove(key, action.uid, { order, observed });
    const isRestored = await acts.release(key, action.uid);
    log.info('shard released', { key, isRestored });
    const message = isRestored
      ? 'given up by the federation; it is as it was before'
      : 'given up by the federation; it keeps its values';
    memberEvents.record(key, observed, { type: 'Normal', reason: 'Released', message });
    // A newer order or wish that came meanwhile has woken the key and gets its own answer.
    if (assignment.order(key)?.revision === order?.revision) memories.report(action.result);
  }
}

function isUndone(error: unknown): boolean {
  return error instanceof MeshError && undoneCodes.has(error.code);
}

function fieldsOf({ wish, federation, residue }: ShardSituation, live: Service): readonly string[] {
  if (wish === undefined) return [];
  const differences = findDifferences(toConfiguration(wish, federation, live), live);
  return withoutResidue(differences, residue).map(({ field }) => field);
}

/** Ports and selector can be put right by a repair yet, unless that was just done. */
function residueOf(
  { wish, federation, isRepaired }: ShardSituation,
  written: Service,
  isAfterRepair = isRepaired,
): Residue {
  if (wish === undefined) return noResidue;
  const differences = findDifferences(toConfiguration(wish, federation, written), written);
  const repair = isAfterRepair
    ? []
    : planRepair(wish, federation, { observed: written, differences, hasApplied: true });
  const due = new Set(repair.map(({ path }) => String(path).slice(1).replaceAll('/', '.')));
  return new Set(differences.filter(({ field }) => !due.has(field)).map(({ text }) => text));
}

/** Somebody else's fields on what we meant to create: it was there a moment before. */
function isOthersToo({ metadata }: Service): boolean {
  return (metadata.managedFields ?? []).some(
    (entry) =>
      entry['manager'] !== fieldManager && 'f:spec' in ((entry['fieldsV1'] as JsonObject) ?? {}),
  );
}

function toDriftText({ manager, fields }: DriftNote): string {
  const who = manager ?? 'somebody';
  const rest = fields.length > 5 ? ` and ${fields.length - 5} more fields` : '';
  return fields.length === 0
    ? 'the Service was deleted in the cluster; it is there again'
    : `${who} changed ${fields.slice(0, 5).join(', ')}${rest} in the cluster; it is as wished again`;
}
