// The agent's own reporter against the coordinator's health stage, over a bus that loses messages:
// the two sides agree on sequences and digests, and a quiet stream asks for nothing.

import test from 'ava';
import { startReporter, type ReporterPorts } from '../../agent/health/loop.ts';
import type { ShardObservations } from '../../agent/health/shard-observations.ts';
import {
  toClusterName,
  toContentHash,
  toLogKey,
  toRevision,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { ShardIngress, ShardReadiness } from '../../common/model/telemetry.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { BusMessage, TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import {
  decodeSyncRequest,
  decodeProbeRequest,
  encodeProbeReply,
  encodeReport,
} from '../../common/wire/telemetry-codec.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createHealth, type Health } from '../../coordinator/health/loop.ts';
import type { HealthOptions } from '../../coordinator/health/options.ts';
import { plainSessions } from '../support/plain-placement.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

const cluster = toClusterName('aws');
const keys = Array.from({ length: 20 }, (_, index) =>
  toServiceKey({ namespace: 'default', name: `s${index}` }),
);

/** A bus on which `isLost` decides the fate of each report. */
function createLossyBus(isLost: () => boolean): TelemetryBus {
  const handlers = new Set<{
    readonly prefix: string;
    readonly handle: (message: BusMessage) => void;
  }>();
  const servers = new Map<string, (message: BusMessage) => Promise<Uint8Array>>();
  return {
    isConnected: () => true,
    publish: (subject, payload) => {
      if (isLost()) return;
      for (const { prefix, handle } of handlers)
        if (subject.startsWith(prefix)) handle({ subject, payload });
    },
    subscribe: (pattern, handle) => {
      const entry = { prefix: pattern.replace('>', ''), handle };
      handlers.add(entry);
      return { cancel: () => void handlers.delete(entry) };
    },
    serve: (pattern, answer) => {
      servers.set(pattern, answer);
      return { cancel: () => void servers.delete(pattern) };
    },
    request: async (subject, payload) => {
      const answer = servers.get(subject);
      if (answer === undefined) throw new Error('no responder');
      return answer({ subject, payload });
    },
    onConnection: () => () => undefined,
    close: () => Promise.resolve(),
  };
}

type Draw = () => number;

/** Observations whose readiness a test changes. */
function createObserved() {
  const readyOf = new Map<ServiceKey, number>(keys.map((key) => [key, 1]));
  const listeners = new Set<(key: ServiceKey) => void>();
  const readiness = (key: ServiceKey): ShardReadiness => {
    const ready = readyOf.get(key) ?? 0;
    return { key, ready, serving: ready, terminating: 0, total: 3 };
  };
  const ingress = (key: ServiceKey): ShardIngress => ({
    key,
    type: 'LoadBalancer',
    addresses: [{ ip: '8.8.4.4' }, { hostname: 'lb.example.net' }],
    clusterIps: ['10.0.0.1'],
    ports: [
      { port: 80, protocol: 'TCP', nodePort: 30_080, name: 'http' },
      { port: 53, protocol: 'UDP' },
    ],
  });
  const observations: ShardObservations = {
    isComplete: () => true,
    keys: () => keys,
    readiness,
    ingress,
    subscribe: ({ onShard }) => {
      listeners.add(onShard);
      return () => void listeners.delete(onShard);
    },
    stop: () => undefined,
  };
  const change = (draw: Draw): void => {
    const key = keys[Math.floor(draw() * keys.length)];
    if (key === undefined) return;
    readyOf.set(key, Math.floor(draw() * 3));
    for (const listener of listeners) listener(key);
  };
  return { readyOf, observations, change };
}

async function createOneCluster(clock: VirtualClock): Promise<Desired> {
  const store = createMemoryStore({ disk: createMemoryDisk('world') });
  const desired = await createDesired({ store, clock, log: silentLog, metrics: silentMetrics });
  await desired.write({
    key: toLogKey({ group: 'isthmus.dev', resource: 'clusters', name: cluster }),
    object: { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Cluster', metadata: { name: cluster } },
    expected: toRevision(0),
  });
  return desired;
}

function startHealth(
  ports: Pick<HealthOptions, 'desired' | 'bus' | 'clock' | 'chance'>,
  onSync: () => void,
): Health {
  const shard = (key: ServiceKey) => ({ key, bytes: new Uint8Array(), hash: toContentHash('00') });
  const count = (name: string): void => {
    if (name === 'mesh_health_sync_requests_total') onSync();
  };
  const health = createHealth({
    ...ports,
    placement: {
      revision: () => toRevision(1),
      shard: (_cluster, key) => shard(key),
      shardsOf: () => keys.map(shard),
      clustersOf: () => [cluster],
      removalsOf: () => [],
      traffic: () => ({ isDrained: false, weight: 100 }),
      notes: () => undefined,
      subscribe: () => () => undefined,
    },
    sessions: {
      session: () => undefined,
      result: () => undefined,
      ...plainSessions,
      subscribe: () => () => undefined,
    },
    prober: {
      probe: (target) => Promise.resolve({ target, ok: true, roundTripMs: 1, reason: '' }),
    },
    recorder: { record: () => undefined },
    config: { federation: 'f', addressRules: { allowLoopback: false }, silenceMs: 60_000 },
    log: silentLog,
    metrics: { ...silentMetrics, count },
  });
  health.start();
  return health;
}

const freshness: ReporterPorts['freshness'] = {
  isFresh: () => true,
  isStale: () => false,
  ageMs: () => 0,
  version: () => 'v1.33.0',
  look: () => undefined,
  subscribe: () => () => undefined,
  stop: () => undefined,
};

test('reporter and fold agree, whatever is lost, and are quiet when nothing changes', async (t) => {
  const clock = createVirtualClock();
  const desired = await createOneCluster(clock);
  let seed = 7;
  const draw: Draw = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  let lossPart = 0.4;
  let syncs = 0;
  const bus = createLossyBus(() => draw() < lossPart);
  const bytes = (count: number): Uint8Array => new Uint8Array(count);
  const chance = { fraction: draw, uuid: () => '0', bytes };
  const { readyOf, observations, change } = createObserved();
  const health = startHealth({ desired, bus, clock, chance }, () => (syncs += 1));
  const reporter = startReporter(
    {
      bus,
      clock,
      chance,
      observations,
      freshness,
      codec: { encodeReport, decodeSyncRequest, decodeProbeRequest, encodeProbeReply },
      incarnation: () => ({ session: 1, boot: 1 }),
      viewRevision: () => toRevision(1),
      metrics: silentMetrics,
    },
    { federation: 'f', cluster },
  );
  for (let changes = 0; changes < 300; changes += 1) {
    change(draw);
    await clock.advance(Math.floor(draw() * 200));
  }
  lossPart = 0;
  await clock.advance(40_000); // longer than the longest pause between two requests
  const held = keys.map((key) => health.view.shard(cluster, key)?.ready);
  const truth = keys.map((key) => readyOf.get(key));
  t.deepEqual(held, truth);
  const before = syncs;
  await clock.advance(600_000);
  t.is(syncs, before);
  t.is(health.view.cluster(cluster)?.life, 'live');
  reporter.stop();
  await health.stop();
});
