// The federation's kinds behind a real port, over a store in memory: for tests with real clients.

import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { parsePoolRanges } from '../../coordinator/api/allocation/pool-ranges.ts';
import { createServicePools } from '../../coordinator/api/allocation/service-pools.ts';
import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import { startAccess } from '../../coordinator/api/access/stage.ts';
import {
  createTokenTable,
  hashToken,
  reviewWith,
} from '../../coordinator/api/machinery/access/authenticate.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createProjection, type Projection } from '../../coordinator/desired/projection.ts';
import { listenForTest, token, type HttpsFixture } from './https-fixture.ts';

const robot = {
  hash: hashToken(token),
  user: { name: 'robot', groups: ['system:masters'] },
};

export interface FederationApi {
  readonly https: HttpsFixture;
  /** What it serves from, for a test that plays another stage. */
  readonly desired: Desired;
  /** Views of the projected kinds, by `<group>/<plural>`. */
  readonly projections: ReadonlyMap<string, Projection>;
  close(): Promise<void>;
}

export async function startFederationApi(): Promise<FederationApi> {
  const common = { clock: systemClock, log: silentLog, metrics: silentMetrics };
  const store = createMemoryStore({ disk: createMemoryDisk('federation') });
  const desired = await createDesired({ ...common, store });
  const ranges = parsePoolRanges({ addresses: '10.96.0.0/16' });
  if (typeof ranges === 'string') throw new Error(ranges);
  const pools = createServicePools({ ...common, desired, ranges, chance: systemChance });
  const kinds = federationKinds({ caHash: 'none', pools });
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
  const rights = await startAccess(
    { ...common, desired, chance: systemChance },
    { kinds, reviewToken: reviewWith([createTokenTable([robot])]) },
  );
  const api = createApi({
    ...common,
    kinds,
    desired,
    projections,
    authorize: rights.access.authorize,
    access: rights.access,
    version: { gitVersion: 'v1.34.0+isthmus.1' },
    chance: systemChance,
  });
  const https = await listenForTest(api);
  return {
    https,
    desired,
    projections,
    close: async () => {
      await https.listener.close();
      await api.close();
      pools.close();
      await rights.stop();
      await desired.close();
    },
  };
}
