// Whatever the bus loses, the coordinator's copy of a report becomes equal to the agent's once
// messages get through again: both ends are the real ones, only the bus between them is not.

import test from 'ava';
import fc from 'fast-check';
import {
  toClusterName,
  toRevision,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type {
  ShardIngress,
  ShardReadiness,
  TelemetryMessage,
} from '../../common/model/telemetry.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { BusMessage, TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import { ReportStream as ReceivedStream } from '../../coordinator/health/fold-stream.ts';
import {
  decodeProbeRequest,
  decodeReport,
  decodeSyncRequest,
  encodeProbeReply,
  encodeReport,
  encodeSyncRequest,
} from '../../common/wire/telemetry-codec.ts';
import type { TelemetryCodec } from '../../agent/health/codec.ts';
import { startReporter } from '../../agent/health/loop.ts';
import type {
  ObservationListener,
  ShardObservations,
} from '../../agent/health/shard-observations.ts';
import { deltaBytesMax, ReportStream } from '../../agent/health/step.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';

const codec: TelemetryCodec = {
  encodeReport,
  decodeSyncRequest,
  decodeProbeRequest,
  encodeProbeReply,
};
const keyOf = (index: number): ServiceKey => toServiceKey({ namespace: 'n', name: `s${index}` });

class Observed implements ShardObservations {
  readonly ready = new Map<ServiceKey, number>();
  #listeners = new Set<ObservationListener>();
  isComplete = (): boolean => true;
  keys = (): Iterable<ServiceKey> => this.ready.keys();
  readiness = (key: ServiceKey): ShardReadiness | undefined => {
    const ready = this.ready.get(key);
    return ready === undefined
      ? undefined
      : { key, ready, serving: ready, terminating: 0, total: ready };
  };
  ingress = (key: ServiceKey): ShardIngress | undefined =>
    this.ready.has(key)
      ? {
          key,
          type: 'LoadBalancer',
          addresses: [{ ip: '10.0.0.1' }],
          clusterIps: [],
          ports: [{ port: 80, protocol: 'TCP' }],
        }
      : undefined;
  subscribe = (listener: ObservationListener): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
  stop = (): void => undefined;
  set(key: ServiceKey, ready: number | undefined): void {
    if (ready === undefined) this.ready.delete(key);
    else this.ready.set(key, ready);
    for (const { onShard } of this.#listeners) onShard(key);
  }
}

/** A bus of one agent and one coordinator that loses what `isLost` says. */
class LossyBus implements TelemetryBus {
  readonly health = new ReceivedStream('health');
  readonly ingress = new ReceivedStream('ingress');
  isLost: () => boolean = () => false;
  connected = true;
  largest = 0;
  messages = 0;
  #served = new Map<string, (message: BusMessage) => Promise<Uint8Array>>();
  #listeners = new Set<(isConnected: boolean) => void>();
  #life = '';
  isConnected = (): boolean => this.connected;
  publish = (_subject: string, payload: Uint8Array): void => {
    if (!this.connected || this.isLost()) return;
    this.messages += 1;
    this.#receive(decodeReport(payload));
    this.largest = Math.max(this.largest, payload.length);
  };
  #receive(message: TelemetryMessage): void {
    if (this.#life !== JSON.stringify(message.incarnation)) {
      this.#life = JSON.stringify(message.incarnation);
      this.health.restart();
      this.ingress.restart();
    }
    if (message.kind === 'event') return;
    if (message.kind === 'heartbeat') {
      this.health.confirm({ sequence: message.healthSequence, digest: message.healthDigest });
      this.ingress.confirm({ sequence: message.ingressSequence, digest: message.ingressDigest });
    } else if (message.kind === 'delta') {
      if (message.report === 'health') this.health.foldDelta(message);
      else this.ingress.foldDelta(message);
    } else if (message.report === 'health') this.health.foldFull(message);
    else this.ingress.foldFull(message);
    for (const report of ['health', 'ingress'] as const) {
      if (this[report].isSynced() || this.isLost()) continue;
      for (const answer of this.#served.values()) {
        void answer({ subject: '', payload: encodeSyncRequest({ report }) });
      }
    }
  }
  subscribe = (): { cancel(): void } => ({ cancel: () => undefined });
  serve = (
    pattern: string,
    answer: (message: BusMessage) => Promise<Uint8Array>,
  ): { cancel(): void } => {
    this.#served.set(pattern, answer);
    return { cancel: () => void this.#served.delete(pattern) };
  };
  request = (): Promise<Uint8Array> => Promise.reject(new Error('agents ask nothing'));
  onConnection = (listener: (isConnected: boolean) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
  close = (): Promise<void> => Promise.resolve();
  connect(isConnected: boolean): void {
    if (this.connected === isConnected) return;
    this.connected = isConnected;
    for (const listener of this.#listeners) listener(isConnected);
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      index: fc.nat(6),
      ready: fc.option(fc.nat(3), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(1_500) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('connect' as const), isConnected: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('life' as const) }) },
);

function start(clock: ManualClock, bus: LossyBus, observations: Observed) {
  const life = { session: 1, boot: 1 };
  const reporter = startReporter(
    {
      bus,
      codec,
      observations,
      freshness: {
        isFresh: () => true,
        isStale: () => false,
        ageMs: () => 0,
        version: () => 'v1',
        look: () => undefined,
        subscribe: () => () => undefined,
        stop: () => undefined,
      },
      incarnation: () => ({ ...life }),
      viewRevision: () => toRevision(1),
      clock,
      chance: { fraction: () => 0.5, uuid: () => '', bytes: () => new Uint8Array() },
      metrics: silentMetrics,
    },
    { federation: 'f', cluster: toClusterName('a') },
  );
  return { reporter, life };
}

test('a lossy bus converges once it no longer loses', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
      async (steps, losses) => {
        const clock = createManualClock();
        const bus = new LossyBus();
        const observed = new Observed();
        let turn = 0;
        bus.isLost = () => losses[(turn += 1) % losses.length] ?? false;
        const { reporter, life } = start(clock, bus, observed);
        for (const each of steps) {
          if (each.kind === 'set') observed.set(keyOf(each.index), each.ready);
          if (each.kind === 'wait') await clock.advance(each.ms);
          if (each.kind === 'connect') bus.connect(each.isConnected);
          if (each.kind === 'life') {
            life.session += 1;
            reporter.renew();
          }
        }
        bus.isLost = () => false;
        bus.connect(true);
        // What was lost last is asked for again after some seconds.
        await clock.advance(10_000);
        reporter.stop();
        const received = [...bus.health.keys()]
          .map((key) => [key, bus.health.item(key)?.ready])
          .sort();
        const expected = [...observed.ready].sort();
        if (JSON.stringify(received) !== JSON.stringify(expected)) {
          throw new Error(
            `received ${JSON.stringify(received)}, expected ${JSON.stringify(expected)}`,
          );
        }
        return (
          bus.health.isSynced() &&
          bus.ingress.isSynced() &&
          [...bus.ingress.keys()].length === expected.length
        );
      },
    ),
    { numRuns: 150, verbose: 1 },
  );
  t.pass();
});

test('the first change is told at once, later ones together after 100 ms', async (t) => {
  const clock = createManualClock();
  const bus = new LossyBus();
  const observed = new Observed();
  const { reporter } = start(clock, bus, observed);
  await clock.advance(3_000);
  observed.set(keyOf(1), 1);
  await clock.advance(1);
  t.is(bus.health.item(keyOf(1))?.ready, 1);
  const before = bus.messages;
  for (let ready = 2; ready < 10; ready += 1) observed.set(keyOf(1), ready);
  await clock.advance(50);
  t.is(bus.health.item(keyOf(1))?.ready, 1);
  await clock.advance(60);
  t.is(bus.health.item(keyOf(1))?.ready, 9);
  t.is(bus.messages, before + 1);
  reporter.stop();
});

test('I3: nothing is reported before the caches are complete', async (t) => {
  const clock = createManualClock();
  const bus = new LossyBus();
  const observed = new Observed();
  observed.isComplete = () => false;
  const { reporter } = start(clock, bus, observed);
  await clock.advance(5_000);
  t.false(bus.health.hasReported());
  reporter.stop();
});

test('R3: a large report is told in pages within their bounds', (t) => {
  const stream = new ReportStream('ingress');
  for (let index = 0; index < 3_000; index += 1) {
    stream.set(keyOf(index), {
      key: keyOf(index),
      type: 'LoadBalancer',
      addresses: [{ hostname: `lb-${index}.example.net` }],
      clusterIps: ['10.0.0.1'],
      ports: [{ port: 80, protocol: 'TCP' }],
    });
  }
  const deltas = stream.flush();
  t.true(deltas.length > 3);
  for (const delta of deltas) t.true(JSON.stringify(delta.changed).length <= deltaBytesMax);
  t.is(deltas.flatMap(({ changed }) => changed).length, 3_000);
  t.deepEqual(stream.flush(), []);
  const pages = stream.full();
  t.true(pages.length > 1);
  t.is(pages.flatMap(({ items }) => items).length, 3_000);
});

test('R1, R2: deltas over a full state give the current state and its digest', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), fc.option(fc.nat(3), { nil: undefined }), fc.boolean())),
      (changes) => {
        const stream = new ReportStream('health');
        const received = new ReceivedStream('health');
        const base = {
          cluster: toClusterName('a'),
          incarnation: { session: 1, boot: 1 },
          report: 'health',
        } as const;
        for (const body of stream.full()) received.foldFull({ kind: 'full', ...base, ...body });
        for (const [index, ready, isFlushed] of changes) {
          const key = keyOf(index);
          stream.set(
            key,
            ready === undefined ? undefined : { key, ready, serving: 0, terminating: 0, total: 0 },
          );
          if (isFlushed)
            for (const body of stream.flush())
              received.foldDelta({ kind: 'delta', ...base, ...body });
        }
        for (const body of stream.flush()) received.foldDelta({ kind: 'delta', ...base, ...body });
        return (
          received.isSynced() &&
          received.digest() === stream.digest() &&
          received.sequence() === stream.sequence()
        );
      },
    ),
  );
  t.pass();
});
