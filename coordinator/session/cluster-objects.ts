// Where Clusters and JoinTokens stand in the log, and how their status is written by this stage.

import { isthmusApiVersion, isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toLogKey, type LogKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { EventRecorder } from '../../common/model/views.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Desired } from '../desired/store.ts';

export function tokenKey(name: string): LogKey {
  return toLogKey({ group: isthmusGroup, resource: 'jointokens', name });
}

export function clusterKey(name: string): LogKey {
  return toLogKey({ group: isthmusGroup, resource: 'clusters', name });
}

export function withStatus(object: KubeObject, status: object): KubeObject {
  return { ...object, status: { ...object.status, ...status } };
}

const attemptsMax = 10;

/**
 * Writes the Cluster's status by compare-and-set, against whoever else writes it. `change` returns
 * undefined when there is nothing to write (any more). Throws MeshError retryable when the object
 * is written too often or the store is away.
 */
export async function changeCluster(
  desired: Desired,
  name: string,
  change: (cluster: Cluster) => Cluster['status'] | undefined,
): Promise<void> {
  const key = clusterKey(name);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const stored = desired.get(key);
    if (stored === undefined) return;
    const status = change(stored.object as Cluster); // its kind checks it
    if (status === undefined) return;
    const object = { ...stored.object, status };
    const outcome = await desired.write({ key, object, expected: stored.revision });
    if (outcome.kind === 'written') return;
    await desired.barrier();
  }
  throw new MeshError('retryable', 'CLUSTER_CONTENDED', `the status of cluster ${name}`);
}

/** An Event about the Cluster. */
export function tellCluster(
  { desired, recorder }: { readonly desired: Desired; readonly recorder: EventRecorder },
  name: string,
  event: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
): void {
  const uid = desired.get(clusterKey(name))?.object.metadata.uid;
  if (uid === undefined) return;
  recorder.record({
    regarding: { apiVersion: isthmusApiVersion, kind: 'Cluster', name, uid },
    ...event,
  });
}
