// The truths of DESIGN 8, one by one, on the whole health stage under a virtual clock.

import test from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import { createWorld, nginx, type World } from './health-world.ts';

const four = ['gce-a', 'gce-f', 'aws', 'openstack'] as const;

async function warm(names: readonly string[] = four, config = {}): Promise<World> {
  const world = await createWorld(names, config);
  await world.warmUp();
  return world;
}

test('a shard is healthy the moment its cluster first reports it so', async (t) => {
  const world = await createWorld(four);
  await world.clock.advance(200);
  for (const name of four) {
    t.is(world.life(name), 'live');
    t.is(world.state(name), 'healthy');
  }
});

test('I3: link broken, workloads fine: silent and Unknown, and every shard stays', async (t) => {
  const world = await warm();
  world.member('aws').isAgentUp = false;
  await world.clock.advance(60_000);
  t.is(world.life('aws'), 'silent');
  t.is(world.state('aws'), 'healthy');
  const verdict = world.health.view.cluster(world.member('aws').name);
  t.is(verdict?.reason, 'AgentSilent');
  t.regex(verdict?.message ?? '', /answer probes/);
});

test('API dead, workloads fine: nothing of the shard changes until it returns', async (t) => {
  const world = await warm();
  const aws = world.member('aws');
  aws.isApiFresh = false;
  await world.clock.advance(1500);
  world.tell(aws, 0); // what a half-dead API made the agent believe
  await world.clock.advance(30_000);
  t.is(world.life('aws'), 'apiStale');
  t.is(world.state('aws'), 'healthy');
  aws.isApiFresh = true;
  await world.clock.advance(1200);
  t.is(world.life('aws'), 'live');
  t.is(world.state('aws'), 'notReady');
});

test('cluster dead: withdrawn within 4.5 s of its last heartbeat', async (t) => {
  const world = await warm();
  world.kill(world.member('aws'));
  const isDead = await world.clock.advanceUntil(() => world.state('aws') === 'dead', 4500);
  t.true(isDead);
  t.is(world.life('aws'), 'dead');
  t.regex(world.health.view.cluster(world.member('aws').name)?.message ?? '', /coordinator/);
  t.is(world.state('gce-a'), 'healthy');
});

test('P6: a load balancer that refuses for a moment, just when it is probed, proves no death', async (t) => {
  const world = await warm();
  const aws = world.member('aws');
  aws.isAgentUp = false;
  const refuseWhenProbed = async (): Promise<void> => {
    aws.doesRefuse = true;
    await world.clock.advance(700);
    aws.doesRefuse = false;
  };
  await world.clock.advanceUntil(() => world.life('aws') === 'silent', 5000);
  for (let moment = 0; moment < 40; moment += 1) {
    await refuseWhenProbed();
    t.is(world.state('aws'), 'healthy');
    await world.clock.advance(1600);
    t.is(world.state('aws'), 'healthy');
  }
  aws.doesRefuse = true;
  t.true(await world.clock.advanceUntil(() => world.state('aws') === 'dead', 7000));
});

test('a dead cluster that reports anew is live at once, and so are its shards', async (t) => {
  const world = await warm();
  world.kill(world.member('aws'));
  await world.clock.advance(20_000);
  t.is(world.life('aws'), 'dead');
  world.revive(world.member('aws'));
  await world.clock.advance(1100);
  t.is(world.life('aws'), 'live');
  t.is(world.state('aws'), 'healthy');
});

test('API server and load balancers dead, agent alive: withdrawn, and back again', async (t) => {
  const world = await warm();
  const aws = world.member('aws');
  aws.isApiFresh = false;
  aws.doesAnswer = false;
  const isDead = await world.clock.advanceUntil(() => world.state('aws') === 'dead', 4500);
  t.true(isDead);
  aws.doesAnswer = true;
  await world.clock.advance(7000);
  t.is(world.life('aws'), 'apiStale');
  t.is(world.state('aws'), 'healthy');
});

test('only NATS lost: telemetry is stale, and that is never silence', async (t) => {
  const world = await warm();
  world.member('aws').hasNats = false;
  await world.clock.advance(120_000);
  t.is(world.life('aws'), 'live');
  t.is(world.health.view.cluster(world.member('aws').name)?.telemetry, 'stale');
  t.is(world.state('aws'), 'healthy');
});

test('only the Session lost: heartbeats are proof enough', async (t) => {
  const world = await warm();
  world.member('aws').hasSession = false;
  await world.clock.advance(60_000);
  t.is(world.life('aws'), 'live');
});

test('a cluster that dies while already silent is withdrawn by a later round', async (t) => {
  const world = await warm();
  const aws = world.member('aws');
  aws.isAgentUp = false;
  await world.clock.advance(33_000);
  t.is(world.state('aws'), 'healthy');
  aws.doesAnswer = false;
  t.true(await world.clock.advanceUntil(() => world.state('aws') === 'dead', 7000));
});

test('I6: the coordinator that lost its own network withdraws nothing', async (t) => {
  const world = await warm();
  world.blind.add('coordinator');
  for (const member of world.members) member.isAgentUp = false;
  await world.clock.advance(120_000);
  for (const name of four) {
    t.is(world.life(name), 'silent');
    t.is(world.state(name), 'healthy');
  }
});

test('I6: three of four silent at once, one survivor: held, though both probes fail', async (t) => {
  const world = await warm();
  for (const name of ['gce-a', 'gce-f', 'aws']) world.kill(world.member(name));
  await world.clock.advance(60_000);
  for (const name of ['gce-a', 'gce-f', 'aws']) {
    t.is(world.state(name), 'healthy');
    t.is(world.health.view.cluster(world.member(name).name)?.reason, 'WithdrawalHeld');
  }
});

test('three of six silent at once, three survivors agree: withdrawn', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const world = await warm(names);
  for (const name of ['a', 'b', 'c']) world.kill(world.member(name));
  await world.clock.advance(20_000);
  const states = ['a', 'b', 'c'].map((name) => world.state(name));
  // Whoever was probed in peace by two of the survivors is proved; nobody else is.
  t.true(states.includes('dead'));
});

test('I3: never reached before, so nothing is proved: Unprovable, kept', async (t) => {
  const world = await createWorld(four);
  for (const from of ['coordinator', ...four]) world.blind.add(`${from}>aws`);
  await world.warmUp();
  world.kill(world.member('aws'));
  await world.clock.advance(300_000);
  t.is(world.life('aws'), 'silent');
  t.is(world.health.view.cluster(world.member('aws').name)?.reason, 'Unprovable');
  t.is(world.state('aws'), 'healthy');
});

test('Unprovable and the policy withdraw: withdrawn after the grace, not before', async (t) => {
  const world = await createWorld(four, { silencePolicy: 'withdraw' });
  for (const from of ['coordinator', ...four]) world.blind.add(`${from}>aws`);
  await world.warmUp();
  world.kill(world.member('aws'));
  await world.clock.advance(50_000);
  t.is(world.state('aws'), 'healthy');
  await world.clock.advance(20_000);
  t.is(world.state('aws'), 'dead');
  t.is(world.health.view.shard(world.member('aws').name, nginx)?.reason, 'SilenceGraceOver');
});

test('I3: witnesses behind one way out are one witness', async (t) => {
  const world = await createWorld(['aws', 'one', 'two']);
  world.member('one').remoteAddress = '198.51.100.77';
  world.member('two').remoteAddress = '198.51.100.77';
  world.blind.add('coordinator');
  await world.warmUp();
  world.kill(world.member('aws'));
  await world.clock.advance(60_000);
  t.is(world.life('aws'), 'silent');
  t.is(world.state('aws'), 'healthy');
});

test('baseline probes keep the proof fresh for hours', async (t) => {
  const world = await warm();
  await world.clock.advance(3 * 3_600_000);
  world.kill(world.member('aws'));
  t.true(await world.clock.advanceUntil(() => world.state('aws') === 'dead', 4500));
});

test('no ready endpoint: out at once; back after five steady seconds', async (t) => {
  const world = await warm();
  const aws = world.member('aws');
  world.tell(aws, 0);
  await world.clock.advance(10);
  t.is(world.state('aws'), 'notReady');
  world.tell(aws, 1);
  await world.clock.advance(4900);
  t.is(world.state('aws'), 'heldDown');
  await world.clock.advance(200);
  t.is(world.state('aws'), 'healthy');
});

test('a shard that flaps is held down longer each time', async (t) => {
  const world = await warm();
  const aws = world.member('aws');
  const holds: number[] = [];
  for (let flap = 0; flap < 6; flap += 1) {
    world.tell(aws, 0);
    await world.clock.advance(50);
    world.tell(aws, 1);
    const fromMs = world.clock.monotonicMs();
    t.true(await world.clock.advanceUntil(() => world.state('aws') === 'healthy', 90_000));
    holds.push(Math.round((world.clock.monotonicMs() - fromMs) / 1000));
  }
  t.deepEqual(holds, [5, 10, 20, 40, 60, 60]);
  await world.clock.advance(301_000);
  world.tell(aws, 0);
  await world.clock.advance(50);
  world.tell(aws, 1);
  await world.clock.advance(5100);
  t.is(world.state('aws'), 'healthy');
});

test('peers name every placed shard with its zones, addresses and health', async (t) => {
  const world = await warm();
  world.tell(world.member('aws'), 0);
  await world.clock.advance(10);
  const peers = world.health.peers.peers(nginx);
  t.deepEqual(
    peers?.shards.map(({ cluster, isHealthy }) => `${cluster} ${isHealthy}`),
    ['gce-a true', 'gce-f true', 'aws false', 'openstack true'],
  );
  t.deepEqual(peers?.shards[0]?.addresses, ['8.8.4.1']);
  t.deepEqual(peers?.shards[0]?.tcpPorts, [80]);
});

test('of peers nothing is told while only counts of a shard change', async (t) => {
  const world = await warm();
  const told: string[] = [];
  world.health.peers.subscribe(({ cluster, key }) => void told.push(`${cluster} ${key}`));
  world.tell(world.member('aws'), 2);
  await world.clock.advance(10);
  t.is(world.health.view.shard(toClusterName('aws'), nginx)?.ready, 2);
  t.deepEqual(told, []);
  world.tell(world.member('aws'), 0);
  await world.clock.advance(10);
  t.deepEqual(told, [`aws ${nginx}`]);
  t.false(world.health.peers.peer(toClusterName('aws'), nginx)?.isHealthy);
});
