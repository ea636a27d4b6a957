// One run for one Service: reads it, its policies, its record, its orders and what is published;
// plans, audits, writes, then shows the result in the view.
//
//   L1. The view shows a shard from when the record that names its cluster is in the log until the
//       record forgets it: between the two it has an owner.
//   L2. Every write is guarded by the lease holder's term (I12).
//   L3. A refused plan, or one that the audit doubts, leaves clusters and orders as they are.
//   L4. Names go before shards: of a Service that is being deleted, and of a cluster that leaves.

import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import {
  isFederated,
  splitServiceKey,
  toClusterName,
  toLogKey,
  toRevision,
  type ClusterName,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';
import type { TermGuard } from '../../common/model/views.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Desired, StoredObject } from '../desired/store.ts';
import type { Announcer } from './announce.ts';
import { auditRecords } from './audit.ts';
import type { ClusterList } from './cluster-list.ts';
import type { Due, PlacementTable } from './fold.ts';
import { isLeaving, type PlacementPlan } from './plan.ts';
import type { PolicyIndex } from './policy-index.ts';
import { planContent, type Content } from './plan-content.ts';
import type { Published } from './merge-published.ts';
import { publicationsOf, readPublished, zonesStanding } from './published.ts';
import { moveTimeoutDefaultMs, planMoves, type MovesPlan } from './plan-moves.ts';
import { toNotes } from './plan-notes.ts';
import {
  planRecords,
  wantedOf,
  type RecordStep,
  type RecordsInput,
  type Wish,
} from './plan-records.ts';
import {
  placementKey,
  readRecord,
  removalOrderKey,
  removalOrdersOf,
  toPlacementObject,
  toRemovalObject,
  toRemovalOrder,
  type PlacementRecord,
} from './records.ts';
import { prepare, type Prepared } from './prepare.ts';
import { planNames, type NamesDecision } from './finalize.ts';
import { finalize, sinceDeletion, writeGuarded } from './removal.ts';

export interface Stage {
  readonly desired: Desired;
  readonly term: TermGuard;
  readonly isReachable: (cluster: ClusterName) => boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly table: PlacementTable;
  readonly clusters: ClusterList;
  readonly policies: PolicyIndex;
  readonly announcer: Announcer;
  readonly tell: (due: readonly Due[]) => void;
}

/** `settled`: the view reflects what was read. `conflict`: it must be read again. */
export type RunResult =
  | { readonly kind: 'settled'; readonly againAfterMs: number | undefined }
  | { readonly kind: 'conflict' };

/** Everything that was read and decided, at one revision. */
interface Decision {
  readonly service: Service | undefined;
  readonly plan: PlacementPlan | undefined;
  readonly content: Content | undefined;
  readonly moves: MovesPlan;
  readonly names: NamesDecision;
  readonly input: RecordsInput;
  readonly steps: readonly RecordStep[];
  readonly finding: string | undefined;
  /** What DNS says, in each zone. */
  readonly published: readonly StoredObject[];
}

export async function reconcile(stage: Stage, key: ServiceKey): Promise<RunResult> {
  const { desired } = stage;
  const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  const stored = isFederated(key) ? desired.get(at) : undefined;
  const service = stored?.object as Service | undefined; // by its log key
  if (stored === undefined || service === undefined) {
    return conclude(stage, key, { stored: undefined, service: undefined, prepared: undefined });
  }
  const result = await prepare(stage, key, service, (prepared) =>
    conclude(stage, key, { stored, service, prepared }),
  );
  return result === 'changed' ? { kind: 'conflict' } : result;
}

type Found =
  | { readonly stored: StoredObject; readonly service: Service; readonly prepared: Prepared }
  | { readonly stored: undefined; readonly service: undefined; readonly prepared: undefined };

async function conclude(stage: Stage, key: ServiceKey, found: Found): Promise<RunResult> {
  const { desired, announcer } = stage;
  const { stored, service } = found;
  // All reads that decide come before the first await, so they are of one revision.
  const decision = decide(stage, key, found);
  const { input, steps, finding } = decision;
  announcer.refusal(key, service, toRefusal(decision));
  announcer.moving(key, service, decision.moves);
  announcer.namesLeft(key, service, decision.names.kind === 'go' ? decision.names.left : []);
  // L1 holds for these already; when the store takes no writes, they must not vanish (I3).
  if (service !== undefined) show(stage, key, decision, input.recorded);
  for (const step of finding === undefined ? steps : []) {
    if (!(await take(stage, key, step, decision.published))) return { kind: 'conflict' };
  }
  const isUnchanged = service !== undefined && steps.length === 0;
  const shown = isUnchanged ? input.recorded : readRecord(desired.get(placementKey(key)));
  if (!isUnchanged) show(stage, key, decision, shown);
  announcer.moves(key, service, { before: input.recorded.clusters, after: shown.clusters });
  const isEnding = stored !== undefined && isGoing(service);
  if (isEnding && decision.names.kind === 'wait')
    return { kind: 'settled', againAfterMs: decision.names.againAfterMs };
  return isEnding && finding === undefined
    ? end(stage, key, stored)
    : { kind: 'settled', againAfterMs: decision.moves.againAfterMs };
}

function decide(stage: Stage, key: ServiceKey, { service, prepared }: Found): Decision {
  const { desired, clusters, table } = stage;
  const recorded = readRecord(desired.get(placementKey(key)));
  const known = clusters.read();
  const published = publicationsOf(desired, key);
  const publication = readPublished(desired, key);
  const plan = prepared?.plan;
  const content =
    prepared === undefined
      ? undefined
      : planContent({ key, ...prepared, recorded, shown: (name) => table.shard(name, key) });
  const going = known.leaving.size === 0 ? nobody : toGoing(known.all);
  const names = namesOf(stage, key, service, published);
  const wish = toWish({ service, plan, content, recorded, going, names });
  const moves = movesFor(stage, { wish, plan, recorded, service, going, publication });
  const input: RecordsInput = {
    wish,
    recorded,
    staying: moves.staying,
    kept: content?.kept ?? recorded.kept,
    orders: [...desired.list(removalOrdersOf(key))].map(toRemovalOrder),
    clusters: known.names,
    going,
  };
  const steps = planRecords(input);
  const finding = auditRecords({ ...input, publication }, steps);
  return { service, plan, content, moves, names, input, steps, finding, published };
}

function namesOf(
  { desired, clock }: Stage,
  key: ServiceKey,
  service: Service | undefined,
  published: readonly StoredObject[],
): NamesDecision {
  if (service === undefined || !isGoing(service)) return { kind: 'go', left: [] };
  return planNames({
    isPublished: published.length > 0,
    standing: zonesStanding(desired, key),
    elapsedMs: sinceDeletion(service, clock),
  });
}

function movesFor(
  { clusters, clock }: Stage,
  facts: {
    readonly wish: Wish;
    readonly plan: PlacementPlan | undefined;
    readonly recorded: PlacementRecord;
    readonly service: Service | undefined;
    readonly going: ReadonlyMap<ClusterName, unknown>;
    readonly publication: Published | undefined;
  },
): MovesPlan {
  const { wish, plan, recorded, service, going, publication } = facts;
  const { leaving } = recorded;
  if (wish.kind === 'remove') return { staying: new Map(), stalled: [], againAfterMs: undefined };
  // L4: its names go first; nobody begins to leave meanwhile.
  if (service !== undefined && isGoing(service))
    return { staying: leaving, stalled: [], againAfterMs: undefined };
  const { names } = clusters.read();
  return planMoves({
    wanted: wantedOf(wish),
    recorded: recorded.clusters.filter((name) => names.has(name)),
    leaving,
    going: new Set(going.keys()),
    publication,
    ...moveRules(plan),
    nowMs: clock.now(),
  });
}

function moveRules(plan: PlacementPlan | undefined) {
  const { strategy = 'WhenHealthy', timeoutSeconds } = plan?.policy?.spec?.move ?? {};
  const timeoutMs = timeoutSeconds === undefined ? moveTimeoutDefaultMs : timeoutSeconds * 1000;
  return { strategy, timeoutMs };
}

const nobody: ReadonlyMap<ClusterName, RemovalOrder['mode']> = new Map();

/** P5. `kubectl delete cluster --cascade=orphan` keeps the Services in it. */
function toGoing(clusters: readonly Cluster[]): ReadonlyMap<ClusterName, RemovalOrder['mode']> {
  return new Map(
    clusters
      .filter(isLeaving)
      .map(({ metadata }) => [
        toClusterName(metadata.name),
        metadata.finalizers?.includes('orphan') === true ? 'release' : 'delete',
      ]),
  );
}

function isGoing(service: Service): boolean {
  return service.metadata.deletionTimestamp !== undefined;
}

function toWish(facts: {
  readonly service: Service | undefined;
  readonly plan: PlacementPlan | undefined;
  readonly content: Content | undefined;
  readonly recorded: PlacementRecord;
  readonly going: ReadonlyMap<ClusterName, unknown>;
  readonly names: NamesDecision;
}): Wish {
  const { service, plan, content, recorded, going, names } = facts;
  const staying = recorded.clusters.filter((name) => !recorded.leaving.has(name));
  if (plan === undefined || content === undefined || service === undefined) {
    return { kind: 'remove', mode: 'delete' };
  }
  if (isGoing(service)) {
    if (names.kind === 'wait') return { kind: 'keep', clusters: staying }; // L4
    const isReleased = service.metadata.finalizers?.includes('orphan') === true;
    return { kind: 'remove', mode: isReleased ? 'release' : 'delete' };
  }
  if (plan.kind === 'placed') {
    const clusters = plan.clusters.filter((name) => !content.isEmpty(name));
    return { kind: 'place', clusters };
  }
  return { kind: 'keep', clusters: staying.filter((name) => !going.has(name)) };
}

function toRefusal({
  plan,
  finding,
}: Decision): { readonly reason: string; readonly message: string } | undefined {
  if (finding !== undefined) return { reason: 'PlacementAuditFailed', message: finding };
  return plan?.kind === 'refused' ? plan : undefined;
}

function show(stage: Stage, key: ServiceKey, decision: Decision, record: PlacementRecord): void {
  const { plan, content, moves } = decision;
  const { tell, table } = stage;
  if (plan === undefined || content === undefined) return tell(table.place(key, undefined));
  const notes = toNotes({
    plan,
    refusal: toRefusal(decision),
    leaving: record.leaving,
    stalled: moves.stalled,
    clusters: record.clusters,
  });
  const { clusters, leaving } = record;
  const { shardOf } = content;
  const { weights, backups } = plan;
  tell(table.place(key, { clusters, shardOf, leaving, weights, backups, notes }));
}

async function end(stage: Stage, key: ServiceKey, stored: StoredObject): Promise<RunResult> {
  const decision = await finalize(stage, key, stored);
  if (decision.kind === 'conflict') return decision;
  const againAfterMs = decision.kind === 'wait' ? decision.againAfterMs : undefined;
  return { kind: 'settled', againAfterMs };
}

/** Writes one step; false when somebody else was faster. */
async function take(
  stage: Stage,
  key: ServiceKey,
  step: RecordStep,
  published: readonly StoredObject[],
): Promise<boolean> {
  const { desired, metrics } = stage;
  const at = toStepKey(key, step);
  const object = toStepObject(key, step);
  const current = desired.get(at)?.revision ?? toRevision(0);
  if (object === undefined && current === 0) return true;
  const expected = step.kind === 'cancel' ? step.order.revision : current;
  // I5: an order was planned by what DNS says, which may be about to say something else.
  const standing = step.kind === 'order' ? published : [];
  const outcome = await writeGuarded(stage, { key: at, object, expected }, standing);
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
  if (step.kind === 'cancel' || step.record === undefined) return undefined;
  return toPlacementObject(key, step.record);
}
