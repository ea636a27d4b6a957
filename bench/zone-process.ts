// The embedded zone alone in a process, over a log in memory: so its CPU can be read from outside.
// Input: how many Services, as the first argument. Output: its port, as a message.

import { toLogKey, toRevision, toServiceKey, type LogKey } from '../common/model/ids.ts';
import type { KubeObject } from '../common/model/kube-object.ts';
import { toPublicationKey, toPublicationObject } from '../common/pure/publication-object.ts';
import { systemClock } from '../common/runtime/clock.ts';
import { silentLog } from '../common/runtime/log.ts';
import { silentMetrics } from '../common/runtime/metrics.ts';
import { createDesired } from '../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../coordinator/desired/memory-store.ts';
import { createZone } from '../coordinator/zone/zone.ts';
import { benchDomain, benchFederation, places, recordSetsOf } from './zone-content.ts';

const services = Number(process.argv[2]);
const ports = { clock: systemClock, log: silentLog, metrics: silentMetrics };
const desired = await createDesired({
  ...ports,
  store: createMemoryStore({ disk: createMemoryDisk('bench') }),
});

async function put(key: LogKey, object: KubeObject): Promise<void> {
  await desired.write({ key, object, expected: toRevision(0) });
}

const group = 'isthmus.dev';
const apiVersion = 'isthmus.dev/v1alpha1';
await put(toLogKey({ group, resource: 'dnszones', name: benchDomain }), {
  apiVersion,
  kind: 'DNSZone',
  metadata: { name: benchDomain },
  spec: {
    domain: benchDomain,
    provider: 'Embedded',
    embedded: { allowTransfer: ['127.0.0.0/8'] },
  },
});
for (const [index, [zone, region]] of places.entries()) {
  const metadata = { name: `c${index}` };
  const key = toLogKey({ group, resource: 'clusters', ...metadata });
  await put(key, { apiVersion, kind: 'Cluster', metadata, spec: { zone, region } });
}
for (let index = 0; index < services; index += 1) {
  const key = toServiceKey({ namespace: 'web', name: `s${index}` });
  const recordSets = recordSetsOf(`s${index}`);
  const said = { reason: 'Published', message: '', serviceUid: 'uid', everHealthy: true };
  const publication = { key, zone: benchDomain, shards: [], recordSets, ...said };
  await put(toPublicationKey(key, benchDomain), toPublicationObject(publication));
}
const listen = { host: '127.0.0.1', port: 0 };
const zone = await createZone({
  ...ports,
  desired,
  domain: benchDomain,
  federation: benchFederation,
  listen,
  // As in production: the limit is looked at, and loopback has none.
  rateLimit: { perSecond: 500, exempt: ['127.0.0.0/8'] },
});
process.send?.(zone.port);
