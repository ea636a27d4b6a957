// Moves, overrides, cordon and taints over a real log, with a stand-in for the dns stage
// that publishes what the placement view and the health of the shards say.

import test from 'ava';
import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import {
  cluster,
  clusterAt,
  createPlacementWorld,
  heldBy,
  nginx,
  ordersOf,
  policyAt,
  service,
  serviceAt,
  type PlacementWorld,
} from './placement-world.ts';
import { publish, publishedFor } from './placement-dns.ts';

function policy(spec: NonNullable<ServicePolicy['spec']>): KubeObject {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'nginx', namespace: 'web' },
    spec: { serviceName: 'nginx', ...spec },
  };
}

function at(...clusters: readonly string[]): KubeObject {
  return policy({ placement: { clusters } });
}

async function begin(clusters: readonly string[], first: KubeObject): Promise<PlacementWorld> {
  const world = await createPlacementWorld(clusters);
  await world.put(policyAt('nginx'), first);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.obey();
  return world;
}

function wanted(world: PlacementWorld): readonly string[] {
  return [...world.placement().clustersOf(nginx)];
}

function contentIn(world: PlacementWorld, name: string): unknown {
  const shard = world.placement().shard(toClusterName(name), nginx);
  return shard === undefined ? undefined : JSON.parse(Buffer.from(shard.bytes).toString('utf8'));
}

test('I5 M1 M2 a move keeps the old shard until the new one serves, then its names, then it', async (t) => {
  const world = await begin(['a', 'b'], at('a'));
  await publish(world, ['a']);
  await world.put(policyAt('nginx'), at('b'));
  await world.obey();
  t.deepEqual(wanted(world), ['a', 'b']);
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx']);
  await publish(world, ['a']);
  t.deepEqual(publishedFor(world), ['a'], 'the new one is not healthy yet');
  await publish(world, ['a', 'b']);
  t.deepEqual(publishedFor(world), ['b'], 'both were in DNS, and the old one left it');
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx'], 'resolvers may still know it');
  await world.clock.advance(59_000);
  t.deepEqual(ordersOf(world), []);
  await world.clock.advance(2_000);
  t.deepEqual(ordersOf(world), ['a delete']);
  await world.obey();
  t.deepEqual(heldBy(world), ['b: web/nginx']);
  t.deepEqual(wanted(world), ['b']);
});

test('M5 a move goes on where it was after a restart at any step', async (t) => {
  for (const restartAt of [0, 1, 2, 3]) {
    const world = await begin(['a', 'b'], at('a'));
    const step = async (index: number): Promise<void> => {
      if (index === restartAt) await world.restart();
    };
    await publish(world, ['a']);
    await world.put(policyAt('nginx'), at('b'));
    await world.obey();
    await step(0);
    await publish(world, ['a', 'b'], { isOnce: true });
    await step(1);
    await publish(world, ['a', 'b']);
    await step(2);
    await world.clock.advance(30_000);
    await step(3);
    t.deepEqual(ordersOf(world), [], String(restartAt));
    await world.clock.advance(31_000);
    await world.obey();
    t.deepEqual(heldBy(world), ['b: web/nginx'], String(restartAt));
  }
});

test('M4 a replacement that never becomes healthy leaves the old one, which is told once', async (t) => {
  const world = await begin(['a', 'b'], at('a'));
  await publish(world, ['a']);
  await world.put(policyAt('nginx'), at('b'));
  await world.obey();
  await publish(world, ['a']);
  await world.clock.advance(599_000);
  t.deepEqual(
    world.events.filter((event) => event.includes('MoveStalled')),
    [],
  );
  await world.clock.advance(3_600_000);
  t.deepEqual(publishedFor(world), ['a']);
  const stalls = world.events.filter((event) => event.includes('MoveStalled'));
  t.is(stalls.length, 1);
  t.regex(stalls[0] ?? '', /a keeps its shard: b has not become healthy/);
  t.like(world.placement().notes(nginx)?.moves[0], {
    cluster: 'a',
    awaits: ['b'],
    isStalled: true,
  });
  const forced = policy({ placement: { clusters: ['b'] }, move: { strategy: 'AtOnce' } });
  await world.put(policyAt('nginx'), forced);
  await publish(world, ['a']);
  t.deepEqual(publishedFor(world), []);
  await world.clock.advance(61_000);
  await world.obey();
  t.deepEqual(heldBy(world), ['b: web/nginx']);
});

test('M4 AfterTimeout goes on without the replacement once its time is over', async (t) => {
  const move = { strategy: 'AfterTimeout' as const, timeoutSeconds: 30 };
  const world = await begin(['a', 'b'], at('a'));
  await publish(world, ['a']);
  await world.put(policyAt('nginx'), policy({ placement: { clusters: ['b'] }, move }));
  await world.obey();
  await world.clock.advance(29_000);
  await publish(world, ['a']);
  t.deepEqual(publishedFor(world), ['a']);
  await world.clock.advance(2_000);
  await publish(world, ['a']);
  t.deepEqual(publishedFor(world), []);
});

test('a move that is taken back puts the old shard into DNS again', async (t) => {
  const world = await begin(['a', 'b'], at('a'));
  await publish(world, ['a']);
  await world.put(policyAt('nginx'), at('b'));
  await world.obey();
  await publish(world, ['a', 'b']);
  t.deepEqual(publishedFor(world), ['b']);
  await world.put(policyAt('nginx'), at('a'));
  await publish(world, ['a', 'b']);
  t.true(publishedFor(world).includes('a'));
  await world.clock.advance(120_000);
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx']);
  t.deepEqual(ordersOf(world), []);
});

test('M3 nowhere is a wish: the last shard leaves DNS at once, its cluster a TTL later', async (t) => {
  const world = await begin(['a'], at('a'));
  await publish(world, ['a']);
  await world.put(policyAt('nginx'), at());
  await publish(world, ['a']);
  t.deepEqual(publishedFor(world), []);
  t.deepEqual(ordersOf(world), []);
  await world.clock.advance(61_000);
  t.deepEqual(ordersOf(world), ['a delete']);
});

test('a cordoned cluster keeps its shards and gets no new ones; a taint needs a toleration', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.obey();
  const put = (name: string, spec: NonNullable<Cluster['spec']>): Promise<void> =>
    world.put(clusterAt(name), { ...cluster(name), spec });
  await put('a', { unschedulable: true });
  await put('b', { taints: [{ key: 'old', value: 'x', effect: 'NoSchedule' }] });
  await world.put(serviceAt('other'), service('other'));
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx']);
  await put('b', { taints: [{ key: 'old', value: 'x', effect: 'NoExecute' }] });
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx']);
  const tolerations = [{ key: 'old', operator: 'Exists' as const }];
  await world.put(policyAt('nginx'), policy({ placement: { tolerations } }));
  await put('a', {});
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx web/other', 'b: web/nginx']);
});

test('V1 overrides change the shards of their clusters only, the later after the earlier', async (t) => {
  const world = await begin(
    ['a', 'b', 'c'],
    policy({
      overrides: [
        { clusters: ['a', 'b'], annotations: { lb: 'internal' }, loadBalancerClass: 'one' },
        {
          clusters: ['b'],
          loadBalancerClass: 'two',
          nodePorts: [{ port: 80, nodePort: 30_080 }],
          patch: [
            { op: 'test', path: '/spec/loadBalancerClass', value: 'two' },
            { op: 'add', path: '/spec/sessionAffinity', value: 'ClientIP' },
          ],
        },
      ],
    }),
  );
  t.like(contentIn(world, 'a'), {
    metadata: { annotations: { lb: 'internal' } },
    spec: { loadBalancerClass: 'one', ports: [{ port: 80 }] },
  });
  t.like(contentIn(world, 'b'), {
    spec: {
      loadBalancerClass: 'two',
      sessionAffinity: 'ClientIP',
      ports: [{ port: 80, nodePort: 30_080 }],
    },
  });
  t.is(
    (contentIn(world, 'c') as { spec: Record<string, unknown> }).spec['loadBalancerClass'],
    undefined,
  );
});

test('V2 K1 a patch that does not fit leaves the last good content, also over a restart', async (t) => {
  const patch = [{ op: 'replace' as const, path: '/spec/ports/1/targetPort', value: 'alt' }];
  const two = { type: 'LoadBalancer' as const, ports: [{ port: 80 }, { port: 81 }] };
  const world = await begin(['a', 'b'], at('a', 'b'));
  await world.put(
    serviceAt('nginx'),
    service('nginx', { ...two, ports: [{ port: 80 }, { port: 81, targetPort: 'x' }] }),
  );
  await world.put(policyAt('nginx'), policy({ overrides: [{ clusters: ['a'], patch }] }));
  await world.obey();
  const good = contentIn(world, 'a');
  t.like(good, { spec: { ports: [{ port: 80 }, { port: 81, targetPort: 'alt' }] } });
  await world.put(
    serviceAt('nginx'),
    service('nginx', { type: 'LoadBalancer', ports: [{ port: 90 }] }),
  );
  await world.obey();
  t.deepEqual(contentIn(world, 'a'), good);
  t.like(contentIn(world, 'b'), { spec: { ports: [{ port: 90 }] } });
  t.deepEqual(world.placement().notes(nginx)?.failures, [
    {
      cluster: toClusterName('a'),
      field: 'overrides[0].patch[0]',
      message: 'nothing stands at /spec/ports/1/targetPort',
      isThere: true,
    },
  ]);
  await world.restart();
  t.deepEqual(contentIn(world, 'a'), good);
  await world.put(policyAt('nginx'), policy({}));
  await world.obey();
  t.like(contentIn(world, 'a'), { spec: { ports: [{ port: 90 }] } });
});

test('K2 a cluster for which nothing good is known gets no shard', async (t) => {
  const patch = [{ op: 'remove' as const, path: '/spec/none' }];
  const world = await begin(['a', 'b'], policy({ overrides: [{ clusters: ['b'], patch }] }));
  t.deepEqual(heldBy(world), ['a: web/nginx']);
  t.like(world.placement().notes(nginx)?.failures[0], { cluster: 'b', isThere: false });
});

test('a policy that names another Service lets go of the first, and a deleted one of both', async (t) => {
  const world = await begin(['a', 'b'], at('a'));
  await world.put(serviceAt('other'), service('other'));
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx web/other', 'b: web/other']);
  const moved = policy({ serviceName: 'other', placement: { clusters: ['a'] } });
  await world.put(policyAt('nginx'), moved);
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx web/other', 'b: web/nginx']);
  await world.restart();
  await world.put(policyAt('nginx'), undefined);
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx web/other', 'b: web/nginx web/other']);
});

test('what is announced names each cluster once', async (t) => {
  const world = await begin(['a', 'b'], policy({ weights: [{ clusters: ['a'], weight: 0 }] }));
  t.deepEqual(world.placement().traffic(toClusterName('a'), nginx), {
    isDrained: false,
    weight: 0,
  });
  world.announced.length = 0;
  await world.put(policyAt('nginx'), policy({ weights: [{ clusters: ['a'], weight: 7 }] }));
  await world.settle();
  t.deepEqual(world.announced, ['a web/nginx']);
  const names: readonly ClusterName[] = world.placement().clustersOf(nginx);
  t.deepEqual(names.map(String), ['a', 'b']);
});

test('clusters that a fail-over does not call primary are backups, and who becomes one is announced', async (t) => {
  const failover = (cluster: string) => ({
    dns: { failover: { primary: { clusters: [cluster] } } },
  });
  const world = await begin(['a', 'b'], policy(failover('a')));
  const traffic = (cluster: string) => world.placement().traffic(toClusterName(cluster), nginx);
  t.deepEqual(traffic('a'), { isDrained: false, weight: 100 });
  t.deepEqual(traffic('b'), { isDrained: false, weight: 100, isBackup: true });
  world.announced.length = 0;
  await world.put(policyAt('nginx'), policy(failover('b')));
  await world.settle();
  t.deepEqual([...world.announced].sort(), ['a web/nginx', 'b web/nginx']);
  t.is(traffic('b').isBackup, undefined);
});
