// The removal of Clusters over a real log: names, then shards, then the Cluster.

import test from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import {
  cluster,
  clusterAt,
  createPlacementWorld,
  heldBy,
  ordersOf,
  service,
  serviceAt,
  type PlacementWorld,
} from './placement-world.ts';
import { publish, publishedFor } from './placement-dns.ts';

async function begin(clusters: readonly string[]): Promise<PlacementWorld> {
  const world = await createPlacementWorld(clusters);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.obey();
  return world;
}

async function deleteCluster(
  world: PlacementWorld,
  name: string,
  isKeeping = false,
): Promise<void> {
  const object = world.desired().get(clusterAt(name))?.object;
  if (object === undefined) throw new Error(`no cluster ${name}`);
  const { metadata } = object;
  await world.put(clusterAt(name), {
    ...object,
    metadata: {
      ...metadata,
      deletionTimestamp: toTimestamp(world.clock.now()),
      finalizers: [...(metadata.finalizers ?? []), ...(isKeeping ? ['orphan'] : [])],
    },
  });
  await world.settle();
}

async function join(world: PlacementWorld, name: string): Promise<void> {
  const joinedAt = toTimestamp(world.clock.now());
  await world.put(clusterAt(name), { ...cluster(name), status: { joinedAt } });
  await world.obey();
}

function leavingReason(world: PlacementWorld, name: string): string | undefined {
  const object = world.desired().get(clusterAt(name))?.object as Cluster | undefined;
  return object?.status?.conditions?.find(({ type }) => type === 'Leaving')?.reason;
}

function isThere(world: PlacementWorld, name: string): boolean {
  return world.desired().get(clusterAt(name)) !== undefined;
}

test('J1 J2 a Cluster goes after its names and its shards', async (t) => {
  for (const isKeeping of [false, true]) {
    const world = await begin(['b']);
    await join(world, 'a');
    await publish(world, ['a', 'b']);
    t.deepEqual(publishedFor(world), ['a', 'b']);
    await deleteCluster(world, 'a', isKeeping);
    await publish(world, ['a', 'b']);
    t.deepEqual(publishedFor(world), ['b']);
    t.is(leavingReason(world, 'a'), 'DrainingRecords');
    t.deepEqual(ordersOf(world), []);
    await world.clock.advance(61_000);
    t.deepEqual(ordersOf(world), [isKeeping ? 'a release' : 'a delete']);
    t.is(leavingReason(world, 'a'), 'RemovingShards');
    await world.obey();
    t.false(isThere(world, 'a'));
    t.deepEqual(heldBy(world), ['b: web/nginx']);
    t.true(world.events.some((event) => event.startsWith('a Unjoined')));
  }
});

test('J3 a Cluster whose agent is away waits as long as it says, and an order as long as it', async (t) => {
  const world = await begin(['b']);
  await join(world, 'a');
  world.away.add('a');
  await deleteCluster(world, 'a');
  t.is(leavingReason(world, 'a'), 'AgentAway');
  await world.clock.advance(500_000);
  world.away.delete('a');
  world.placement().markReachability(toClusterName('a'));
  await world.obey();
  t.false(isThere(world, 'a'));
  t.deepEqual(heldBy(world), ['b: web/nginx'], 'it came back in time');

  await join(world, 'c');
  world.away.add('c');
  await deleteCluster(world, 'c');
  await world.clock.advance(601_000);
  t.false(isThere(world, 'c'));
  t.regex(
    world.events.find((event) => event.startsWith('c UnjoinForced')) ?? '',
    /web\/nginx stay there, managed by nobody/,
  );
  t.deepEqual(ordersOf(world), []);
});

test('J3 force: a wait of no seconds ends at once, but never before the names', async (t) => {
  const world = await begin(['b']);
  await join(world, 'a');
  await publish(world, ['a', 'b']);
  world.away.add('a');
  await deleteCluster(world, 'a');
  const object = world.desired().get(clusterAt('a'))?.object;
  if (object === undefined) return t.fail('gone');
  await world.put(clusterAt('a'), { ...object, spec: { unjoinWaitSeconds: 0 } });
  await world.settle();
  t.true(isThere(world, 'a'), 'DNS still leads there');
  await publish(world, ['a', 'b']);
  t.deepEqual(publishedFor(world), ['b']);
  t.false(isThere(world, 'a'));
});

test('J4 a Cluster that never joined goes at once; one that was away for days comes back to its orders', async (t) => {
  const world = await begin(['b']);
  await world.put(clusterAt('a'), cluster('a'));
  await world.settle();
  await deleteCluster(world, 'a');
  t.false(isThere(world, 'a'));

  world.away.add('b');
  await world.deleteService('nginx');
  await world.clock.advance(21_000);
  t.is(world.desired().get(serviceAt('nginx')), undefined);
  await world.clock.advance(9 * 24 * 3_600_000);
  await world.restart();
  world.away.delete('b');
  await world.obey();
  t.deepEqual(heldBy(world), []);
  t.deepEqual(ordersOf(world), []);
});

test('I3 a restart lets no Cluster go before every record was read', async (t) => {
  const world = await begin(['b']);
  await join(world, 'a');
  world.away.add('a');
  await deleteCluster(world, 'a');
  await world.restart();
  t.true(isThere(world, 'a'));
  t.deepEqual(ordersOf(world), ['a delete']);
});
