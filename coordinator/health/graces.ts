// What becomes of silent clusters that cannot be proved dead or alive: after a grace, what the
// policy says. `keep`, the default, does nothing.
// Input: verdicts and findings. Output: clusters whose shards are withdrawn by policy.
//
//   I6. Withdrawn here is only by a policy that says so, and never while the coordinator suspects
//       itself: a hold is stronger than the policy, since it doubts the silence.

import type { ClusterVerdict } from '../../common/model/health.ts';
import type { ClusterName } from '../../common/model/ids.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { ClusterTable } from './cluster-table.ts';
import type { HealthConfig } from './options.ts';
import type { ShardTable } from './shard-table.ts';
import type { Suspicions } from './suspicions.ts';

const silenceGraceDefaultMs = 60_000;

export interface Graces {
  isOver(cluster: ClusterName): boolean;
  /** The cluster's verdict changed: any proof ends what the policy did. */
  note(verdict: ClusterVerdict): void;
  /** Withdraws what is due. */
  tick(): void;
  forget(cluster: ClusterName): void;
}

export function createGraces(options: {
  readonly table: ClusterTable;
  readonly suspicions: Suspicions;
  readonly shards: ShardTable;
  readonly config: HealthConfig;
  readonly clock: Clock;
}): Graces {
  const { table, suspicions, shards, config, clock } = options;
  const graceMs = config.silenceGraceMs ?? silenceGraceDefaultMs;
  const over = new Set<ClusterName>();

  const isDue = ({ cluster, life, reason }: ClusterVerdict): boolean => {
    const sinceMs = suspicions.sinceMs(cluster);
    if (sinceMs === undefined || clock.monotonicMs() - sinceMs < graceMs) return false;
    return life === 'silent' && reason === 'Unprovable' && !table.suspectsItself(cluster);
  };

  return {
    isOver: (cluster) => over.has(cluster),
    note: ({ cluster, life }) => {
      const isReached = suspicions.finding(cluster).kind === 'reached';
      if (!over.has(cluster) || (life === 'silent' && !isReached)) return;
      over.delete(cluster);
      shards.markCluster(cluster);
    },
    tick: () => {
      if (config.silencePolicy !== 'withdraw') return;
      for (const { name, verdict } of table.entries()) {
        if (over.has(name) || !isDue(verdict)) continue;
        over.add(name);
        shards.markCluster(name);
      }
    },
    forget: (cluster) => over.delete(cluster),
  };
}
