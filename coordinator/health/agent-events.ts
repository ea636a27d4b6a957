// What an agent tells as an event becomes an Event on the Service, or on its Cluster.
//
//   I8. Of Services that have no shard in its cluster it tells nothing: their Events are others'.

import { splitServiceKey, toLogKey } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import type { AgentEvent } from '../../common/model/telemetry.ts';
import type { EventRecorder, PlacementView } from '../../common/model/views.ts';
import type { Desired } from '../desired/store.ts';

export function recordAgentEvent(
  event: AgentEvent,
  ports: {
    readonly desired: Desired;
    readonly placement: Pick<PlacementView, 'clustersOf'>;
    readonly recorder: EventRecorder;
  },
): void {
  const { desired, placement, recorder } = ports;
  const { cluster, key, type, reason } = event;
  const message = `${cluster}: ${event.message}`;
  if (key === undefined) {
    const at = { group: isthmusGroup, resource: 'clusters', name: cluster };
    const uid = desired.get(toLogKey(at))?.object.metadata.uid;
    const regarding = { apiVersion: isthmusApiVersion, kind: 'Cluster', name: cluster, uid };
    recorder.record({ regarding, type, reason, message });
    return;
  }
  if (!placement.clustersOf(key).includes(cluster)) return; // I8
  const at = splitServiceKey(key);
  const logKey = toLogKey({ group: '', resource: 'services', ...at });
  const uid = desired.get(logKey)?.object.metadata.uid;
  const regarding = { apiVersion: 'v1', kind: 'Service', ...at, uid };
  recorder.record({ regarding, type, reason, message });
}
