// Doubts a change of records before it is written (I2, I3).

import type { ClusterName } from '../../common/model/ids.ts';
import type { RecordStep, RecordsInput } from './plan-records.ts';

/** Why these steps must not be taken, or undefined. */
export function auditRecords(
  input: RecordsInput,
  steps: readonly RecordStep[],
): string | undefined {
  const { wish, recorded, clusters } = input;
  const ordered = new Set<ClusterName>();
  for (const step of steps) {
    if (step.kind === 'order') ordered.add(step.cluster);
    if (step.kind === 'order' && wish.kind === 'keep') {
      return 'a placement that cannot be read orders a removal';
    }
    if (step.kind === 'order' && wish.kind === 'place' && wish.clusters.includes(step.cluster)) {
      return `${step.cluster} is wanted and ordered away at once`;
    }
    if (step.kind !== 'record') continue;
    const kept = new Set(step.clusters ?? []);
    for (const cluster of recorded) {
      const isOrdered =
        ordered.has(cluster) || input.orders.some((order) => order.cluster === cluster);
      if (!kept.has(cluster) && clusters.has(cluster) && !isOrdered) {
        return `${cluster} would be forgotten without a removal order`;
      }
    }
  }
  // Every cluster gone at once is what a list that was never filled looks like.
  if (
    wish.kind === 'place' &&
    wish.clusters.length === 0 &&
    clusters.size === 0 &&
    ordered.size > 0
  ) {
    return 'no cluster is known, which is no wish to remove every shard';
  }
  return undefined;
}
