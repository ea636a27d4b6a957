// Keeps it true that several vantage points have lately reached the addresses of each healthy
// cluster, so that their failures count when it falls silent.
// Input: marks of clusters (a shard became healthy, an address changed, a vantage point came).
// Output: entries in Reach. Not in the way of anything else: it has its own bounds.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ProbeTarget } from '../../common/model/telemetry.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import { toTargetKey, type Reach } from './fold-reach.ts';
import { planBaseline, type ProbeOrder } from './plan-baseline.ts';
import type { Vantage } from './plan-vantage.ts';
import type { Probing } from './probing.ts';

const clustersAtOnce = 16;

export interface Baseline {
  mark(cluster: ClusterName): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createBaseline(options: {
  /** undefined while the cluster is not live: nothing is learned from it then. */
  readonly targets: (cluster: ClusterName) => readonly ProbeTarget[] | undefined;
  readonly vantages: (cluster: ClusterName) => readonly Vantage[];
  readonly reach: Reach;
  readonly probing: Probing;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}): Baseline {
  const { targets, vantages, reach, probing, clock, chance, log } = options;

  const carryOut = async (order: ProbeOrder): Promise<void> => {
    const { cluster, vantage } = order;
    const results = await probing.run(order);
    const nowMs = clock.monotonicMs();
    const reached = (results ?? []).filter((result) => result.ok);
    const ok = new Set(reached.map(({ target }) => toTargetKey(target)));
    for (const target of order.targets) {
      const targetKey = toTargetKey(target);
      reach.record(cluster, targetKey, { vantageId: vantage.id, ok: ok.has(targetKey), nowMs });
    }
  };

  const run = async (
    cluster: ClusterName,
  ): Promise<{ readonly againAfterMs: number } | undefined> => {
    const probed = targets(cluster);
    if (probed === undefined) return undefined;
    reach.retain(cluster, new Set(probed.map(toTargetKey)));
    const { orders, againAfterMs } = planBaseline({
      cluster,
      targets: probed,
      reach,
      vantages: vantages(cluster),
      nowMs: clock.monotonicMs(),
      jitter: chance.fraction(),
    });
    await Promise.all(orders.map(carryOut));
    return againAfterMs === undefined ? undefined : { againAfterMs };
  };

  const loop = createLoop<ClusterName>({
    name: 'health-baseline',
    run,
    clock,
    chance,
    log,
    concurrency: clustersAtOnce,
  });
  return {
    mark: (cluster) => loop.mark(cluster),
    idle: () => loop.idle(),
    stop: () => loop.stop(),
  };
}
