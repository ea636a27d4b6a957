// The API as the program wires it, over a store in memory. The stages behind it never start: a
// federation without clusters, whose Services nobody gives a status. Placement's part in deleting
// a Service is played by finalizing.ts.

import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { invariant } from '../../common/pure/errors.ts';
import { parsePoolRanges } from '../../coordinator/api/allocation/pool-ranges.ts';
import { createCoordinator, type CoordinatorPorts } from '../../coordinator/coordinator.ts';
import type { Api } from '../../coordinator/api/machinery/api.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { finalizeServices } from './finalizing.ts';

export interface OpenCoordinator {
  readonly api: Api;
  stop(): Promise<void>;
}

export async function openCoordinator(): Promise<OpenCoordinator> {
  const common = {
    clock: systemClock,
    chance: systemChance,
    log: silentLog,
    metrics: silentMetrics,
  };
  const store = createMemoryStore({ disk: createMemoryDisk('differential') });
  const desired = await createDesired({ ...common, store });
  // Those of the kube-apiserver, so that a case can ask both for the same address.
  const serviceRanges = parsePoolRanges({ addresses: '10.96.0.0/16' });
  invariant(typeof serviceRanges !== 'string', 'the range cannot be read');
  const coordinator = await createCoordinator(
    { ...common, ...unusedPorts, desired },
    {
      federation: 'differential',
      domain: 'example.com',
      ttlSeconds: 60,
      addressRules: { allowLoopback: false },
      receiptKey: new Uint8Array(32).fill(7),
      caHash: '00'.repeat(32),
      holder: 'differential',
      serviceRanges,
      apiVersion: 'v1.34.0+isthmus.0.1.0',
    },
  );
  await coordinator.idle();
  const stopFinalizing = finalizeServices(desired);
  return {
    api: coordinator.api,
    stop: async () => {
      stopFinalizing();
      await coordinator.stop();
      await desired.close();
    },
  };
}

const nothing = { cancel: () => undefined };
const refuse = (): Promise<never> => Promise.reject(new Error('no stage runs'));

const unusedPorts: Pick<
  CoordinatorPorts,
  'bus' | 'prober' | 'listener' | 'authority' | 'telemetryUsers'
> = {
  bus: {
    isConnected: () => true,
    publish: () => undefined,
    subscribe: () => nothing,
    serve: () => nothing,
    request: refuse,
    onConnection: () => () => undefined,
    close: () => Promise.resolve(),
  },
  prober: { probe: refuse },
  listener: { listen: refuse, close: () => Promise.resolve() },
  authority: {
    trustedPem: () => '',
    trustDigest: () => '',
    subscribe: () => () => undefined,
    lifetimeMs: 0,
    hashOfRequest: refuse,
    sign: refuse,
  },
  telemetryUsers: {
    login: refuse,
    loginUnlessHeld: refuse,
    urls: () => [],
    trust: () => undefined,
    lateRevocation: () => undefined,
  },
};
