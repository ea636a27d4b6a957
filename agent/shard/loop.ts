// Makes the cluster's Services what the assignment says, one key at a time: reads the assignment
// and the cache, plans a step, has it audited, takes it, and looks again until there is nothing
// to do. Woken by the assignment, by the watch (drift) and by the API server's return.
// Each outcome is reported; a failure comes back with backoff and is reported once per reason.
// Next: plan.ts (what is decided), take-step.ts (what is done).

import type { ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { InvariantError, MeshError } from '../../common/pure/errors.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Informer } from '../../common/runtime/informer.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { createActs, type ShardActs } from './acts.ts';
import type { ApiGate, Assignment, RecordEvent } from './assignment.ts';
import { auditShard } from './audit.ts';
import { decodeShard } from './decode.ts';
import { isHanging, isLostRace, retryDelayMs, toFailure, toNamespaceForbidden } from './failure.ts';
import { KeyMemories } from './key-memory.ts';
import { callsMax, createLanes, type Lanes } from './lanes.ts';
import { createMemberEvents } from './member-events.ts';
import { noResidue } from './plan-drift.ts';
import type { LocalGuard } from './plan-guard.ts';
import { planRecovery } from './plan-recovery.ts';
import { planShard, type ShardAction, type ShardSituation, type Wish } from './plan.ts';
import { createRemovalBudget, createRemovalNotes, type RemovalBudget } from './removal-budget.ts';
import { nextLookMs, noteLook, toFightResult, truceLeftMs } from './step-fight.ts';
import { StepTaker, type Step } from './take-step.ts';

export interface ShardApplierPorts {
  readonly kube: KubeClient;
  readonly services: Informer<Service>;
  readonly assignment: Assignment;
  readonly gate: ApiGate;
  readonly report: (result: ShardResult) => void;
  readonly record: RecordEvent;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ShardApplierSettings {
  readonly federation: string;
  readonly guard: LocalGuard;
}

export interface ShardApplier {
  /** Keys waiting or running. */
  depth(): number;
  stop(): Promise<void>;
}

type Again = { readonly againAfterMs: number } | undefined;

// namespace, creation, repair, apply, mark of adoption, and a look at the end; a drift is read
// once more before. More steps mean that somebody changes it as fast as we do.
const stepsMax = 8;
// Our own write comes back by the watch; when it does not, look again.
const echoMs = 5_000;
// Nobody's clock is wrong by more; what was removed before that is long over.
const removalsForgottenMs = 900_000;
// What the cluster makes of our writes is tried anew this often.
const residueMs = 300_000;
// Of the many removals that wait, not all look at once whether there is room.
const removalSpreadMs = 2_000;

export function createShardApplier(
  ports: ShardApplierPorts,
  settings: ShardApplierSettings,
): ShardApplier {
  return new Applier(ports, settings);
}

class Applier implements ShardApplier {
  readonly #ports: ShardApplierPorts;
  readonly #settings: ShardApplierSettings;
  readonly #memories: KeyMemories;
  readonly #budget: RemovalBudget;
  readonly #noteRemovals: () => Promise<void>;
  readonly #acts: ShardActs;
  readonly #taker: StepTaker;
  readonly #lanes: Lanes;
  readonly #loop: Loop<ServiceKey>;
  readonly #unsubscribes: readonly (() => void)[];
  #knowsRemovals = false;

  constructor(ports: ShardApplierPorts, settings: ShardApplierSettings) {
    const { clock, chance, log } = ports;
    this.#ports = ports;
    this.#settings = settings;
    this.#memories = new KeyMemories(ports.report);
    this.#budget = createRemovalBudget(clock, settings.guard.removalsPerMinute);
    this.#noteRemovals = createRemovalNotes({ ...ports, budget: this.#budget });
    this.#acts = createActs(ports.kube);
    this.#taker = new StepTaker({
      ...ports,
      acts: this.#acts,
      memories: this.#memories,
      budget: this.#budget,
      noteRemovals: this.#noteRemovals,
      memberEvents: createMemberEvents(ports),
    });
    const run = (key: ServiceKey): Promise<Again> => this.#run(key);
    this.#loop = createLoop({ name: 'shard', run, clock, chance, log, concurrency: callsMax });
    this.#lanes = createLanes((key) => this.#loop.mark(key));
    this.#unsubscribes = this.#subscribe();
    if (ports.services.hasSynced()) this.#begin();
  }

  depth(): number {
    return this.#loop.depth();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    await this.#loop.stop();
  }

  #subscribe(): readonly (() => void)[] {
    const { assignment, services, gate } = this.#ports;
    return [
      assignment.subscribe((key) => {
        this.#memories.of(key).isOwed = true;
        this.#loop.mark(key);
      }),
      services.subscribe({
        onChange: ({ key, object, previous }) => {
          const serviceKey = key as ServiceKey; // the cache is keyed by namespace/name
          const memory = this.#memories.known(serviceKey);
          if (memory?.written !== undefined)
            memory.written = { ...memory.written, pendingFrom: undefined };
          const isOurs = [object, previous].some(
            (one) => one !== undefined && federationOf(one) !== undefined,
          );
          if (isOurs || assignment.shard(serviceKey) !== undefined) this.#loop.mark(serviceKey);
        },
        onSynced: () => this.#begin(),
      }),
      gate.subscribe((isFresh) => {
        if (isFresh) this.#markAll();
      }),
    ];
  }

  /** With the first list: what an empty data folder does not know, the shards themselves do. */
  #begin(): void {
    const { services, assignment, log } = this.#ports;
    const { federation } = this.#settings;
    const isHeld = (key: ServiceKey): boolean =>
      assignment.shard(key) !== undefined || assignment.order(key) !== undefined;
    const found = planRecovery(services.values(), { federation, isHeld });
    this.#markAll();
    if (found.shards.length + found.orders.length === 0) return;
    assignment.recover(found).catch((error: unknown) => {
      log.warn('what the shards say was held is not taken up', { error: describeError(error) });
    });
  }

  /** I13. A life that ends often would otherwise remove as much as it likes. */
  #knowRemovals(): void {
    if (this.#knowsRemovals) return;
    this.#knowsRemovals = true;
    const { assignment, services, clock, log } = this.#ports;
    const { federation, guard } = this.#settings;
    const nowMs = clock.now();
    const note = assignment.removals();
    if (note !== undefined) {
      const isLately = nowMs - note.atMs < removalsForgottenMs;
      if (isLately) this.#budget.assume(Math.min(note.count, guard.removalsPerMinute));
      return;
    }
    // An empty folder in a cluster that has shards: as many may just have gone as may go.
    const hasShards = [...services.values()].some((one) => federationOf(one) === federation);
    this.#budget.assume(hasShards ? guard.removalsPerMinute : 0);
    this.#noteRemovals().catch((error: unknown) =>
      log.warn('how many shards were removed is not noted', { error: describeError(error) }),
    );
  }

  #markAll(): void {
    for (const key of this.#ports.assignment.keys()) this.#loop.mark(key);
  }

  async #run(key: ServiceKey): Promise<Again> {
    const { services, assignment, gate } = this.#ports;
    if (!services.hasSynced()) return undefined; // I3; the first list wakes every key
    this.#knowRemovals();
    const shard = assignment.shard(key);
    if (shard === undefined && assignment.order(key) === undefined) {
      this.#memories.forget(key);
      return undefined;
    }
    if (!gate.isFresh()) {
      this.#memories.report(toUnreachable(key, shard?.hash));
      return undefined; // its return wakes every key
    }
    if (this.#isEchoDue(key)) return { againAfterMs: echoMs };
    if (!this.#lanes.enter(key)) return undefined;
    let isSlow = false;
    try {
      const again = await this.#takeSteps(key);
      this.#memories.of(key).failures = 0;
      return again;
    } catch (error) {
      isSlow = isHanging(error);
      return this.#fail(key, error);
    } finally {
      this.#lanes.leave(key, isSlow);
    }
  }

  #isEchoDue(key: ServiceKey): boolean {
    const written = this.#memories.known(key)?.written;
    if (written?.pendingFrom === undefined) return false;
    if (this.#ports.clock.monotonicMs() >= written.atMs + echoMs) return false;
    const wished = this.#ports.assignment.shard(key)?.hash;
    return wished === written.hash || wished === undefined;
  }

  async #takeSteps(key: ServiceKey): Promise<Again> {
    const { services, assignment } = this.#ports;
    let observed = services.get(key);
    if (observed === undefined && assignment.shard(key) === undefined) {
      // The answer to an order is final: an absent Service is looked for where it would be.
      observed = await this.#acts.read(key);
    }
    let step: Step = {
      observed,
      isNamespaceMissing: false,
      hasApplied: false,
      isRepaired: false,
      isFresh: false,
    };
    for (let count = 1; count <= stepsMax; count += 1) {
      const situation = this.#readSituation(key, step);
      if ('outcome' in situation) {
        this.#tell(situation);
        return undefined;
      }
      const action = planShard(situation);
      const doubt = auditShard(action, situation);
      if (doubt !== undefined) return this.#refuseDoubted(situation, doubt);
      if (action.kind === 'nothing' || action.kind === 'refuse')
        return this.#settle(action, situation);
      const next = await this.#taker.take(action, situation, step);
      if (next === 'done') return undefined;
      step = next;
    }
    const message = `shard ${key}: somebody changes it as fast as we do`;
    throw new MeshError('retryable', 'SHARD_CONTENDED', message);
  }

  #readSituation(key: ServiceKey, step: Step): ShardSituation | ShardResult {
    const { assignment, clock } = this.#ports;
    const memory = this.#memories.of(key);
    const { written } = memory;
    const shard = assignment.shard(key);
    let wish: Wish | undefined;
    if (shard !== undefined) {
      const decoded = decodeShard(shard);
      if (decoded.kind === 'invalid') {
        const { message } = decoded;
        return { key, hash: shard.hash, outcome: 'refused', reason: 'Invalid', message };
      }
      wish = decoded.wish;
    }
    // Whatever overruled us may have ended.
    const isOld = written !== undefined && clock.monotonicMs() >= written.atMs + residueMs;
    const residue = isOld || written?.hash !== wish?.hash ? undefined : written?.residue;
    const fight = memory.fight?.hash === wish?.hash ? memory.fight : undefined;
    const result = toFightResult(key, fight);
    // A repair that has been counted in this run is made.
    const isTruce = !step.isFresh && truceLeftMs(fight, clock.monotonicMs()) > 0;
    return {
      key,
      ...this.#settings,
      wish,
      order: assignment.order(key),
      observed: step.observed,
      residue: residue ?? noResidue,
      isNamespaceMissing: step.isNamespaceMissing,
      hasApplied: step.hasApplied,
      isRepaired: step.isRepaired,
      fight: result === undefined ? undefined : { result, isTruce },
      removalsLeft: this.#budget.left(),
    };
  }

  #settle(
    action: Extract<ShardAction, { kind: 'nothing' | 'refuse' }>,
    situation: ShardSituation,
  ): Again {
    const { key, wish, order } = situation;
    const memory = this.#memories.of(key);
    const { result } = action;
    const nowMs = this.#ports.clock.monotonicMs();
    if (wish === undefined) {
      if (result !== undefined) this.#tell(result);
      const isWaiting = order !== undefined && result?.outcome === 'failed';
      return isWaiting ? this.#untilNextRemoval() : undefined;
    }
    const isTruce = situation.fight?.isTruce === true && result === situation.fight.result;
    const isRight = !isTruce || this.#isAsWished(situation);
    const before = memory.fight;
    memory.fight = noteLook(before, { hash: wish.hash, isRight }, nowMs);
    const isOver = before?.truce !== undefined && memory.fight?.truce === undefined;
    if (isOver) {
      this.#ports.log.info('nobody fights for the shard any more', { key });
      return { againAfterMs: 1 }; // tells how it is then
    }
    if (result !== undefined) this.#tell(result);
    const isOverruled = (memory.written?.residue.size ?? 0) > 0;
    const againAfterMs = nextLookMs(memory.fight, nowMs) ?? (isOverruled ? residueMs : undefined);
    return againAfterMs === undefined ? undefined : { againAfterMs };
  }

  /** While nothing is put right: is there anything to put right? */
  #isAsWished(situation: ShardSituation): boolean {
    return planShard({ ...situation, fight: undefined }).kind === 'nothing';
  }

  #untilNextRemoval(): Again {
    const untilMs = this.#budget.untilNextMs();
    if (untilMs === undefined) return undefined; // a confirmation wakes it
    const spreadMs = this.#ports.chance.fraction() * removalSpreadMs;
    return { againAfterMs: Math.ceil(untilMs + spreadMs) };
  }

  /** To the coordinator; a refusal that is news to this cluster's people as well. */
  #tell(result: ShardResult): void {
    const isNews = this.#memories.report(result);
    const isBad = result.outcome === 'failed' || result.outcome === 'refused';
    if (!isNews || !isBad) return;
    const { key, outcome, reason, message } = result;
    this.#ports.log.warn('shard not as wished', { key, outcome, reason, detail: message });
  }

  #refuseDoubted({ key, wish }: ShardSituation, doubt: string): undefined {
    const { log, metrics } = this.#ports;
    log.error('audit refuses a step', { key, doubt });
    metrics.count('mesh_shard_audit_refusals_total');
    this.#tell({
      key,
      hash: wish?.hash,
      outcome: 'refused',
      reason: 'AuditRefused',
      message: doubt,
    });
  }

  #fail(key: ServiceKey, error: unknown): Again {
    if (error instanceof InvariantError) throw error;
    const memory = this.#memories.of(key);
    const hash = this.#ports.assignment.shard(key)?.hash;
    memory.written = undefined;
    if (memory.failedHash !== hash) memory.failures = 0; // another wish is another matter
    memory.failedHash = hash;
    memory.failures += 1;
    const fraction = this.#ports.chance.fraction();
    const againAfterMs = retryDelayMs(error, { failures: memory.failures, fraction });
    // A lost race is no failure: the next look has the newer version.
    if (isLostRace(error)) return { againAfterMs };
    const isNamespace = error instanceof MeshError && error.code === 'NAMESPACE_FORBIDDEN';
    this.#tell(isNamespace ? toNamespaceForbidden(key, hash) : toFailure(key, hash, error));
    this.#ports.metrics.count('mesh_shard_failures_total');
    return { againAfterMs };
  }
}

function toUnreachable(key: ServiceKey, hash: ShardResult['hash']): ShardResult {
  return {
    key,
    hash,
    outcome: 'failed',
    reason: 'ApiUnreachable',
    message: 'the API server of the cluster does not answer; nothing is changed until it does',
  };
}
