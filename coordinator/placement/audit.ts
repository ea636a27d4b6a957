// Doubts a change of records before it is written (I2, I3, I5).

import type { ClusterName } from '../../common/model/ids.ts';
import type { Published } from './merge-published.ts';
import { wantedOf, type RecordStep, type RecordsInput } from './plan-records.ts';

/** Why these steps must not be taken, or undefined. */
export function auditRecords(
  input: RecordsInput & { readonly publication?: Published | undefined },
  steps: readonly RecordStep[],
): string | undefined {
  const { wish, recorded, clusters } = input;
  const ordered = new Set<ClusterName>(input.orders.map(({ cluster }) => cluster));
  for (const step of steps) {
    if (step.kind === 'order') {
      const finding = auditOrder(input, step.cluster);
      if (finding !== undefined) return finding;
      ordered.add(step.cluster);
    }
    if (step.kind === 'cancel') {
      const { cluster } = step.order;
      if (clusters.has(cluster) && wish.kind === 'remove')
        return `the removal order of ${cluster} would be dropped before it was obeyed`;
    }
    if (step.kind === 'record') {
      const kept = new Set(step.record?.clusters ?? []);
      const forgotten = recorded.clusters.find(
        (cluster) => !kept.has(cluster) && clusters.has(cluster) && !ordered.has(cluster),
      );
      if (forgotten !== undefined) return `${forgotten} would be forgotten without a removal order`;
    }
  }
  return undefined;
}

function auditOrder(
  input: Parameters<typeof auditRecords>[0],
  cluster: ClusterName,
): string | undefined {
  const { wish, clusters, going, recorded, staying } = input;
  const isOnTheWay = going.has(cluster) || recorded.leaving.has(cluster);
  if (wish.kind === 'keep' && !isOnTheWay)
    return 'a placement that cannot be read orders a removal';
  if (wantedOf(wish).includes(cluster) || staying.has(cluster))
    return `${cluster} is wanted and ordered away at once`;
  // Names first, then shards: for the whole Service its finalizer sees to it.
  if (wish.kind === 'place' && isInDns(input.publication, cluster))
    return `${cluster} is ordered away while DNS leads to it`;
  // Every cluster gone at once is what a list that was never filled looks like.
  return wish.kind === 'place' && clusters.size === 0
    ? 'no cluster is known, which is no wish to remove a shard'
    : undefined;
}

function isInDns(publication: Published | undefined, cluster: ClusterName): boolean {
  return (
    publication?.shards.some(
      (shard) => shard.cluster === cluster && shard.inDns && shard.isDrained !== true,
    ) === true
  );
}
