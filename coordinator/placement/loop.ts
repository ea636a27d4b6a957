// Keeps the placement view and its durable records true. Woken per Service; each run reads the
// Service, its record and its orders, plans, audits, writes, then shows the result in the view.
//
//   L1. The view shows a shard only after the record that names its cluster is in the log.
//   L2. Every write is guarded by the lease holder's term (I12).

import {
  isthmusGroup,
  type Cluster,
  type ServicePolicy,
} from '../../common/model/isthmus-kinds.ts';
import {
  splitLogKey,
  splitServiceKey,
  toClusterName,
  toLogKey,
  toLogPrefix,
  toRevision,
  toServiceKey,
  type ClusterName,
  type LogKey,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { Shard, ShardManifest } from '../../common/model/shard.ts';
import type { EventRecorder, PlacementView, TermGuard } from '../../common/model/views.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { contentHash } from '../../common/pure/digest.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { parseTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Desired, StoredObject, ViewEvent } from '../desired/store.ts';
import { auditRecords } from './audit.ts';
import { planFinalize, withoutOurFinalizers } from './finalize.ts';
import { PlacementTable, type Due } from './fold.ts';
import { planPlacement, type PlacementPlan } from './plan.ts';
import { planRecords, type RecordStep, type Wish } from './plan-records.ts';
import {
  clustersIn,
  placementKey,
  placementsPrefix,
  removalOrderKey,
  removalOrdersOf,
  removalOrdersPrefix,
  toPlacementObject,
  toRemovalObject,
  toRemovalOrder,
} from './records.ts';

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

const servicesPrefix = toLogPrefix('', 'services');
const policiesPrefix = toLogPrefix(isthmusGroup, 'servicepolicies');
const clustersPrefix = toLogPrefix(isthmusGroup, 'clusters');
const publicationsPrefix = toLogPrefix(isthmusGroup, 'publications');

interface Stage extends PlacementOptions {
  readonly table: PlacementTable;
  readonly tell: (due: readonly Due[]) => void;
  /** Last refusal told per Service, so that one is told once. */
  readonly refusals: Map<ServiceKey, string>;
}

export function createPlacement(options: PlacementOptions): Placement {
  const { desired } = options;
  const table = new PlacementTable();
  const listeners = new Set<(due: Due) => void>();
  const tell = (due: readonly Due[]): void => {
    for (const one of due) for (const listener of listeners) listener(one);
  };
  const stage: Stage = { ...options, table, tell, refusals: new Map() };
  const loop = createLoop<ServiceKey>({
    name: 'placement',
    run: async (key) => {
      try {
        return await reconcile(stage, key);
      } finally {
        table.settle(key);
      }
    },
    clock: options.clock,
    chance: options.chance,
    log: options.log,
  });
  const stops: (() => void)[] = [];
  return {
    revision: () => toViewRevision(table.lowestPending(), desired.revision()),
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
    start: () => stops.push(...watchAll(stage, loop)),
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

function watchAll(stage: Stage, loop: Loop<ServiceKey>): readonly (() => void)[] {
  const { desired, table } = stage;
  const mark = (key: ServiceKey, at: StoredObject): void => {
    table.expect(key, at.revision);
    loop.mark(key);
  };
  const markAll = (at: StoredObject): void => {
    for (const stored of desired.list(servicesPrefix)) mark(serviceKeyOf(stored.object), at);
  };
  const markPolicy = (policy: KubeObject | undefined, at: StoredObject): void => {
    const name = (policy as ServicePolicy | undefined)?.spec?.serviceName;
    const namespace = policy?.metadata.namespace;
    if (name !== undefined && namespace !== undefined) mark(toServiceKey({ namespace, name }), at);
  };
  return [
    follow(desired, removalOrdersPrefix, ({ kind, current }) => {
      const order = toRemovalOrder(current);
      table.order(order, kind === 'deleted' ? undefined : order);
      stage.tell([order]);
      loop.mark(order.key);
    }),
    // A Service may have gone while nobody held the lease; its record remembers it.
    follow(desired, placementsPrefix, ({ kind, current }) => {
      if (kind === 'added') mark(serviceKeyOf(current.object), current);
    }),
    follow(desired, servicesPrefix, ({ current }) => mark(serviceKeyOf(current.object), current)),
    follow(desired, policiesPrefix, ({ current, previous }) => {
      markPolicy(current.object, current);
      markPolicy(previous?.object, current);
    }),
    follow(desired, clustersPrefix, ({ kind, current, previous }) => {
      if (kind === 'modified' && hasSameLabels(current.object, previous?.object)) return;
      for (const order of table.removalsOf(toClusterName(current.object.metadata.name)))
        mark(order.key, current);
      markAll(current);
    }),
    follow(desired, publicationsPrefix, ({ kind, current }) => {
      if (kind === 'deleted') loop.mark(publishedKey(current.key));
    }),
  ];
}

/** What is there now as `added`, then each change. */
function follow(desired: Desired, prefix: string, onEvent: (event: ViewEvent) => void): () => void {
  const from = desired.revision();
  for (const current of desired.list(prefix))
    onEvent({ kind: 'added', current, previous: undefined });
  const watch = desired.watch(prefix, from, (events) => events.forEach(onEvent));
  if (watch === 'expired') throw new MeshError('retryable', 'WATCH_EXPIRED', `watching ${prefix}`);
  return () => watch.cancel();
}

function serviceKeyOf({ metadata }: KubeObject): ServiceKey {
  return toServiceKey({ namespace: metadata.namespace ?? '', name: metadata.name });
}

/** Publications are named `<service>.<domain>`, and a Service's name has no dot. */
function publishedKey(at: LogKey): ServiceKey {
  const { namespace, name } = splitLogKey(at);
  return toServiceKey({ namespace, name: name.split('.', 1)[0] ?? name });
}

function hasSameLabels(a: KubeObject, b: KubeObject | undefined): boolean {
  return toCanonicalJson(a.metadata.labels ?? {}) === toCanonicalJson(b?.metadata.labels ?? {});
}

type Again = { readonly againAfterMs: number } | undefined;

async function reconcile(stage: Stage, key: ServiceKey): Promise<Again> {
  const { desired, table, tell } = stage;
  const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  const stored = desired.get(at);
  const service = stored?.object as Service | undefined;
  const plan = service === undefined || isGoing(service) ? undefined : planFor(desired, service);
  const record = desired.get(placementKey(key));
  const input = {
    wish: toWish(service, plan),
    recorded: clustersIn(record),
    orders: [...desired.list(removalOrdersOf(key))].map(toRemovalOrder),
    clusters: new Set(
      [...desired.list(clustersPrefix)].map(({ object }) => toClusterName(object.metadata.name)),
    ),
  };
  const steps = planRecords(input);
  const finding = auditRecords(input, steps);
  tellRefusal(stage, key, service, plan, finding);
  if (finding !== undefined) return undefined;
  for (const step of steps) {
    if (!(await take(stage, key, step))) return { againAfterMs: conflictWaitMs };
  }
  const shown = clustersIn(desired.get(placementKey(key)));
  tell(table.place(key, shown, plan === undefined ? undefined : toShard(key, plan.manifest)));
  tellMoves(stage, key, service, { before: input.recorded, after: shown });
  return stored !== undefined && service !== undefined && isGoing(service)
    ? finalize(stage, key, stored, service)
    : undefined;
}

function planFor(desired: Desired, service: Service): PlacementPlan {
  const namespace = service.metadata.namespace ?? '';
  const policies = toLogPrefix(isthmusGroup, 'servicepolicies', namespace);
  return planPlacement({
    service,
    policies: [...desired.list(policies)].map(({ object }) => object as ServicePolicy),
    clusters: [...desired.list(clustersPrefix)].map(({ object }) => object as Cluster),
  });
}

function isGoing(service: Service): boolean {
  return service.metadata.deletionTimestamp !== undefined;
}

function toWish(service: Service | undefined, plan: PlacementPlan | undefined): Wish {
  if (plan === undefined) {
    const isReleased = service?.metadata.finalizers?.includes('orphan') === true;
    return { kind: 'remove', mode: isReleased ? 'release' : 'delete' };
  }
  return plan.kind === 'placed' ? { kind: 'place', clusters: plan.clusters } : { kind: 'keep' };
}

function toShard(key: ServiceKey, manifest: ShardManifest): Shard {
  const bytes = Buffer.from(toCanonicalJson(manifest), 'utf8');
  return { key, bytes, hash: contentHash(bytes) };
}

/** Writes one step; false when somebody else was faster. */
async function take(
  { desired, term, metrics }: Stage,
  key: ServiceKey,
  step: RecordStep,
): Promise<boolean> {
  const guard = term.guard();
  const at =
    step.kind === 'record'
      ? placementKey(key)
      : step.kind === 'order'
        ? removalOrderKey(step.cluster, key)
        : removalOrderKey(step.order.cluster, key);
  const expected =
    step.kind === 'cancel' ? step.order.revision : (desired.get(at)?.revision ?? toRevision(0));
  const object = toStepObject(key, step);
  if (object === undefined && desired.get(at) === undefined) return true;
  const outcome = await desired.write({ key: at, object, expected, guard });
  if (outcome.kind === 'fenced') throw new MeshError('fatal', 'FENCED', 'the lease is lost');
  if (outcome.kind === 'written')
    metrics.count('mesh_placement_records_written_total', { kind: step.kind });
  return outcome.kind === 'written';
}

function toStepObject(key: ServiceKey, step: RecordStep): KubeObject | undefined {
  if (step.kind === 'order') return toRemovalObject(step.cluster, key, step.mode);
  if (step.kind === 'cancel' || step.clusters === undefined) return undefined;
  return toPlacementObject(key, step.clusters);
}

async function finalize(
  { desired, term, clock, isReachable }: Stage,
  key: ServiceKey,
  stored: StoredObject,
  service: Service,
): Promise<Again> {
  const { namespace, name } = splitServiceKey(key);
  const published = desired.list(`${toLogPrefix(isthmusGroup, 'publications', namespace)}${name}.`);
  const since = parseTimestamp(service.metadata.deletionTimestamp) ?? clock.now();
  const wait = planFinalize({
    orders: [...desired.list(removalOrdersOf(key))].map(toRemovalOrder),
    isPublished: [...published].length > 0,
    isReachable,
    elapsedMs: clock.now() - since,
  });
  if (wait !== undefined) return wait;
  const finalizers = withoutOurFinalizers(service.metadata.finalizers);
  if (finalizers.length === (service.metadata.finalizers ?? []).length) return undefined;
  const next =
    finalizers.length === 0
      ? undefined
      : { ...service, metadata: { ...service.metadata, finalizers } };
  const outcome = await desired.write({
    key: stored.key,
    object: next,
    expected: stored.revision,
    guard: term.guard(),
  });
  return outcome.kind === 'conflict' ? { againAfterMs: conflictWaitMs } : undefined;
}

async function acknowledge(
  { desired, term, log }: Stage,
  order: { readonly cluster: ClusterName; readonly key: ServiceKey; readonly revision: Revision },
): Promise<void> {
  const at = removalOrderKey(order.cluster, order.key);
  if (desired.get(at)?.revision !== order.revision) return;
  await desired.write({
    key: at,
    object: undefined,
    expected: order.revision,
    guard: term.guard(),
  });
  log.info('removal acknowledged', { cluster: order.cluster, service: order.key });
}

function tellRefusal(
  { recorder, refusals, log }: Stage,
  key: ServiceKey,
  service: Service | undefined,
  plan: PlacementPlan | undefined,
  finding: string | undefined,
): void {
  const refusal =
    finding === undefined
      ? plan?.kind === 'refused'
        ? { reason: plan.reason, message: plan.message }
        : undefined
      : { reason: 'PlacementAuditFailed', message: finding };
  const text = refusal === undefined ? undefined : `${refusal.reason}: ${refusal.message}`;
  if (refusals.get(key) === text) return;
  if (text === undefined || refusal === undefined) {
    refusals.delete(key);
    return;
  }
  refusals.set(key, text);
  log.warn('placement refused', { service: key, why: text });
  recorder.record({ regarding: regarding(key, service), type: 'Warning', ...refusal });
}

function tellMoves(
  { recorder }: Stage,
  key: ServiceKey,
  service: Service | undefined,
  moves: { readonly before: readonly ClusterName[]; readonly after: readonly ClusterName[] },
): void {
  const came = moves.after.filter((cluster) => !moves.before.includes(cluster));
  const went = moves.before.filter((cluster) => !moves.after.includes(cluster));
  const tell = (reason: string, message: string): void =>
    recorder.record({ regarding: regarding(key, service), type: 'Normal', reason, message });
  if (came.length > 0) tell('Placed', `Placed in ${came.join(', ')}`);
  if (went.length > 0) tell('Removing', `Leaving ${went.join(', ')}`);
}

function regarding(key: ServiceKey, service: Service | undefined) {
  return { apiVersion: 'v1', kind: 'Service', ...splitServiceKey(key), uid: service?.metadata.uid };
}
