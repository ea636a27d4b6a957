// A coordinator that starts over a log finds the verdicts of its predecessor and changes nothing
// until it knows better.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { ShardState } from '../../common/model/health.ts';
import type { Publication } from '../../common/model/publication.ts';
import { createWorld, nginx, type World } from './health-world.ts';

async function publish(world: World, states: Readonly<Record<string, ShardState>>): Promise<void> {
  const spec: Publication = {
    key: nginx,
    serviceUid: 'u',
    zone: 'example.com',
    recordSets: [],
    everHealthy: true,
    reason: 'Published',
    message: '',
    shards: world.members.map((member) => ({
      cluster: member.name,
      zones: [member.zone],
      region: 'region',
      state: states[member.name] ?? 'healthy',
      reason: 'Recorded',
      sinceMs: 42,
      addresses: [member.address],
      hostnames: [],
      inDns: true,
    })),
  };
  const at = { group: 'isthmus.dev', resource: 'publications', namespace: 'default' };
  const key = toLogKey({ ...at, name: 'nginx.example.com' });
  const metadata = { name: 'nginx.example.com', namespace: 'default' };
  const object = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Publication', metadata, spec };
  await world.desired.write({ key, object, expected: toRevision(0) });
}

async function declare(world: World, name: string, ready: object): Promise<void> {
  const key = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });
  const stored = world.desired.get(key);
  if (stored === undefined) throw new Error('no cluster');
  const status = {
    conditions: [{ type: 'Ready', lastTransitionTime: '2026-01-01T00:00:00Z', ...ready }],
  };
  await world.desired.write({
    key,
    object: { ...stored.object, status },
    expected: stored.revision,
  });
}

const live = { status: 'True', reason: 'ClusterReady', message: 'was live' };
const dead = { status: 'False', reason: 'ClusterDead', message: 'was dead' };

test('recorded verdicts stand while no agent has come back', async (t) => {
  const world = await createWorld(['a', 'b', 'c', 'd']);
  await world.warmUp();
  for (const member of world.members) member.isAgentUp = false;
  await publish(world, { d: 'dead', c: 'notReady' });
  for (const name of ['a', 'b', 'c']) await declare(world, name, live);
  await declare(world, 'd', dead);
  world.member('d').doesAnswer = false;
  await world.restart();
  const changes: string[] = [];
  world.health.view.subscribe(({ key }) => void (key !== undefined && changes.push(key)));
  await world.clock.advance(9000);
  t.deepEqual(['a', 'b', 'c', 'd'].map(world.state), ['healthy', 'healthy', 'notReady', 'dead']);
  t.deepEqual(['a', 'b', 'c', 'd'].map(world.life), ['live', 'live', 'live', 'dead']);
  t.deepEqual(changes, []);
  t.is(world.health.view.shard(world.member('a').name, nginx)?.sinceMs, 42);
});

test('silence after a restart is counted from the warm start and its grace', async (t) => {
  const world = await createWorld(['a', 'b', 'c', 'd']);
  await world.warmUp();
  world.member('a').isAgentUp = false;
  await publish(world, {});
  for (const name of ['a', 'b', 'c', 'd']) await declare(world, name, live);
  await world.restart();
  world.member('a').hasSession = false;
  await world.clock.advance(9000);
  t.is(world.state('a'), 'healthy');
  await world.clock.advance(10_000);
  t.is(world.life('a'), 'silent');
  t.is(world.state('a'), 'healthy');
});

test('a cluster that died while the coordinator was away is withdrawn on the word of others', async (t) => {
  const world = await createWorld(['a', 'b', 'c', 'd']);
  await world.warmUp();
  await publish(world, {});
  for (const name of ['a', 'b', 'c', 'd']) await declare(world, name, live);
  world.kill(world.member('a'));
  await world.restart();
  t.is(world.state('a'), 'healthy');
  t.true(await world.clock.advanceUntil(() => world.state('a') === 'dead', 20_000));
  t.is(world.life('a'), 'dead');
  t.is(world.state('b'), 'healthy');
});

test('a restart with every agent back changes no verdict', async (t) => {
  const world = await createWorld(['a', 'b', 'c', 'd']);
  await world.warmUp();
  await publish(world, {});
  for (const name of ['a', 'b', 'c', 'd']) await declare(world, name, live);
  await world.restart();
  const states = new Set<string | undefined>();
  world.health.view.subscribe(({ cluster, key }) => {
    if (key !== undefined) states.add(world.health.view.shard(cluster, key)?.state);
  });
  await world.clock.advance(15_000);
  t.deepEqual([...states], ['healthy']);
  t.deepEqual(['a', 'b', 'c', 'd'].map(world.life), ['live', 'live', 'live', 'live']);
});

test('a dead cluster of the log comes back when it reports', async (t) => {
  const world = await createWorld(['a', 'b']);
  await world.warmUp();
  world.kill(world.member('b'));
  await publish(world, { b: 'dead' });
  await declare(world, 'a', live);
  await declare(world, 'b', dead);
  await world.restart();
  await world.clock.advance(5000);
  t.is(world.state('b'), 'dead');
  world.revive(world.member('b'));
  await world.clock.advance(1500);
  t.is(world.life('b'), 'live');
  t.is(world.state('b'), 'healthy');
});
