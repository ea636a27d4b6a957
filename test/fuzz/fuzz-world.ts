// The API that the HTTP target talks to: all kinds of the federation, rights, address pools and a
// store in memory. Waits of seconds end at once, and what the server logs as an error is kept.

import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { silentLog, type Log } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { startAccess } from '../../coordinator/api/access/stage.ts';
import { parsePoolRanges } from '../../coordinator/api/allocation/pool-ranges.ts';
import { createServicePools } from '../../coordinator/api/allocation/service-pools.ts';
import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import type { Api } from '../../coordinator/api/machinery/api.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createProjection } from '../../coordinator/desired/projection.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';

export interface FuzzWorld {
  readonly api: Api;
  readonly desired: Desired;
  /** Errors that the server logged since the last call. */
  takeErrors(): readonly string[];
  /** Takes away what the cases wrote. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

// Long enough that nothing which waits for a turn or a write is cut off.
const soonMs = 20;

/** Deadlines of a request come at once; an hour stays an hour. */
const hastyClock: Clock = {
  ...systemClock,
  after: (delayMs, run) =>
    systemClock.after(delayMs < 120_000 ? Math.min(delayMs, soonMs) : delayMs, run),
};

export async function createFuzzWorld(): Promise<FuzzWorld> {
  const errors: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (message, fields) => void errors.push(`${message} ${JSON.stringify(fields)}`),
    with: () => log,
  };
  const common = {
    clock: hastyClock,
    log,
    metrics: silentMetrics,
    chance: createSeededChance('fuzz'),
  };
  const disk = createMemoryDisk('fuzz');
  const desired = await createDesired({ ...common, store: createMemoryStore({ disk }) });
  const ranges = parsePoolRanges({ addresses: '10.96.0.0/24', ports: '30000-30050' });
  if (typeof ranges === 'string') throw new Error(ranges);
  const pools = createServicePools({ ...common, desired, ranges });
  const kinds = federationKinds({ caHash: 'ab'.repeat(32), pools });
  for (const name of ['default', 'other']) await addNamespace(desired, name);
  const rights = await startAccess({ ...common, desired }, { kinds });
  await rights.idle();
  const first = new Set([...desired.list('')].map(({ key }) => key));
  const projections = new Map(
    kinds
      .filter(({ storage }) => storage === 'projected')
      .map(({ group, plural }) => [
        `${group}/${plural}`,
        createProjection({ epoch: 1, group, resource: plural, clock: hastyClock }),
      ]),
  );
  const api = createApi({
    ...common,
    kinds,
    desired,
    projections,
    access: rights.access,
    authorize: rights.access.authorize,
    version: { gitVersion: 'v1.34.0+isthmus.1' },
  });
  return {
    api,
    desired,
    takeErrors: () => errors.splice(0),
    wipe: async () => {
      await wipe(desired, first);
      // The store in memory keeps every record for ever, which the one on disk does not.
      disk.log.splice(0);
    },
    close: async () => {
      await api.close();
      pools.close();
      await rights.stop();
      await desired.close();
    },
  };
}

async function addNamespace(desired: Desired, name: string): Promise<void> {
  const key = toLogKey({ group: '', resource: 'namespaces', name });
  const current = desired.get(key);
  const object = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      uid: `uid-${name}`,
      creationTimestamp: '2026-01-02T03:04:05Z',
      labels: { 'kubernetes.io/metadata.name': name },
    },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
  await desired.write({ key, object, expected: current?.revision ?? toRevision(0) });
}

async function wipe(desired: Desired, kept: ReadonlySet<string>): Promise<void> {
  const surplus = [...desired.list('')].filter(({ key }) => !kept.has(key));
  for (const { key, revision } of surplus) {
    // A conflict is a collector that was quicker.
    await desired.write({ key, object: undefined, expected: revision });
  }
  for (const name of ['default', 'other']) await addNamespace(desired, name);
}
