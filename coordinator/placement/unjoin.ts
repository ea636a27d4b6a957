// Sees Clusters out of the federation: holds each by a finalizer, and once it is deleted waits for
// its names and its shards (./plan-unjoin.ts), tells how far that is, and lets it go.

import {
  isthmusApiVersion,
  isthmusGroup,
  unjoinFinalizer,
  type Cluster,
} from '../../common/model/isthmus-kinds.ts';
import { toLogKey, type ClusterName, type Revision } from '../../common/model/ids.ts';
import type { Condition, KubeObject } from '../../common/model/kube-object.ts';
import type { EventRecorder, TermGuard } from '../../common/model/views.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { parseTimestamp, toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { Desired, StoredObject } from '../desired/store.ts';
import type { PlacementTable } from './fold.ts';
import { planUnjoin, type UnjoinPlan } from './plan-unjoin.ts';
import { writeGuarded } from './removal.ts';

export interface UnjoinOptions {
  readonly desired: Desired;
  readonly term: TermGuard;
  readonly table: PlacementTable;
  /** Log revision that the table has reached. */
  readonly reached: () => Revision;
  readonly isReachable: (cluster: ClusterName) => boolean;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

// Another writer was faster, or the table is not there yet: look again soon.
const conflictWaitMs = 20;
const tableWaitMs = 100;
/** Of shards that stay behind so many are named. */
const namesMax = 10;

export function createUnjoin(options: UnjoinOptions): Loop<ClusterName> {
  const { clock, chance, log } = options;
  const run = (name: ClusterName) => reconcileCluster(options, name);
  return createLoop<ClusterName>({ name: 'unjoin', run, clock, chance, log });
}

async function reconcileCluster(
  options: UnjoinOptions,
  name: ClusterName,
): Promise<{ readonly againAfterMs: number } | undefined> {
  const { desired, table, clock, isReachable } = options;
  const stored = desired.get(toLogKey({ group: isthmusGroup, resource: 'clusters', name }));
  if (stored === undefined) return undefined;
  const cluster = stored.object as Cluster; // by its log key
  const since = parseTimestamp(cluster.metadata.deletionTimestamp);
  // Before the table has seen the delete, that it knows of no shard there means nothing (I3).
  if (since !== undefined && options.reached() < stored.revision)
    return { againAfterMs: tableWaitMs };
  const plan = planUnjoin({
    cluster,
    placed: table.placedIn(name).size,
    isOutOfDns: table.isOutOfDns(name),
    ordered: [...table.removalsOf(name)].length,
    isReachable: isReachable(name),
    elapsedMs: clock.now() - (since ?? clock.now()),
  });
  const next = apply(plan, cluster, toTimestamp(clock.now()));
  if (next !== 'unchanged') {
    const { key, revision } = stored;
    const outcome = await writeGuarded(options, { key, object: next, expected: revision });
    if (outcome.kind === 'conflict') return { againAfterMs: conflictWaitMs };
    if (plan.kind === 'go') tellGone(options, stored, plan.left);
  }
  if (plan.kind !== 'wait' || plan.againAfterMs === undefined) return undefined;
  return { againAfterMs: plan.againAfterMs };
}

/** The next Cluster; undefined when it goes. */
function apply(
  plan: UnjoinPlan,
  cluster: Cluster,
  nowText: string,
): KubeObject | undefined | 'unchanged' {
  const { metadata } = cluster;
  const { finalizers = [] } = metadata;
  switch (plan.kind) {
    case 'nothing':
      return 'unchanged';
    case 'hold':
      return {
        ...cluster,
        metadata: { ...metadata, finalizers: [...finalizers, unjoinFinalizer] },
      };
    case 'wait': {
      const conditions = withCondition(cluster.status?.conditions ?? [], plan.condition, nowText);
      if (isSameJson(conditions, cluster.status?.conditions ?? [])) return 'unchanged';
      return { ...cluster, status: { ...cluster.status, conditions } };
    }
    case 'go': {
      // Ours, and the one by which keeping the shards was asked for.
      const left = finalizers.filter((name) => name !== unjoinFinalizer && name !== 'orphan');
      return left.length === 0
        ? undefined
        : { ...cluster, metadata: { ...metadata, finalizers: left } };
    }
  }
}

function withCondition(
  current: readonly Condition[],
  said: Omit<Condition, 'lastTransitionTime'>,
  nowText: string,
): readonly Condition[] {
  const before = current.find(({ type }) => type === said.type);
  const lastTransitionTime =
    before?.status === said.status ? (before.lastTransitionTime ?? nowText) : nowText;
  const next = { ...said, lastTransitionTime };
  return before === undefined
    ? [...current, next]
    : current.map((condition) => (condition === before ? next : condition));
}

function tellGone(
  { table, recorder, log }: UnjoinOptions,
  { object }: StoredObject,
  left: number,
): void {
  const { name, uid } = object.metadata;
  log.info('cluster removed', { cluster: name, shardsLeft: left });
  const cluster = name as ClusterName; // its kind checks the name
  const keys = [
    ...table.placedIn(cluster),
    ...[...table.removalsOf(cluster)].map(({ key }) => key),
  ].sort();
  const shown = keys.slice(0, namesMax).join(', ');
  const more = keys.length > namesMax ? ` and ${keys.length - namesMax} more` : '';
  const regarding = { apiVersion: isthmusApiVersion, kind: 'Cluster', name, uid };
  recorder.record(
    left === 0
      ? {
          regarding,
          type: 'Normal',
          reason: 'Unjoined',
          message: 'Left the federation; nothing of it is left there',
        }
      : {
          regarding,
          type: 'Warning',
          reason: 'UnjoinForced',
          message: `Left the federation without its agent: ${shown}${more} stay there, managed by nobody`,
        },
  );
}
