// Doubts a change of records before it is written (I2, I3).

import type { ClusterName } from '../../common/model/ids.ts';
import type { RecordStep, RecordsInput } from './plan-records.ts';

/** Why these steps must not be taken, or undefined. */
export function auditRecords(
  input: RecordsInput,
  steps: readonly RecordStep[],
): string | undefined {
  const { wish, recorded, clusters } = input;
  const wanted = new Set(wish.kind === 'place' ? wish.clusters : []);
  const ordered = new Set<ClusterName>(input.orders.map(({ cluster }) => cluster));
  for (const step of steps) {
    if (step.kind === 'order') {
      const finding = auditOrder(input, wanted, step.cluster);
      if (finding !== undefined) return finding;
      ordered.add(step.cluster);
    }
    if (step.kind === 'cancel') {
      const { cluster } = step.order;
      if (clusters.has(cluster) && wish.kind === 'remove')
        return `the removal order of ${cluster} would be dropped before it was obeyed`;
    }
    if (step.kind === 'record') {
      const kept = new Set(step.clusters ?? []);
      const forgotten = recorded.find(
        (cluster) => !kept.has(cluster) && clusters.has(cluster) && !ordered.has(cluster),
      );
      if (forgotten !== undefined) return `${forgotten} would be forgotten without a removal order`;
    }
  }
  return undefined;
}

function auditOrder(
  { wish, clusters }: RecordsInput,
  wanted: ReadonlySet<ClusterName>,
  cluster: ClusterName,
): string | undefined {
  if (wish.kind === 'keep') return 'a placement that cannot be read orders a removal';
  if (wanted.has(cluster)) return `${cluster} is wanted and ordered away at once`;
  // Every cluster gone at once is what a list that was never filled looks like.
  return wish.kind === 'place' && clusters.size === 0
    ? 'no cluster is known, which is no wish to remove a shard'
    : undefined;
}
