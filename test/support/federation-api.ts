// The federation's kinds behind a real port, over a store in memory: for tests with real clients.

import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import { authorizeMasters } from '../../coordinator/api/machinery/access/authorizer.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createProjection } from '../../coordinator/desired/projection.ts';
import { listenForTest, type HttpsFixture } from './https-fixture.ts';

export interface FederationApi {
  readonly https: HttpsFixture;
  /** What it serves from, for a test that plays another stage. */
  readonly desired: Desired;
  close(): Promise<void>;
}

export async function startFederationApi(): Promise<FederationApi> {
  const kinds = federationKinds({ caHash: 'none' });
  const common = { clock: systemClock, log: silentLog, metrics: silentMetrics };
  const store = createMemoryStore({ disk: createMemoryDisk('federation') });
  const desired = await createDesired({ ...common, store });
  const key = toLogKey({ group: '', resource: 'namespaces', name: 'default' });
  const metadata = { name: 'default', creationTimestamp: '2026-01-02T03:04:05Z' };
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata, status: { phase: 'Active' } };
  await desired.write({ key, object, expected: toRevision(0) });
  const projected = kinds.filter(({ storage }) => storage === 'projected');
  const projections = new Map(
    projected.map(({ group, plural }) => [
      `${group}/${plural}`,
      createProjection({ epoch: 1, group, resource: plural, clock: systemClock }),
    ]),
  );
  const api = createApi({
    ...common,
    kinds,
    desired,
    projections,
    authorize: authorizeMasters,
    version: { gitVersion: 'v1.34.0+isthmus.1' },
    chance: systemChance,
  });
  const https = await listenForTest(api);
  return {
    https,
    desired,
    close: async () => {
      await https.listener.close();
      await api.close();
      await desired.close();
    },
  };
}
