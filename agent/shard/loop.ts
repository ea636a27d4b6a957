// Makes the cluster's Services what the assignment says, one key at a time: reads the assignment
// and the cache, plans a step, has it audited, takes it, and looks again until there is nothing
// to do. Woken by the assignment, by the watch (drift) and by the API server's return.
// Each outcome is reported; a failure comes back with backoff and is reported once per reason.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Informer } from '../../common/runtime/informer.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { ApiGate, Assignment, RecordEvent } from './assignment.ts';
import { auditShard } from './audit.ts';
import { decodeShard } from './decode.ts';
import { createActs, type WrittenMark } from './acts.ts';
import {
  planShard,
  type LocalGuard,
  type ShardAction,
  type ShardSituation,
  type Wish,
} from './plan.ts';
import { isFatalRefusal, isLostRace, toFailure } from './failure.ts';
import { createRemovalBudget } from './removal-budget.ts';

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

export interface ShardApplier {
  /** Keys waiting or running. */
  depth(): number;
  stop(): Promise<void>;
}

// namespace, apply, repair, apply, and a look at the end: more steps mean that somebody fights us.
const stepsMax = 6;
// Our own write comes back by the watch; when it does not, look again.
const echoMs = 5_000;
// A refusal as invalid or forbidden changes by a person's hand, not by trying often.
const refusedAgainMs = 60_000;

export function createShardApplier(
  ports: ShardApplierPorts,
  settings: { readonly federation: string; readonly guard: LocalGuard },
): ShardApplier {
  const { assignment, services, gate, clock, log, metrics } = ports;
  const budget = createRemovalBudget(clock, settings.guard.removalsPerMinute);
  const written = new Map<ServiceKey, WrittenMark>();
  const reported = new Map<ServiceKey, string>();
  /** Woken by a batch: must be answered even when the answer is the same. */
  const owed = new Set<ServiceKey>();
  const acts = createActs(ports.kube);

  const report = (result: ShardResult): void => {
    const text = [result.hash, result.outcome, result.reason, result.message].join('|');
    const isNews = reported.get(result.key) !== text;
    reported.set(result.key, text);
    const isOwed = owed.delete(result.key);
    if (isNews || isOwed) ports.report(result);
  };

  const readSituation = (
    key: ServiceKey,
    observed: Service | undefined,
  ): ShardSituation | ShardResult => {
    const shard = assignment.shard(key);
    let wish: Wish | undefined;
    if (shard !== undefined) {
      const decoded = decodeShard(shard);
      if (decoded.kind === 'invalid') {
        return {
          key,
          hash: shard.hash,
          outcome: 'refused',
          reason: 'Invalid',
          message: decoded.message,
        };
      }
      wish = { hash: shard.hash, manifest: decoded.manifest };
    }
    return {
      key,
      ...settings,
      wish,
      order: assignment.order(key),
      observed,
      written: written.get(key),
      isNamespaceMissing: false,
      isRepaired: false,
      removalsLeft: budget.left(),
    };
  };

  const run = async (key: ServiceKey): Promise<{ readonly againAfterMs: number } | undefined> => {
    if (!services.hasSynced()) return undefined; // I3; the first list wakes every key
    const hasWork = assignment.shard(key) !== undefined || assignment.order(key) !== undefined;
    if (!hasWork) {
      forget(key);
      return undefined;
    }
    if (!gate.isFresh()) {
      report(toUnreachable(key, assignment.shard(key)?.hash));
      return undefined; // its return wakes every key
    }
    const mark = written.get(key);
    const isEchoDue = mark?.pendingFrom !== undefined && clock.monotonicMs() < mark.atMs + echoMs;
    const wished = assignment.shard(key)?.hash;
    if (isEchoDue && (wished === mark.hash || wished === undefined))
      return { againAfterMs: echoMs };
    return await runSteps(key);
  };

  const runSteps = async (
    key: ServiceKey,
  ): Promise<{ readonly againAfterMs: number } | undefined> => {
    let observed = services.get(key);
    if (observed === undefined && assignment.shard(key) === undefined) {
      // The answer to an order is final: an absent Service is looked for where it would be.
      try {
        observed = await acts.read(key);
      } catch (error) {
        return fail(key, undefined, error);
      }
    }
    let isNamespaceMissing = false;
    let isRepaired = false;
    for (let step = 1; step <= stepsMax; step += 1) {
      const situation = readSituation(key, observed);
      if ('outcome' in situation) {
        report(situation);
        return undefined;
      }
      const action = planShard({ ...situation, isNamespaceMissing, isRepaired });
      const doubt = auditShard(action, situation);
      if (doubt !== undefined) return refuseDoubted(key, situation, doubt);
      if (action.kind === 'nothing' || action.kind === 'refuse') return settle(action, situation);
      try {
        const outcome = await take(key, action, situation);
        if (outcome === 'done') return undefined;
        observed = outcome.observed;
        isNamespaceMissing = false;
        isRepaired = action.kind === 'repair';
      } catch (error) {
        const code = error instanceof MeshError ? error.code : '';
        written.delete(key);
        if (code === 'KUBE_NAMESPACE_MISSING' && !isNamespaceMissing) isNamespaceMissing = true;
        else return fail(key, situation.wish?.hash, error);
      }
    }
    throw new MeshError(
      'retryable',
      'SHARD_CONTENDED',
      `shard ${key}: somebody changes it as fast as we do`,
    );
  };

  const take = async (
    key: ServiceKey,
    action: Exclude<ShardAction, { kind: 'nothing' | 'refuse' }>,
    situation: ShardSituation,
  ): Promise<'done' | { readonly observed: Service | undefined }> => {
    metrics.count('mesh_shard_actions_total', { action: action.kind });
    switch (action.kind) {
      case 'createNamespace':
        await acts.createNamespace(action.namespace);
        return { observed: situation.observed };
      case 'repair':
        return { observed: await acts.patch(key, action.patch) };
      case 'apply': {
        const mark: WrittenMark = {
          hash: situation.wish?.hash,
          pendingFrom: situation.observed?.metadata.resourceVersion ?? 'absent',
          resourceVersion: '',
          atMs: clock.monotonicMs(),
        };
        written.set(key, mark);
        const applied = await acts.apply(key, action.configuration);
        const isPending = written.get(key) === mark; // else the watch was faster than the answer
        const resourceVersion = applied.metadata.resourceVersion ?? '';
        const pendingFrom =
          isPending && resourceVersion !== mark.pendingFrom ? mark.pendingFrom : undefined;
        written.set(key, { ...mark, resourceVersion, pendingFrom });
        tell(key, action.cause, action.result);
        return { observed: applied }; // a look at what it became: foreign values may remain
      }
      case 'delete':
        budget.spend();
        await acts.delete(key, action.uid);
        log.info('shard deleted', { key });
        return 'done'; // removed only when the watch says so: a finalizer may hold it
      case 'release':
        await acts.release(key, action.uid);
        log.info('shard released', { key });
        // A newer order or wish that came meanwhile has woken the key and gets its own answer.
        if (assignment.order(key)?.revision === situation.order?.revision) report(action.result);
        return 'done';
    }
  };

  const tell = (key: ServiceKey, cause: string, result: ShardResult): void => {
    log.info('shard applied', { key, cause, hash: result.hash });
    // Results tell the rest: the coordinator makes its events of them.
    if (cause !== 'drifted' && !(cause === 'created' && wasApplied(key, result))) return;
    const message = 'the Service was changed in the cluster; it is as wished again';
    ports.record({ key, type: 'Warning', reason: 'DriftRepaired', message });
  };

  const wasApplied = (key: ServiceKey, { hash }: ShardResult): boolean =>
    reported.get(key)?.startsWith(`${hash ?? ''}|applied|`) === true;

  const settle = (
    action: Extract<ShardAction, { kind: 'nothing' | 'refuse' }>,
    situation: ShardSituation,
  ): { readonly againAfterMs: number } | undefined => {
    if (action.result !== undefined) report(action.result);
    if (situation.wish === undefined && action.result?.outcome === 'failed') {
      return { againAfterMs: budget.untilNextMs() };
    }
    return undefined;
  };

  const refuseDoubted = (key: ServiceKey, { wish }: ShardSituation, doubt: string): undefined => {
    log.error('audit refuses a step', { key, doubt });
    metrics.count('mesh_shard_audit_refusals_total');
    report({ key, hash: wish?.hash, outcome: 'refused', reason: 'AuditRefused', message: doubt });
  };

  const fail = (
    key: ServiceKey,
    hash: ContentHash | undefined,
    error: unknown,
  ): { readonly againAfterMs: number } => {
    // A lost race is no failure: the next look has the newer version.
    if (isLostRace(error)) throw error;
    report(toFailure(key, hash, error));
    metrics.count('mesh_shard_failures_total');
    if (isFatalRefusal(error)) return { againAfterMs: refusedAgainMs };
    throw error; // the loop logs it and comes back with backoff
  };

  const forget = (key: ServiceKey): void => {
    written.delete(key);
    reported.delete(key);
    owed.delete(key);
  };

  const loop = createLoop<ServiceKey>({ name: 'shard', run, clock, chance: ports.chance, log });
  const markAll = (): void => {
    for (const key of assignment.keys()) loop.mark(key);
  };
  const unsubscribes = [
    assignment.subscribe((key) => {
      owed.add(key);
      loop.mark(key);
    }),
    services.subscribe({
      onChange: ({ key, object, previous }) => {
        const serviceKey = key as ServiceKey; // the cache is keyed by namespace/name
        dropEcho(written, serviceKey);
        const isOurs = [object, previous].some(
          (one) => one !== undefined && federationOf(one) !== undefined,
        );
        if (isOurs || assignment.shard(serviceKey) !== undefined) loop.mark(serviceKey);
      },
      onSynced: markAll,
    }),
    gate.subscribe((isFresh) => {
      if (isFresh) markAll();
    }),
  ];
  markAll();

  return {
    depth: () => loop.depth(),
    stop: async () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      await loop.stop();
    },
  };
}

function dropEcho(written: Map<ServiceKey, WrittenMark>, key: ServiceKey): void {
  const mark = written.get(key);
  if (mark?.pendingFrom !== undefined) written.set(key, { ...mark, pendingFrom: undefined });
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
