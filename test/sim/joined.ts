// A Cluster as its join has left it in the log.

import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import { publicKeyHashOf } from './sim-pki.ts';
import { SimProcess } from './sim-process.ts';
import type { SimDisk } from './sim-store.ts';

export function keyOf(cluster: string): string {
  return `key of ${cluster}`;
}

/** Returns its uid. */
export async function addCluster(
  disk: SimDisk,
  clock: VirtualClock,
  of: {
    readonly place: { readonly name: string; readonly declared?: Cluster['spec'] };
    readonly endMs: number;
  },
): Promise<string> {
  const { name, declared } = of.place;
  const setup = new SimProcess('setup', clock);
  const desired = await createDesired({
    store: disk.open(setup),
    clock,
    log: silentLog,
    metrics: silentMetrics,
  });
  const now = toTimestamp(clock.now());
  const object: Cluster = {
    apiVersion: isthmusApiVersion,
    kind: 'Cluster',
    metadata: { name, uid: `uid-of-${name}`, creationTimestamp: now, generation: 1 },
    spec: declared ?? {},
    status: {
      publicKeyHash: publicKeyHashOf(keyOf(name)),
      certificateExpirationTimestamp: toTimestamp(of.endMs),
      joinedAt: now,
      agentVersion: '0.1.0',
    },
  };
  const key = toLogKey({ group: isthmusGroup, resource: 'clusters', name });
  await desired.write({ key, object, expected: toRevision(0) });
  await desired.close();
  return `uid-of-${name}`;
}
