// A Service whose EndpointSlices are written one after another, as the EndpointSlice controller does
// it: whatever the order and the pauses, no zero is told while some endpoint is ready all the time,
// a true zero is told within 200 ms, and a burst costs at most a message each 100 ms.

import test from 'ava';
import fc from 'fast-check';
import { startReporter } from '../../agent/health/loop.ts';
import type { PickedEndpoint, PickedSlice } from '../../agent/health/pick-slice.ts';
import { observeShards } from '../../agent/health/shard-observations.ts';
import { toClusterName, toRevision, toServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { TelemetryMessage } from '../../common/model/telemetry.ts';
import { shardOfMark } from '../../common/pure/shard-marks.ts';
import type { Informer, InformerChange } from '../../common/runtime/informer.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import {
  decodeProbeRequest,
  decodeReport,
  decodeSyncRequest,
  encodeProbeReply,
  encodeReport,
} from '../../common/wire/telemetry-codec.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';

const key = toServiceKey({ namespace: 'shop', name: 'nginx' });

/** An informer that a test writes into. */
class Played<T> implements Informer<T> {
  readonly #cache = new Map<string, T>();
  readonly #listeners = new Set<(change: InformerChange<T>) => void>();
  get = (at: string): T | undefined => this.#cache.get(at);
  values = (): Iterable<T> => this.#cache.values();
  size = (): number => this.#cache.size;
  hasSynced = (): boolean => true;
  subscribe: Informer<T>['subscribe'] = ({ onChange }) => {
    this.#listeners.add(onChange);
    return () => void this.#listeners.delete(onChange);
  };
  stop = (): void => undefined;
  put(at: string, object: T | undefined): void {
    const previous = this.#cache.get(at);
    if (object === undefined) this.#cache.delete(at);
    else this.#cache.set(at, object);
    for (const listener of this.#listeners) listener({ key: at, object, previous });
  }
}

interface Told {
  readonly atMs: number;
  readonly ready: number | undefined;
}

function startWorld() {
  const clock: ManualClock = createManualClock();
  const services = new Played<Service>();
  const slices = new Played<PickedSlice>();
  services.put(key, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', namespace: 'shop', annotations: { [shardOfMark]: 'fed' } },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  });
  const told: Told[] = [];
  const note = (message: TelemetryMessage): void => {
    if (message.kind !== 'delta' && message.kind !== 'full') return;
    if (message.report !== 'health') return;
    const items = message.kind === 'delta' ? message.changed : message.items;
    for (const { ready } of items) told.push({ atMs: clock.monotonicMs(), ready });
  };
  const bus: TelemetryBus = {
    isConnected: () => true,
    publish: (_subject, payload) => note(decodeReport(payload)),
    subscribe: () => ({ cancel: () => undefined }),
    serve: () => ({ cancel: () => undefined }),
    request: () => Promise.reject(new Error('agents ask nothing')),
    onConnection: () => () => undefined,
    close: () => Promise.resolve(),
  };
  const observations = observeShards({
    services,
    slices,
    nodes: new Played(),
    federation: 'fed',
    preferredAddresses: [],
    clock,
  });
  const reporter = startReporter(
    {
      bus,
      codec: { encodeReport, decodeSyncRequest, decodeProbeRequest, encodeProbeReply },
      observations,
      freshness: {
        isFresh: () => true,
        isStale: () => false,
        ageMs: () => 0,
        version: () => 'v1.34.0',
        look: () => undefined,
        subscribe: () => () => undefined,
        stop: () => undefined,
      },
      incarnation: () => ({ session: 1, boot: 1 }),
      viewRevision: () => toRevision(1),
      clock,
      chance: { fraction: () => 0.5, uuid: () => 'u', bytes: (n) => new Uint8Array(n) },
      metrics: silentMetrics,
    },
    { federation: 'fed', cluster: toClusterName('a') },
  );
  const stop = (): void => {
    reporter.stop();
    observations.stop();
  };
  return { clock, slices, told, stop };
}

/** Beside its Pods, each slice has one that never becomes ready: so none is ever empty. */
const toSlice = (name: string, pods: readonly number[]): PickedSlice => ({
  name,
  service: key,
  family: 'IPv4',
  ports: [''],
  endpoints: [toEndpoint(`idle-${name}`, false), ...pods.map((pod) => toEndpoint(`${pod}`, true))],
});

const toEndpoint = (id: string, isReady: boolean): PickedEndpoint => ({
  id,
  node: undefined,
  isReady,
  isServing: isReady,
  isTerminating: false,
});

type Layout = ReadonlyMap<string, readonly number[]>;

interface Sync {
  /** How many Pods are replaced, where the new ones go, in what order slices are written. */
  readonly replaced: number;
  readonly seed: number;
  readonly pausesMs: readonly number[];
}

/** The writes of one sync: updates, in any order. */
function planWrites(layout: Layout, seed: number): readonly string[] {
  const names = [...layout.keys()];
  const turned = names.map((_, index) => names[(index + seed) % names.length] ?? '');
  return seed % 2 === 0 ? turned : turned.toReversed();
}

function planLayout(pods: readonly number[], slices: number, seed: number): Layout {
  const layout = new Map<string, number[]>(
    Array.from({ length: slices }, (_, index) => [`s${index}`, []]),
  );
  for (const pod of pods) {
    const name = `s${(pod * 7 + seed) % slices}`;
    layout.set(name, [...(layout.get(name) ?? []), pod]);
  }
  return layout;
}

const sync: fc.Arbitrary<Sync> = fc.record({
  replaced: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat({ max: 50 }),
  pausesMs: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 }),
});

/** Full again for an instant in which nobody looks, between two syncs that are not. */
const twoShortZeros: [Sync[], number, number] = [
  [
    { replaced: 1, seed: 0, pausesMs: [0] },
    { replaced: 1, seed: 0, pausesMs: [0] },
    { replaced: 1, seed: 0, pausesMs: [20, 9] },
    { replaced: 1, seed: 0, pausesMs: [34] },
    { replaced: 1, seed: 1, pausesMs: [32, 17] },
    { replaced: 1, seed: 0, pausesMs: [0] },
  ],
  1,
  3,
];

test('I3: no zero is told while slices are rewritten; a true zero is told within 200 ms', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sync, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      async (syncs, podCount, sliceCount) => {
        const { clock, slices, told, stop } = startWorld();
        let pods = Array.from({ length: podCount }, (_, index) => index);
        let layout = planLayout(pods, sliceCount, 0);
        for (const [name, own] of layout) slices.put(name, toSlice(name, own));
        await clock.advance(1_500);
        told.length = 0;
        const startMs = clock.monotonicMs();
        let next = podCount;
        for (const { replaced, seed, pausesMs } of syncs) {
          const fresh = Array.from({ length: Math.min(replaced, podCount) }, () => (next += 1));
          pods = [...pods.slice(fresh.length), ...fresh];
          const after = planLayout(pods, sliceCount, seed);
          for (const [index, name] of planWrites(after, seed).entries()) {
            slices.put(name, toSlice(name, after.get(name) ?? []));
            await clock.advance(pausesMs[index % pausesMs.length] ?? 0);
          }
          layout = after;
        }
        await clock.advance(400);
        const duringMs = clock.monotonicMs() - startMs;
        t.deepEqual(
          told.filter(({ ready }) => ready === 0),
          [],
        );
        t.true(told.length <= Math.ceil(duringMs / 100) + 1, `${told.length} in ${duringMs} ms`);

        for (const name of layout.keys()) slices.put(name, toSlice(name, []));
        const zeroMs = clock.monotonicMs();
        await clock.advance(1_000);
        const zero = told.find(({ ready }) => ready === 0);
        t.true(zero !== undefined && zero.atMs - zeroMs <= 200, JSON.stringify(zero));
        stop();
      },
    ),
    { numRuns: 60, examples: [twoShortZeros] },
  );
});

test('a zero in the only slice of a family is told at once', async (t) => {
  const { clock, slices, told, stop } = startWorld();
  slices.put('a', toSlice('a', [1]));
  await clock.advance(1_500);
  slices.put('a', toSlice('a', []));
  await clock.advance(1);
  t.is(told.at(-1)?.ready, 0);
  stop();
});

test('slices that change for ever hold a zero back for 200 ms at most', async (t) => {
  const { clock, slices, told, stop } = startWorld();
  for (const name of ['a', 'b']) slices.put(name, toSlice(name, [1]));
  await clock.advance(1_500);
  const zeroMs = clock.monotonicMs();
  for (let turn = 0; turn < 20; turn += 1) {
    for (const name of ['a', 'b']) slices.put(name, toSlice(name, []));
    await clock.advance(15);
  }
  t.true((told.find(({ ready }) => ready === 0)?.atMs ?? Infinity) - zeroMs <= 200);
  stop();
});
