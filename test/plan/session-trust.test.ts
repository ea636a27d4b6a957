// What an agent trusts reaches its Cluster's status also when the store was away as it said it.

import test from 'ava';
import { toClusterName, toRevision } from '../../common/model/ids.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { clusterKey } from '../../coordinator/session/cluster-objects.ts';
import { createTrustRecorder } from '../../coordinator/session/trust-record.ts';
import { createManualClock } from '../support/manual-clock.ts';

const one = toClusterName('one');
const chance = {
  fraction: () => 0.5,
  uuid: () => 'u',
  bytes: (count: number) => new Uint8Array(count),
};

async function begin() {
  const clock = createManualClock();
  const store = createMemoryStore({ disk: createMemoryDisk('s') });
  const log = await createDesired({ store, clock, log: silentLog, metrics: silentMetrics });
  const object = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'one' } };
  await log.write({ key: clusterKey('one'), object, expected: toRevision(0) });
  let isAway = false;
  const write: Desired['write'] = (request) =>
    isAway
      ? Promise.reject(new MeshError('retryable', 'STORE_UNAVAILABLE', 'no space left'))
      : log.write(request);
  let trustDigest: string | undefined;
  const recorder = createTrustRecorder({
    desired: { ...log, write },
    stateOf: () => ({ trustDigest }),
    clock,
    chance,
    log: silentLog,
  });
  return {
    recorded: () =>
      (log.get(clusterKey('one'))?.object as Cluster | undefined)?.status?.trustDigest,
    setAway: (is: boolean) => {
      isAway = is;
    },
    say: async (digest: string | undefined, ms: number) => {
      trustDigest = digest;
      recorder.mark(one);
      await clock.advance(ms);
    },
    wait: (ms: number) => clock.advance(ms),
  };
}

test('what the store does not take is written once it does', async (t) => {
  const world = await begin();
  world.setAway(true);
  await world.say('new', 5_000);
  t.is(world.recorded(), undefined);
  world.setAway(false);
  await world.wait(30_000);
  t.is(world.recorded(), 'new');
});

test('what an agent says meanwhile is what is written; of one that has left nothing is', async (t) => {
  const world = await begin();
  world.setAway(true);
  await world.say('old', 1_000);
  await world.say('new', 1_000);
  world.setAway(false);
  await world.wait(30_000);
  t.is(world.recorded(), 'new');
  await world.say(undefined, 1_000);
  t.is(world.recorded(), 'new');
});
