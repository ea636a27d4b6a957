// Status of Clusters, and the event that a change of Ready deserves.
// Input: marks of clusters. Output: guarded status writes, events. An event is recorded only by
// the writer of the transition, so a restart tells nothing twice.

import { toLogKey, type ClusterName } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { StatusOptions } from './options.ts';
import { planClusterEvent, planClusterStatus, type ClusterStatus } from './plan-cluster.ts';
import type { StatusWriter } from './writer.ts';

const conflictRetryMs = 20;

export function createClusterStatus(
  options: StatusOptions,
  writer: StatusWriter,
): Loop<ClusterName> {
  const { desired, health, sessions, recorder, clock, chance, log } = options;

  const run = async (name: ClusterName): Promise<{ readonly againAfterMs: number } | undefined> => {
    const stored = desired.get(toLogKey({ group: isthmusGroup, resource: 'clusters', name }));
    if (stored === undefined) return undefined;
    const cluster = stored.object as Cluster;
    const after = planClusterStatus({
      cluster,
      verdict: health.cluster(name),
      session: sessions.session(name),
      coordinatorVersion: options.config.coordinatorVersion,
      nowText: toTimestamp(clock.now()),
    });
    const outcome = await writer.write(stored, after);
    if (outcome === 'written') tell(cluster, after);
    return outcome === 'again' ? { againAfterMs: conflictRetryMs } : undefined;
  };

  const tell = (cluster: Cluster, after: ClusterStatus): void => {
    const event = planClusterEvent(cluster.status, after);
    if (event === undefined) return;
    const { name, uid } = cluster.metadata;
    const regarding = { apiVersion: isthmusApiVersion, kind: 'Cluster', name, uid };
    recorder.record({ regarding, ...event });
  };

  return createLoop<ClusterName>({ name: 'status-clusters', run, clock, chance, log });
}
