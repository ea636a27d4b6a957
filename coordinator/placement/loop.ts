// Keeps the placement view and its durable records true. Woken per Service; each run reads the
// Service, its record and its orders, plans, audits, writes, then shows the result in the view
// (./reconcile.ts).
//
// What wakes a run: ./triggers.ts. How a shard and a Service end: ./removal.ts. How a Cluster
// ends: ./unjoin.ts.

import type { ClusterName, Revision, ServiceKey } from '../../common/model/ids.ts';
import { toRevision } from '../../common/model/ids.ts';
import type { RemovalOrder } from '../../common/model/shard.ts';
import type { EventRecorder, PlacementView, TermGuard } from '../../common/model/views.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Desired } from '../desired/store.ts';
import { Announcer } from './announce.ts';
import { ClusterList } from './cluster-list.ts';
import { PlacementTable, type Due } from './fold.ts';
import { PendingRevisions } from './pending.ts';
import { PolicyIndex } from './policy-index.ts';
import { reconcile, type RunResult, type Stage } from './reconcile.ts';
import { acknowledge, orderAway } from './removal.ts';
import { watchTriggers } from './triggers.ts';
import { createUnjoin } from './unjoin.ts';

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
  /** A person's decision about a shard that nobody wants; false when somebody does. */
  orderAway(order: Omit<RemovalOrder, 'revision'>): Promise<boolean>;
  /** The cluster's agent came or went: deletes may wait, or need not any more. */
  markReachability(cluster: ClusterName): void;
  start(): void;
  stop(): Promise<void>;
  idle(): Promise<void>;
}

// Another writer was faster: read again soon.
const conflictWaitMs = 20;

export function createPlacement(options: PlacementOptions): Placement {
  const { desired, clock, chance, log } = options;
  const table = new PlacementTable();
  const pending = new PendingRevisions();
  const clusters = new ClusterList(desired);
  const policies = new PolicyIndex();
  const listeners = new Set<(due: Due) => void>();
  const tell = (due: readonly Due[]): void => {
    for (const one of due) {
      if (clusters.isLeaving(one.cluster)) unjoin.mark(one.cluster);
      for (const listener of listeners) listener(one);
    }
  };
  const announcer = new Announcer(options.recorder, log);
  const stage: Stage & PlacementOptions = {
    ...options,
    table,
    clusters,
    policies,
    announcer,
    tell,
  };
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
  const reached = (): Revision => toViewRevision(pending.lowest(), desired.revision());
  const unjoin = createUnjoin({ ...options, table, reached });
  const stops: (() => void)[] = [];
  return {
    revision: reached,
    shard: (cluster, key) => table.shard(cluster, key),
    shardsOf: (cluster) => table.shardsOf(cluster),
    clustersOf: (key) => table.clustersOf(key),
    removalsOf: (cluster) => table.removalsOf(cluster),
    traffic: (cluster, key) => table.traffic(cluster, key),
    notes: (key) => table.notes(key),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    acknowledgeRemoval: (order) => acknowledge(stage, order),
    orderAway: (order) =>
      table.clustersOf(order.key).includes(order.cluster)
        ? Promise.resolve(false)
        : orderAway(stage, order),
    markReachability: (cluster) => {
      for (const { key } of table.removalsOf(cluster)) loop.mark(key);
      if (clusters.isLeaving(cluster)) unjoin.mark(cluster);
    },
    start: () =>
      stops.push(
        ...watchTriggers({
          desired,
          clock,
          clusters,
          policies,
          table,
          pending,
          loop,
          unjoin,
          tell,
        }),
      ),
    stop: async () => {
      for (const stop of stops.splice(0)) stop();
      await Promise.all([loop.stop(), unjoin.stop()]);
    },
    idle: async () => {
      await loop.idle();
      await unjoin.idle();
    },
  };
}

function toViewRevision(pending: Revision | undefined, current: Revision): Revision {
  return pending === undefined ? current : toRevision(pending - 1);
}
