import test from 'ava';
import { toClusterName, toLogKey } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { v1SelectorAnnotation } from '../../coordinator/placement/plan-manifest.ts';
import {
  cluster,
  clusterAt,
  createPlacementWorld,
  heldBy,
  nginx,
  ordersOf,
  policy,
  policyAt,
  service,
  serviceAt,
  serviceKey,
} from './placement-world.ts';

const publicationAt = toLogKey({
  group: 'isthmus.dev',
  resource: 'publications',
  namespace: 'web',
  name: 'nginx.example.com',
});
const publication = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Publication',
  metadata: { namespace: 'web', name: 'nginx.example.com' },
};

test('a Service goes to every cluster, and to one that joins later', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.settle();
  t.deepEqual(world.placement().clustersOf(nginx), [toClusterName('a'), toClusterName('b')]);
  await world.put(clusterAt('c'), cluster('c'));
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx', 'c: web/nginx']);
  t.deepEqual(world.events, ['nginx Placed: Placed in a, b', 'nginx Placed: Placed in c']);
});

test('an edit of a Service announces its own shards and no others', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(serviceAt('other'), service('other'));
  await world.settle();
  world.announced.length = 0;
  await world.put(serviceAt('nginx'), service('nginx', { ports: [{ port: 81 }] }));
  await world.settle();
  t.deepEqual([...world.announced].sort(), ['a web/nginx', 'b web/nginx']);
});

test('a status change announces nothing', async (t) => {
  const world = await createPlacementWorld(['a']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.settle();
  world.announced.length = 0;
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
  await world.put(serviceAt('nginx'), { ...service('nginx'), status });
  await world.put(clusterAt('a'), { ...cluster('a'), status: { region: 'r' } });
  await world.settle();
  t.deepEqual(world.announced, []);
});

test('the view counts as behind until a change is worked off', async (t) => {
  const world = await createPlacementWorld(['a']);
  const before = world.placement().revision();
  await world.put(serviceAt('nginx'), service('nginx'));
  t.is(world.placement().revision(), before);
  await world.settle();
  t.is(world.placement().revision(), world.desired().revision());
});

test('I2 a cluster that leaves the plan gets an order, which ends when obeyed', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.obey();
  world.away.add('b');
  await world.put(policyAt('nginx'), policy('nginx', { clusters: ['a'] }));
  await world.obey();
  t.deepEqual(ordersOf(world), ['b delete']);
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx']);
  world.away.delete('b');
  await world.obey();
  t.deepEqual(ordersOf(world), []);
  t.deepEqual(heldBy(world), ['a: web/nginx']);
});

test('a shard wanted again ends its order, and a late answer to it is ignored', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(policyAt('nginx'), policy('nginx', { clusters: ['a'] }));
  await world.settle();
  await world.put(policyAt('nginx'), undefined);
  await world.settle();
  await world.put(policyAt('nginx'), policy('nginx', { clusters: ['b'] }));
  await world.settle();
  t.deepEqual(ordersOf(world), ['a delete']);
  const [order] = world.placement().removalsOf(toClusterName('a'));
  if (order === undefined) return t.fail('no order');
  await world.put(policyAt('nginx'), undefined);
  await world.settle();
  t.deepEqual(ordersOf(world), []);
  await world.put(policyAt('nginx'), policy('nginx', { clusters: ['b'] }));
  await world.settle();
  await world.placement().acknowledgeRemoval(order);
  t.deepEqual(ordersOf(world), ['a delete']);
});

test('I3 a selector that cannot be read changes no placement and is told once', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.obey();
  const annotations = { [v1SelectorAnnotation]: '[{"key": "zone"' };
  await world.put(serviceAt('nginx'), service('nginx', { ports: [{ port: 81 }] }, { annotations }));
  await world.put(clusterAt('c'), cluster('c'));
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx']);
  t.deepEqual(ordersOf(world), []);
  const refusals = world.events.filter((event) => event.includes('PlacementRefused'));
  t.is(refusals.length, 1);
  t.regex(refusals[0] ?? '', /InvalidClusterSelector: annotation .*: not JSON/);
  await world.restart();
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx']);
});

test('a label that changes moves the shards that it selects', async (t) => {
  const world = await createPlacementWorld([]);
  await world.put(clusterAt('a'), cluster('a', { tier: 'gold' }));
  await world.put(clusterAt('b'), cluster('b', { tier: 'tin' }));
  const annotations = {
    [v1SelectorAnnotation]: JSON.stringify([{ key: 'tier', operator: '=', values: ['gold'] }]),
  };
  await world.put(serviceAt('nginx'), service('nginx', undefined, { annotations }));
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx']);
  await world.put(clusterAt('b'), cluster('b', { tier: 'gold' }));
  await world.put(clusterAt('a'), cluster('a', { tier: 'tin' }));
  await world.obey();
  t.deepEqual(heldBy(world), ['b: web/nginx']);
});

test('a deleted Service goes when its shards and its names are gone', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(publicationAt, publication);
  await world.obey();
  await world.deleteService('nginx');
  await world.obey();
  await world.clock.advance(60_000);
  t.deepEqual(ordersOf(world), [], 'names go first');
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx']);
  await world.put(publicationAt, undefined);
  await world.settle();
  t.deepEqual(world.placement().clustersOf(nginx), []);
  t.deepEqual(ordersOf(world), ['a delete', 'b delete']);
  await world.obey();
  t.is(world.desired().get(serviceAt('nginx')), undefined);
  t.deepEqual(heldBy(world), []);
});

test('a delete does not wait for a cluster that is away; its order waits for it', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.obey();
  world.away.add('b');
  await world.deleteService('nginx');
  await world.obey();
  t.is(world.desired().get(serviceAt('nginx')), undefined);
  await world.restart();
  t.deepEqual(ordersOf(world), ['b delete']);
  world.away.delete('b');
  await world.obey();
  t.deepEqual(heldBy(world), []);
  t.deepEqual(ordersOf(world), []);
});

test('a delete goes on when the agent it waits for goes away, or after 20 s', async (t) => {
  for (const goes of [true, false]) {
    const world = await createPlacementWorld(['a']);
    await world.put(serviceAt('nginx'), service('nginx'));
    await world.settle();
    await world.deleteService('nginx');
    await world.clock.advance(19_000);
    t.not(world.desired().get(serviceAt('nginx')), undefined);
    if (goes) {
      world.away.add('a');
      world.placement().markReachability(toClusterName('a'));
      await world.settle();
    } else {
      await world.clock.advance(2_000);
    }
    t.is(world.desired().get(serviceAt('nginx')), undefined);
    t.deepEqual(ordersOf(world), ['a delete']);
  }
});

test('an orphaning delete releases the shards; finalizers of others stay', async (t) => {
  const world = await createPlacementWorld(['a']);
  const finalizers = ['example.com/theirs', 'isthmus.dev/shards'];
  await world.put(serviceAt('nginx'), service('nginx', undefined, { finalizers }));
  await world.settle();
  await world.deleteService('nginx', true);
  await world.settle();
  t.deepEqual(ordersOf(world), ['a release']);
  await world.obey();
  t.deepEqual(world.desired().get(serviceAt('nginx'))?.object.metadata.finalizers, [
    'example.com/theirs',
  ]);
});

test('a Service that was deleted and made again keeps its shards', async (t) => {
  const world = await createPlacementWorld(['a']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.obey();
  world.away.add('a');
  await world.deleteService('nginx');
  await world.settle();
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.settle();
  world.away.delete('a');
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx']);
  t.deepEqual(ordersOf(world), []);
});

test('orders and records of a cluster end with its Cluster', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  world.away.add('b');
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(serviceAt('gone'), service('gone'));
  await world.settle();
  await world.deleteService('gone');
  await world.settle();
  await world.obey();
  t.deepEqual(ordersOf(world, serviceKey('gone')), ['b delete']);
  await world.put(clusterAt('b'), undefined);
  await world.settle();
  t.deepEqual(ordersOf(world, serviceKey('gone')), []);
  t.deepEqual(world.placement().clustersOf(nginx), [toClusterName('a')]);
});

test('I3 a store that takes no writes after a restart hides no shard', async (t) => {
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(serviceAt('going'), service('going'));
  await world.obey();
  world.faults.next = () => 'none';
  await world.put(clusterAt('c'), cluster('c'));
  await world.deleteService('going');
  let writes = 0;
  world.faults.next = () => ((writes += 1) === 1 ? 'none' : 'unavailable'); // the term only
  await world.restart();
  t.deepEqual(world.placement().clustersOf(nginx), [toClusterName('a'), toClusterName('b')]);
  t.is([...world.placement().shardsOf(toClusterName('a'))].length, 2);
  world.faults.next = () => 'none';
  await world.clock.advance(60_000);
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx', 'b: web/nginx', 'c: web/nginx']);
});

test('I12 a deposed holder writes no record', async (t) => {
  const world = await createPlacementWorld(['a']);
  await acquireTerm({ desired: world.desired(), holder: 'successor' });
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.clock.advance(5_000);
  t.deepEqual(world.placement().clustersOf(nginx), []);
  const order = { cluster: toClusterName('a'), key: nginx };
  t.deepEqual([...world.placement().removalsOf(order.cluster)], []);
});

test('I12 a deposed holder acknowledges no removal', async (t) => {
  const world = await createPlacementWorld(['a']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.settle();
  await world.put(policyAt('nginx'), policy('nginx', { clusters: [] }));
  await world.settle();
  const [order] = world.placement().removalsOf(toClusterName('a'));
  if (order === undefined) return t.fail('no order');
  await acquireTerm({ desired: world.desired(), holder: 'successor' });
  const error = await t.throwsAsync(world.placement().acknowledgeRemoval(order), {
    instanceOf: MeshError,
  });
  t.is(error?.code, 'FENCED');
  t.deepEqual(ordersOf(world), ['a delete']);
});

test('I11 a cluster that joins is worked off in turns over many Services', async (t) => {
  const world = await createPlacementWorld(['a']);
  const names = Array.from({ length: 1_200 }, (_, index) => `s${index}`);
  for (const name of names) await world.put(serviceAt(name), service(name));
  await world.settle();
  await world.put(clusterAt('b'), cluster('b'));
  const joined = world.desired().revision();
  t.true(world.placement().revision() < joined);
  await world.settle();
  t.is([...world.placement().shardsOf(toClusterName('b'))].length, names.length);
  t.is(world.placement().revision(), world.desired().revision());
});
