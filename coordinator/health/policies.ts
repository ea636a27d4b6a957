// minReadyEndpoints of each Service, from the ServicePolicies of its namespace.
// Where several policies name one Service, the first by name counts.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import { splitServiceKey, toLogPrefix, toServiceKey } from '../../common/model/ids.ts';
import { isthmusGroup, type ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { PlacementView } from '../../common/model/views.ts';
import { follow, type Desired, type StoredObject, type WatchHandle } from '../desired/store.ts';

export interface Policies {
  minReady(key: ServiceKey): number;
  start(): void;
  stop(): void;
}

export function createPolicies(options: {
  readonly desired: Desired;
  readonly placement: PlacementView;
  /** A shard to judge anew. */
  readonly onDue: (cluster: ClusterName, key: ServiceKey) => void;
}): Policies {
  const { desired, placement, onDue } = options;
  const minReadyOf = new Map<ServiceKey, number>();
  const serviceOf = new Map<string, ServiceKey>();
  let watch: WatchHandle | undefined;

  const look = ({ key: at, object }: StoredObject, isDeleted: boolean): void => {
    const before = serviceOf.get(at);
    const after = isDeleted ? undefined : namedService(object as ServicePolicy);
    if (after === undefined) serviceOf.delete(at);
    else serviceOf.set(at, after);
    for (const key of new Set([before, after])) if (key !== undefined) read(key);
  };

  const read = (key: ServiceKey): void => {
    const { namespace } = splitServiceKey(key);
    const prefix = toLogPrefix(isthmusGroup, 'servicepolicies', namespace);
    let minReady: number | undefined;
    for (const { object } of desired.list(prefix)) {
      const policy = object as ServicePolicy;
      if (namedService(policy) === key) minReady ??= policy.spec?.health?.minReadyEndpoints;
    }
    if (minReady === undefined) minReadyOf.delete(key);
    else minReadyOf.set(key, Math.max(1, minReady));
    for (const cluster of placement.clustersOf(key)) onDue(cluster, key);
  };

  return {
    minReady: (key) => minReadyOf.get(key) ?? 1,
    start: () => {
      watch = follow(desired, toLogPrefix(isthmusGroup, 'servicepolicies'), ({ current, kind }) =>
        look(current, kind === 'deleted'),
      );
    },
    stop: () => watch?.cancel(),
  };
}

function namedService(policy: ServicePolicy): ServiceKey | undefined {
  const name = policy.spec?.serviceName;
  const { namespace } = policy.metadata;
  return name === undefined || namespace === undefined
    ? undefined
    : toServiceKey({ namespace, name });
}
