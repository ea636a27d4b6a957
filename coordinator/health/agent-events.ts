// What an agent tells as an event becomes an Event on the Service, or on its Cluster.

import { splitServiceKey, toLogKey } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import type { AgentEvent } from '../../common/model/telemetry.ts';
import type { EventRecorder } from '../../common/model/views.ts';
import type { Desired } from '../desired/store.ts';

export function recordAgentEvent(
  event: AgentEvent,
  ports: { readonly desired: Desired; readonly recorder: EventRecorder },
): void {
  const { desired, recorder } = ports;
  const { cluster, key, type, reason } = event;
  const message = `${cluster}: ${event.message}`;
  if (key === undefined) {
    const at = { group: isthmusGroup, resource: 'clusters', name: cluster };
    const uid = desired.get(toLogKey(at))?.object.metadata.uid;
    const regarding = { apiVersion: isthmusApiVersion, kind: 'Cluster', name: cluster, uid };
    recorder.record({ regarding, type, reason, message });
    return;
  }
  const at = splitServiceKey(key);
  const logKey = toLogKey({ group: '', resource: 'services', ...at });
  const uid = desired.get(logKey)?.object.metadata.uid;
  const regarding = { apiVersion: 'v1', kind: 'Service', ...at, uid };
  recorder.record({ regarding, type, reason, message });
}
