// When the cluster's API server is asked whether it lives, and when its silence counts.

import test from 'ava';
import { createApiFreshness } from '../../agent/health/api-freshness.ts';
import { watchKube } from '../../agent/health/watchful-kube.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createManualClock } from '../support/manual-clock.ts';

type State = 'up' | 'down' | 'silent';

function startWorld() {
  const clock = createManualClock();
  let state: State = 'up';
  const askedMs: number[] = [];
  const version = (): Promise<string> => {
    askedMs.push(clock.monotonicMs());
    if (state === 'up') return Promise.resolve('v1.34.0');
    return state === 'down' ? Promise.reject(new Error('refused')) : new Promise(() => undefined);
  };
  const chance = { fraction: () => 0.5, uuid: () => '', bytes: () => new Uint8Array() };
  const freshness = createApiFreshness({ kube: { version }, clock, chance, log: silentLog });
  const told: boolean[] = [];
  freshness.subscribe((isFresh) => told.push(isFresh));
  return { clock, freshness, told, askedMs, set: (next: State) => (state = next) };
}

test('a quiet API server is asked every 20 seconds', async (t) => {
  const { clock, freshness, askedMs } = startWorld();
  await clock.advance(61_000);
  t.deepEqual(askedMs, [100, 20_100, 40_100, 60_100]);
  t.true(freshness.isFresh());
});

test('a look asks at once, and a second one a second later', async (t) => {
  const { clock, freshness, askedMs } = startWorld();
  await clock.advance(10_000);
  freshness.look();
  await clock.advance(10);
  freshness.look();
  freshness.look();
  await clock.advance(2_000);
  t.deepEqual(askedMs, [100, 10_000, 11_000]);
});

for (const state of ['down', 'silent'] as const) {
  test(`an API server that is ${state} is stale three seconds after the first vain question`, async (t) => {
    const { clock, freshness, told, set } = startWorld();
    await clock.advance(1_000);
    told.length = 0;
    set(state);
    await clock.advance(18_000);
    t.false(freshness.isStale()); // not asked yet
    freshness.look();
    await clock.advance(2_990);
    t.false(freshness.isStale());
    await clock.advance(100);
    t.true(freshness.isStale());
    t.deepEqual(told, [false]);
    set('up');
    await clock.advance(3_500);
    t.true(freshness.isFresh());
    t.deepEqual(told, [false, true]);
  });
}

test('one that never answered is not fresh, and stale after three seconds', async (t) => {
  const { clock, freshness, set } = startWorld();
  set('silent');
  t.false(freshness.isFresh());
  await clock.advance(2_900);
  t.false(freshness.isStale());
  await clock.advance(200);
  t.true(freshness.isStale());
});

function watched(ageMs: number, fail?: string) {
  let looks = 0;
  const sinks: { onError(error: Error): void }[] = [];
  const error = new MeshError('retryable', fail ?? '', 'no answer');
  const inner = {
    get: () => (fail === undefined ? Promise.resolve(undefined) : Promise.reject(error)),
    watch: (_path: unknown, sink: { onError(error: Error): void }) => {
      sinks.push(sink);
      return { cancel: () => undefined };
    },
  } as unknown as KubeClient; // the two verbs that this test calls
  const kube = watchKube(inner, { ageMs: () => ageMs, look: () => void (looks += 1) });
  return { kube, sinks, looks: () => looks };
}

const path = { apiVersion: 'v1', plural: 'services' };

test('a call after a long silence, one without an answer and a failed watch make it look', async (t) => {
  const late = watched(5_000);
  await late.kube.get(path, 'a');
  t.is(late.looks(), 1);
  const recent = watched(1_000);
  await recent.kube.get(path, 'a');
  t.is(recent.looks(), 0);
  const vain = watched(1_000, 'KUBE_TIMEOUT');
  await t.throwsAsync(vain.kube.get(path, 'a'));
  t.is(vain.looks(), 1);
  const refused = watched(1_000, 'KUBE_FORBIDDEN');
  await t.throwsAsync(refused.kube.get(path, 'a'));
  t.is(refused.looks(), 0);
  const told: Error[] = [];
  recent.kube.watch(path, {
    onList: () => undefined,
    onEvent: () => undefined,
    onError: (error) => told.push(error),
  });
  recent.sinks[0]?.onError(new MeshError('retryable', 'KUBE_UNREACHABLE', 'reset'));
  t.is(recent.looks(), 1);
  t.is(told.length, 1);
});
