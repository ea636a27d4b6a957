// Keeps the placement view and its durable records true. Woken per Service; each run reads the
// Service, its record and its orders, plans, audits, writes, then shows the result in the view.
//
//   L1. The view shows a shard from when the record that names its cluster is in the log until the
//       record forgets it: between the two it has an owner.
//   L2. Every write is guarded by the lease holder's term (I12).
//   L3. A refused plan, or one that the audit doubts, leaves clusters and orders as they are.
//
// What wakes a run: ./triggers.ts. How a shard and a Service end: ./removal.ts.

import { isthmusGroup, type ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import {
  isFederated,
  splitServiceKey,
  toLogKey,
  toLogPrefix,
  toRevision,
  type ClusterName,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { Shard, ShardManifest } from '../../common/model/shard.ts';
import type { EventRecorder, PlacementView, TermGuard } from '../../common/model/views.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { contentHash } from '../../common/pure/digest.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Desired, StoredObject } from '../desired/store.ts';
import { Announcer } from './announce.ts';
import { auditRecords } from './audit.ts';
import { ClusterList } from './cluster-list.ts';
import { PlacementTable, type Due } from './fold.ts';
import { PendingRevisions } from './pending.ts';
import { planPlacement, type PlacementPlan } from './plan.ts';
import { planRecords, type RecordStep, type Wish } from './plan-records.ts';
import {
  clustersIn,
  placementKey,
  removalOrderKey,
  removalOrdersOf,
  toPlacementObject,
  toRemovalObject,
  toRemovalOrder,
} from './records.ts';
import { acknowledge, finalize, writeGuarded } from './removal.ts';
import { watchTriggers } from './triggers.ts';

export interface PlacementOptions {
  readonly desired: Desired;
  readonly term: TermGuard;
  /** Whether the cluster's agent is connected; a delete does not wait for one that is not. */
  readonly isReachable: (cluster: ClusterName) => boolean;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface Placement extends PlacementView {
  /** The agent did what the order says. Stale revisions are ignored. */
  acknowledgeRemoval(order: {
    cluster: ClusterName;
    key: ServiceKey;
    revision: Revision;
  }): Promise<void>;
  /** The cluster's agent came or went: deletes may wait, or need not any more. */
  markReachability(cluster: ClusterName): void;
  start(): void;
  stop(): Promise<void>;
  idle(): Promise<void>;
}

// Another writer was faster: read again soon.
const conflictWaitMs = 20;

interface Stage extends PlacementOptions {
  readonly table: PlacementTable;
  readonly clusters: ClusterList;
  readonly announcer: Announcer;
  readonly tell: (due: readonly Due[]) => void;
}

/** `settled`: the view reflects what was read. `conflict`: it must be read again. */
type RunResult =
  | { readonly kind: 'settled'; readonly againAfterMs: number | undefined }
  | { readonly kind: 'conflict' };

export function createPlacement(options: PlacementOptions): Placement {
  const { desired, clock, chance, log } = options;
  const table = new PlacementTable();
  const pending = new PendingRevisions();
  const clusters = new ClusterList(desired);
  const listeners = new Set<(due: Due) => void>();
  const tell = (due: readonly Due[]): void => {
    for (const one of due) for (const listener of listeners) listener(one);
  };
  const announcer = new Announcer(options.recorder, log);
  const stage: Stage = { ...options, table, clusters, announcer, tell };
  const run = async (key: ServiceKey): Promise<{ readonly againAfterMs: number } | undefined> => {
    pending.begin(key);
    // A run that fails settles too: the view then shows what the records say, which is safe, and
    // one Service must not hold back the revision of all (I10). The loop comes back to it.
    let result: RunResult = { kind: 'settled', againAfterMs: undefined };
    try {
      result = await reconcile(stage, key);
    } finally {
      if (result.kind === 'settled') pending.settle(key);
    }
    if (result.kind === 'conflict') return { againAfterMs: conflictWaitMs };
    return result.againAfterMs === undefined ? undefined : { againAfterMs: result.againAfterMs };
  };
  const loop = createLoop<ServiceKey>({ name: 'placement', run, clock, chance, log });
  const stops: (() => void)[] = [];
  return {
    revision: () => toViewRevision(pending.lowest(), desired.revision()),
    shard: (cluster, key) => table.shard(cluster, key),
    shardsOf: (cluster) => table.shardsOf(cluster),
    clustersOf: (key) => table.clustersOf(key),
    removalsOf: (cluster) => table.removalsOf(cluster),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    acknowledgeRemoval: (order) => acknowledge(stage, order),
    markReachability: (cluster) => {
      for (const { key } of table.removalsOf(cluster)) loop.mark(key);
    },
    start: () =>
      stops.push(...watchTriggers({ desired, clock, clusters, table, pending, loop, tell })),
    stop: async () => {
      for (const stop of stops.splice(0)) stop();
      await loop.stop();
    },
    idle: () => loop.idle(),
  };
}

function toViewRevision(pending: Revision | undefined, current: Revision): Revision {
  return pending === undefined ? current : toRevision(pending - 1);
}

async function reconcile(stage: Stage, key: ServiceKey): Promise<RunResult> {
  const { desired, table, tell, announcer, clusters } = stage;
  // All reads that decide come before the first await, so they are of one revision.
  const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  const stored = isFederated(key) ? desired.get(at) : undefined;
  const service = stored?.object as Service | undefined; // by its log key
  const plan = service === undefined ? undefined : planFor(stage, service);
  const shard = plan === undefined ? undefined : toShard(key, plan.manifest);
  const input = {
    wish: toWish(service, plan),
    recorded: clustersIn(desired.get(placementKey(key))),
    orders: [...desired.list(removalOrdersOf(key))].map(toRemovalOrder),
    clusters: clusters.read().names,
  };
  const steps = planRecords(input);
  const finding = auditRecords(input, steps);
  announcer.refusal(key, service, toRefusal(input.wish, plan, finding));
  // L1 holds for these already; when the store takes no writes, they must not vanish (I3).
  if (shard !== undefined) tell(table.place(key, input.recorded, shard));
  for (const step of finding === undefined ? steps : []) {
    if (!(await take(stage, key, step))) return { kind: 'conflict' };
  }
  const shown = clustersIn(desired.get(placementKey(key)));
  tell(table.place(key, shown, shard));
  announcer.moves(key, service, { before: input.recorded, after: shown });
  const isEnding = stored !== undefined && service !== undefined && isGoing(service);
  return isEnding && finding === undefined
    ? end(stage, key, stored)
    : { kind: 'settled', againAfterMs: undefined };
}

async function end(stage: Stage, key: ServiceKey, stored: StoredObject): Promise<RunResult> {
  const decision = await finalize(stage, key, stored);
  if (decision.kind === 'conflict') return decision;
  const againAfterMs = decision.kind === 'wait' ? decision.againAfterMs : undefined;
  return { kind: 'settled', againAfterMs };
}

function planFor({ desired, clusters }: Stage, service: Service): PlacementPlan {
  const namespace = service.metadata.namespace ?? '';
  const policies = toLogPrefix(isthmusGroup, 'servicepolicies', namespace);
  return planPlacement({
    service,
    policies: [...desired.list(policies)].map(({ object }) => object as ServicePolicy),
    clusters: clusters.read().all,
  });
}

function isGoing(service: Service): boolean {
  return service.metadata.deletionTimestamp !== undefined;
}

function toWish(service: Service | undefined, plan: PlacementPlan | undefined): Wish {
  if (plan === undefined || service === undefined || isGoing(service)) {
    const isReleased = service?.metadata.finalizers?.includes('orphan') === true;
    return { kind: 'remove', mode: isReleased ? 'release' : 'delete' };
  }
  return plan.kind === 'placed' ? { kind: 'place', clusters: plan.clusters } : { kind: 'keep' };
}

function toRefusal(
  wish: Wish,
  plan: PlacementPlan | undefined,
  finding: string | undefined,
): { readonly reason: string; readonly message: string } | undefined {
  if (finding !== undefined) return { reason: 'PlacementAuditFailed', message: finding };
  return plan?.kind === 'refused' && wish.kind === 'keep' ? plan : undefined;
}

function toShard(key: ServiceKey, manifest: ShardManifest): Shard {
  const bytes = Buffer.from(toCanonicalJson(manifest), 'utf8');
  return { key, bytes, hash: contentHash(bytes) };
}

/** Writes one step; false when somebody else was faster. */
async function take(stage: Stage, key: ServiceKey, step: RecordStep): Promise<boolean> {
  const { desired, metrics } = stage;
  const at = toStepKey(key, step);
  const object = toStepObject(key, step);
  const current = desired.get(at)?.revision ?? toRevision(0);
  if (object === undefined && current === 0) return true;
  const expected = step.kind === 'cancel' ? step.order.revision : current;
  const outcome = await writeGuarded(stage, { key: at, object, expected });
  if (outcome.kind === 'conflict') return false;
  metrics.count('mesh_placement_records_written_total', { kind: step.kind });
  return true;
}

function toStepKey(key: ServiceKey, step: RecordStep): ReturnType<typeof placementKey> {
  if (step.kind === 'record') return placementKey(key);
  return removalOrderKey(step.kind === 'order' ? step.cluster : step.order.cluster, key);
}

function toStepObject(key: ServiceKey, step: RecordStep): KubeObject | undefined {
  if (step.kind === 'order') return toRemovalObject(step.cluster, key, step.mode);
  if (step.kind === 'cancel' || step.clusters === undefined) return undefined;
  return toPlacementObject(key, step.clusters);
}
