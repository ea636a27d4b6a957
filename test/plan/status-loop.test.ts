// What kubectl sees, on the whole status stage in virtual time.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { createStatusWorld, eventsIn, serviceKey, type StatusWorld } from './status-world.ts';

const clusterKey = (name: string) => toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });

async function settled(names: readonly string[] = ['aws', 'gce']): Promise<StatusWorld> {
  const world = await createStatusWorld(names);
  await world.clock.advance(2000);
  return world;
}

test('private addresses are listed where a private zone publishes the Service, and nowhere else', async (t) => {
  for (const isPrivate of [true, false]) {
    const world = await createStatusWorld(['a'], isPrivate);
    await world.clock.advance(2000);
    world.setShard('a', 'healthy', ['10.0.0.7']);
    await world.clock.advance(2_000);
    const { ingress } = world.service().status?.loadBalancer ?? {};
    t.deepEqual(ingress, isPrivate ? [{ ip: '10.0.0.7', ipMode: 'VIP' }] : undefined);
  }
});

test('the Service lists every publishable ingress of shards that are not dead', async (t) => {
  const world = await settled(['aws', 'gce', 'openstack']);
  world.setShard('openstack', 'notReady', ['10.0.0.7', '8.8.4.9']);
  world.setShard('gce', 'healthy', ['8.8.4.2', '8.8.4.2']);
  world.setShard('aws', 'dead', ['8.8.4.1']);
  await world.clock.advance(2000);
  t.deepEqual(world.service().status?.loadBalancer?.ingress, [
    { ip: '8.8.4.2', ipMode: 'VIP' },
    { ip: '8.8.4.9', ipMode: 'VIP' },
  ]);
});

test('conditions name clusters, and metadata and spec stay as the user wrote them', async (t) => {
  const world = await settled();
  const before = world.service();
  world.setShard('aws', 'healthy', ['8.8.4.1']);
  world.setShard('gce', 'notReady', ['8.8.4.2']);
  world.setResult('aws', {});
  world.setResult('gce', {
    outcome: 'refused',
    reason: 'LocalGuard',
    message: 'namespace not allowed',
  });
  await world.clock.advance(2000);
  t.is(world.condition('Placed')?.message, 'In 2 clusters: aws, gce.');
  t.like(world.condition('Healthy'), {
    status: 'True',
    message: '1 of 2 shards healthy; gce Other.',
  });
  t.like(world.condition('Applied'), {
    status: 'False',
    reason: 'LocalGuard',
    message: 'Applied in 1 of 2 clusters. gce: namespace not allowed',
  });
  t.like(world.condition('Published'), { status: 'False', reason: 'NoPublication' });
  const { resourceVersion: _before, ...metadata } = before.metadata;
  const { resourceVersion: _after, ...now } = world.service().metadata;
  t.deepEqual(now, metadata);
  t.deepEqual(world.service().spec, before.spec);
});

test('I12: a deposed coordinator writes no status', async (t) => {
  const world = await settled();
  const before = world.desired.revision();
  world.term.revision = toRevision(1);
  world.setShard('aws', 'healthy', ['8.8.4.1']);
  await world.clock.advance(10_000);
  t.is(world.desired.revision(), before);
});

test('U8: however often a shard flaps, one write a second', async (t) => {
  const world = await settled();
  let writes = 0;
  world.desired.watch(serviceKey, world.desired.revision(), (events) => (writes += events.length));
  for (let flap = 0; flap < 100; flap += 1) {
    world.setShard('aws', flap % 2 === 0 ? 'healthy' : 'notReady', ['8.8.4.1']);
    await world.clock.advance(50);
  }
  t.true(writes <= 6, `${writes} writes in five seconds`);
  await world.clock.advance(2000);
  t.is(world.condition('Healthy')?.status, 'False');
});

test('nothing changed, nothing is written', async (t) => {
  const world = await settled();
  world.setShard('aws', 'healthy', ['8.8.4.1']);
  await world.clock.advance(2000);
  const before = world.desired.revision();
  world.setShard('aws', 'healthy', ['8.8.4.1']);
  await world.clock.advance(60_000);
  t.is(world.desired.revision(), before);
});

test('U9: a changed spec is not judged by the placement of the old one', async (t) => {
  const world = await settled();
  world.placedTo = world.desired.revision();
  const service = world.service();
  const conditions = [{ type: 'Applied', status: 'Unknown', reason: 'SpecChanged', message: '' }];
  await world.write(serviceKey, {
    ...service,
    status: { ...service.status, conditions },
  } as KubeObject);
  world.setResult('aws', {});
  world.setResult('gce', {});
  await world.clock.advance(5000);
  t.is(world.condition('Applied')?.status, 'Unknown');
  world.placedTo = undefined;
  await world.clock.advance(2000);
  t.is(world.condition('Applied')?.status, 'True');
});

test('a Cluster shows Ready, ApiFresh and Telemetry, and keeps what the join wrote', async (t) => {
  const world = await settled();
  world.setSession('aws', {
    topology: { zones: ['us-east-1a'], region: 'us-east-1', provider: 'aws' },
  });
  world.setCluster('aws', {});
  await world.clock.advance(100);
  const status = (): Cluster['status'] =>
    (world.desired.get(clusterKey('aws'))?.object as Cluster | undefined)?.status;
  t.like(status(), {
    zones: ['us-east-1a'],
    region: 'us-east-1',
    provider: 'aws',
    kubernetesVersion: 'v1.33.0',
    agentVersion: '0.1.0',
    publicKeyHash: 'abc',
  });
  const short = (): readonly string[] =>
    (status()?.conditions ?? []).map(({ type, status: is, reason }) => `${type}=${is} ${reason}`);
  t.deepEqual(short(), [
    'Ready=True ClusterReady',
    'ApiFresh=True ApiAnswers',
    'Telemetry=True Fresh',
  ]);
  world.setCluster('aws', {
    life: 'silent',
    reason: 'AgentSilent',
    telemetry: 'stale',
    message: 'm',
  });
  await world.clock.advance(100);
  t.deepEqual(short(), [
    'Ready=Unknown AgentSilent',
    'ApiFresh=Unknown AgentSilent',
    'Telemetry=False Stale',
  ]);
  world.setCluster('aws', {
    life: 'dead',
    reason: 'ClusterDead',
    telemetry: 'stale',
    message: 'm',
  });
  await world.clock.advance(100);
  t.is(short()[0], 'Ready=False ClusterDead');
  t.deepEqual(eventsIn(world.desired), [
    'Cluster ClusterDead x1',
    'Cluster ClusterReady x1',
    'Cluster ClusterSilent x1',
  ]);
});

test('each shard and record set is an object of its own, and goes with the Service', async (t) => {
  const world = await settled();
  world.setShard('aws', 'healthy', ['8.8.4.1']);
  world.setResult('aws', {});
  const spec = {
    key: 'default/nginx',
    zone: 'example.com',
    reason: 'Published',
    message: '',
    shards: [],
    recordSets: [
      {
        name: 'nginx.default.myfederation.svc.example.com',
        type: 'A',
        ttlSeconds: 60,
        values: ['8.8.4.1'],
        level: 'global',
      },
    ],
  };
  const at = { group: 'isthmus.dev', resource: 'publications', namespace: 'default' };
  await world.write(toLogKey({ ...at, name: 'nginx.example.com' }), {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Publication',
    metadata: { name: 'nginx.example.com', namespace: 'default' },
    spec,
  });
  await world.clock.advance(3000);
  const shard = world.shards.get(
    toLogKey({
      group: 'isthmus.dev',
      resource: 'serviceshards',
      namespace: 'default',
      name: 'nginx.aws',
    }),
  );
  t.like(shard?.object, {
    spec: { service: 'nginx', cluster: 'aws' },
    status: {
      ready: 1,
      total: 1,
      ingress: ['8.8.4.1'],
      health: 'healthy',
      applied: true,
      reason: 'Ready',
    },
  });
  const [records] = [...world.recordSets.list('')];
  t.is(records?.object.metadata.name, 'nginx.default.myfederation.svc.example.com-a');
  t.like(records?.object, {
    spec: { targets: ['8.8.4.1'], service: 'nginx' },
    status: { published: true },
  });
  const [slice] = [...world.slices.list('')];
  t.is(slice?.object.metadata.labels?.['kubernetes.io/service-name'], 'nginx');
  t.like(slice?.object, { addressType: 'IPv4', ports: [{ port: 80, protocol: 'TCP' }] });
  const [endpoints] = [...world.endpoints.list('')];
  const shown = endpoints?.object as (KubeObject & { subsets: unknown }) | undefined;
  t.deepEqual(shown?.subsets, [
    { addresses: [{ ip: '8.8.4.1' }], ports: [{ port: 80, protocol: 'TCP' }] },
  ]);
  t.is(world.condition('Published')?.status, 'True');
  await world.write(serviceKey, undefined);
  await world.clock.advance(2000);
  const views = [world.shards, world.recordSets, world.endpoints, world.slices];
  const left = views.flatMap((view) => [...view.list('')]);
  t.deepEqual(left, []);
});

test('a change of a shard is told once, on the Service', async (t) => {
  const world = await settled();
  world.setShard('aws', 'healthy', ['8.8.4.1']);
  await world.clock.advance(2000);
  world.setShard('aws', 'notReady', ['8.8.4.1']);
  await world.clock.advance(2000);
  world.setResult('gce', { adopted: true });
  await world.clock.advance(2000);
  t.deepEqual(eventsIn(world.desired), [
    'Service ShardAdopted x1',
    'Service ShardHealthy x1',
    'Service ShardNotReady x1',
  ]);
});

test('a repeat within ten minutes counts up; an hour later the Event is gone', async (t) => {
  const world = await settled();
  const regarding = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'nginx' };
  const event = { regarding, type: 'Normal', reason: 'Told', message: 'm' } as const;
  for (let time = 0; time < 3; time += 1) {
    world.events.record(event);
    await world.clock.advance(60_000);
  }
  t.deepEqual(eventsIn(world.desired), ['Service Told x3']);
  await world.clock.advance(700_000);
  world.events.record(event);
  await world.clock.advance(1000);
  t.deepEqual(eventsIn(world.desired), ['Service Told x1', 'Service Told x3']);
  await world.clock.advance(3_600_000 + 5000);
  t.deepEqual(eventsIn(world.desired), []);
  await world.events.stop();
  await world.status.stop();
});
