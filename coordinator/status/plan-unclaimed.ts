// The ServiceShard of what an agent holds and nobody wants or orders away: shown, for a person to
// decide. Input: the cluster and the key. Output: the object; equal input, equal object (U6).

import { contentHash } from '../../common/pure/digest.ts';
import { splitServiceKey, toClusterName, type ServiceKey } from '../../common/model/ids.ts';
import {
  isthmusApiVersion,
  type Cluster,
  type ServiceShard,
} from '../../common/model/isthmus-kinds.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';

/** `since`: RFC 3339, when it was first seen. */
export function toUnclaimedShard(cluster: Cluster, key: ServiceKey, since: string): ServiceShard {
  const { namespace, name: service } = splitServiceKey(key);
  const name = `${service}.${cluster.metadata.name}`;
  const { zones, region } = topologyOf(cluster);
  const message =
    `The cluster holds a shard that nobody wants. Claim it: create the Service ${key}, placed ` +
    `there. Remove it there: kubectl delete serviceshard -n ${namespace} ${name}. Leave it there, ` +
    'managed by nobody: the same with --cascade=orphan.';
  return {
    apiVersion: isthmusApiVersion,
    kind: 'ServiceShard',
    metadata: {
      name,
      namespace,
      uid: toUid(`${cluster.metadata.uid ?? ''}/${key}`),
      creationTimestamp: since,
      labels: {
        'isthmus.dev/service': service.slice(0, 63),
        'isthmus.dev/cluster': cluster.metadata.name,
      },
    },
    spec: { service, cluster: toClusterName(cluster.metadata.name) },
    status: {
      zones,
      ...(region === undefined ? {} : { region }),
      ready: 0,
      total: 0,
      ingress: [],
      health: 'unclaimed',
      applied: false,
      reason: 'Unclaimed',
      message,
      since,
      conditions: [
        {
          type: 'Claimed',
          status: 'False',
          reason: 'Unclaimed',
          message,
          lastTransitionTime: since,
        },
      ],
    },
  };
}

/** A name-based UUID (RFC 9562 version 8). */
function toUid(text: string): string {
  const hex = contentHash(Buffer.from(text));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
