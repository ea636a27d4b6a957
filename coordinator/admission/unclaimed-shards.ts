// A DELETE of a ServiceShard: what becomes of a shard that a cluster holds and nobody wants.
// `kubectl delete serviceshard` removes it there, with --cascade=orphan it stays, without our
// marks. A shard that is wanted is refused: its Service and its policy say where it is.

import { toClusterName, toServiceKey } from '../../common/model/ids.ts';
import { isthmusGroup, type ServiceShard } from '../../common/model/isthmus-kinds.ts';
import type { DeleteProjected } from '../api/machinery/api.ts';
import { conflict } from '../api/machinery/answer/status-error.ts';
import type { Placement } from '../placement/loop.ts';

export function createShardDeletion({
  placement,
}: {
  readonly placement: Pick<Placement, 'orderAway' | 'clustersOf'>;
}): DeleteProjected {
  return async ({ object, isOrphaning, isDryRun }) => {
    const { spec, status, metadata } = object as ServiceShard; // by its kind
    const { name, namespace = '' } = metadata;
    const refuse = (message: string): Error =>
      conflict({ group: isthmusGroup, resource: 'serviceshards', name, message });
    const key = toServiceKey({ namespace, name: spec.service });
    const cluster = toClusterName(spec.cluster);
    if (status.reason !== 'Unclaimed' || placement.clustersOf(key).includes(cluster)) {
      throw refuse(
        `the Service ${key} wants this shard; to take it away, delete the Service or place it elsewhere`,
      );
    }
    if (isDryRun) return;
    const mode = isOrphaning ? 'release' : 'delete';
    if (!(await placement.orderAway({ cluster, key, mode }))) {
      throw refuse('it changed meanwhile; look at it again');
    }
  };
}
