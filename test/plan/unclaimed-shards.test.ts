// Shards that an agent holds and nobody wants: shown, and removed or released by a person.

import test from 'ava';
import {
  toClusterName,
  toLogKey,
  toRevision,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { ServiceShard } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createUnclaimedStatus } from '../../coordinator/status/unclaimed.ts';
import { createShardDeletion } from '../../coordinator/admission/unclaimed-shards.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { shadowKind } from '../support/api-kinds.ts';
import { embeddedDns } from '../support/dns-views.ts';
import { plainPlacement } from '../support/plain-placement.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';
import {
  clusterAt,
  cluster,
  createPlacementWorld,
  nginx,
  ordersOf,
  service,
  serviceAt,
} from './placement-world.ts';

const one = toClusterName('a');
const chance = { fraction: () => 0.5, uuid: () => 'u', bytes: (n: number) => new Uint8Array(n) };

function shardOf(reason: string): KubeObject {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServiceShard',
    metadata: { name: 'nginx.a', namespace: 'web' },
    spec: { service: 'nginx', cluster: 'a' },
    status: { reason, health: 'unclaimed' },
  };
}

test('I2 a delete of an unclaimed shard is an order: to remove it, or with orphan to release it', async (t) => {
  for (const isOrphaning of [false, true]) {
    const world = await createPlacementWorld(['a']);
    world.held.set(one, new Map([[nginx, 'hash' as never]]));
    const remove = createShardDeletion({ placement: world.placement() });
    const object = shardOf('Unclaimed');
    await remove({ object, isOrphaning, isDryRun: true });
    t.deepEqual(ordersOf(world), [], 'a dry run orders nothing');
    await remove({ object, isOrphaning, isDryRun: false });
    await remove({ object, isOrphaning, isDryRun: false });
    t.deepEqual(ordersOf(world), [isOrphaning ? 'a release' : 'a delete']);
    await world.restart();
    t.deepEqual(ordersOf(world), [isOrphaning ? 'a release' : 'a delete']);
    await world.obey();
    t.deepEqual(ordersOf(world), []);
  }
});

test('I2 a shard that is wanted is not deleted by its view, and a claim ends the order', async (t) => {
  const world = await createPlacementWorld(['a']);
  const remove = createShardDeletion({ placement: world.placement() });
  await remove({ object: shardOf('Unclaimed'), isOrphaning: false, isDryRun: false });
  t.deepEqual(ordersOf(world), ['a delete']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.settle();
  t.deepEqual(ordersOf(world), []);
  for (const reason of ['Unclaimed', 'Ready']) {
    const call = remove({ object: shardOf(reason), isOrphaning: false, isDryRun: false });
    const error = await t.throwsAsync(call, { instanceOf: ApiError });
    t.is(error?.code, 409);
    t.regex(error?.message ?? '', /the Service web\/nginx wants this shard/);
  }
  t.deepEqual(ordersOf(world), []);
});

test('DELETE of a projected kind does what it was given to do, and is a 405 without', async (t) => {
  const seen: object[] = [];
  const kind = { ...shadowKind, verbs: [...shadowKind.verbs, 'delete'] as const };
  const deletions = new Map([
    [
      'test.dev/shadows',
      (asked: object) => {
        seen.push(asked);
        return Promise.resolve();
      },
    ],
  ]);
  const api = await createApiFixture({ kinds: [kind], deletions });
  const at = '/apis/test.dev/v1/namespaces/default/shadows/s';
  t.is((await api.call('DELETE', at)).status, 404);
  api.shadows.put({
    apiVersion: 'test.dev/v1',
    kind: 'Shadow',
    metadata: { name: 's', namespace: 'default', uid: 'u' },
  });
  const answer = await api.call('DELETE', `${at}?propagationPolicy=Orphan&dryRun=All`);
  t.is(answer.status, 200);
  t.like(seen[0], { isOrphaning: true, isDryRun: true });
  const other = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'x' } };
  t.is((await api.call('DELETE', at, other)).status, 409);
  t.is((await api.call('PUT', at, {})).status, 405);
  const plain = await createApiFixture({ kinds: [kind] });
  t.is((await plain.call('DELETE', at)).status, 405);
});

async function watched(names: readonly string[]) {
  const clock = createVirtualClock();
  const store = createMemoryStore({ disk: createMemoryDisk('unclaimed') });
  const desired = await createDesired({ store, clock, log: silentLog, metrics: silentMetrics });
  for (const name of names)
    await desired.write({ key: clusterAt(name), object: cluster(name), expected: toRevision(0) });
  const shown = new Map<string, ServiceShard>();
  const events: string[] = [];
  const state = { held: [] as ServiceKey[], wanted: [] as ServiceKey[], isConnected: true };
  const projection = {
    put: (object: KubeObject) => void shown.set(object.metadata.name, object as ServiceShard),
    remove: (at: { readonly name: string }) => void shown.delete(at.name),
  };
  const loop = createUnclaimedStatus({
    desired,
    clock,
    chance,
    log: silentLog,
    metrics: silentMetrics,
    term: {
      guard: () => ({
        key: toLogKey({ group: '', resource: 't', name: 't' }),
        revision: toRevision(1),
      }),
    },
    dns: embeddedDns,
    placement: {
      ...plainPlacement,
      revision: () => desired.revision(),
      shard: () => undefined,
      shardsOf: () => [],
      clustersOf: (key) => (state.wanted.includes(key) ? [one] : []),
    },
    sessions: {
      session: () => ({ isConnected: state.isConnected }) as never,
      result: () => undefined,
      unclaimed: () => state.held,
      subscribe: () => () => undefined,
    } as never,
    health: { cluster: () => undefined, shard: () => undefined, subscribe: () => () => undefined },
    projections: { serviceShards: projection } as never,
    recorder: { record: ({ reason, message }) => void events.push(`${reason}: ${message}`) },
    config: { addressRules: { allowLoopback: false } },
  });
  const look = async (): Promise<readonly string[]> => {
    loop.mark(one);
    await clock.advance(2_500);
    return [...shown.keys()].sort();
  };
  return { state, shown, events, look };
}

test('U11 U12 unclaimed shards are shown while they are, and told once', async (t) => {
  const { state, shown, events, look } = await watched(['a']);
  const other = toServiceKey({ namespace: 'web', name: 'other' });
  state.held = [nginx, other];
  t.deepEqual(await look(), ['nginx.a', 'other.a']);
  t.like(shown.get('nginx.a')?.status, { reason: 'Unclaimed', health: 'unclaimed' });
  t.regex(
    shown.get('nginx.a')?.status.message ?? '',
    /kubectl delete serviceshard -n web nginx\.a/,
  );
  t.is(events.length, 1);
  t.regex(
    events[0] ?? '',
    /ShardUnclaimed: holds a shard of web\/nginx that nobody wants, one of 2/,
  );
  state.isConnected = false;
  state.held = [];
  t.deepEqual(await look(), ['nginx.a', 'other.a'], 'its agent is away');
  state.isConnected = true;
  state.held = [other];
  state.wanted = [nginx];
  t.deepEqual(await look(), ['nginx.a', 'other.a'], 'what is wanted is not ours to take away');
  state.held = [];
  state.wanted = [];
  t.deepEqual(await look(), ['nginx.a']);
  t.is(events.length, 1);
});
