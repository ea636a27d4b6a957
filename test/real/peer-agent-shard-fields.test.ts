// Every field of a Service, against a real kube-apiserver: it arrives, and whatever the server
// defaults, allocates or drops, and whoever else writes, no second apply follows.

import { toServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { testUpToKubernetes, testWithPeers } from '../support/peers.ts';
import { openRealShardWorld, toManifest } from '../support/real-shard-world.ts';

const test = testWithPeers('etcd', 'kube-apiserver');
// From 1.36 no version that it can act as drops a field of Services.
const testOfDrops = testUpToKubernetes(35, 'etcd');
const keyOf = (name: string) => toServiceKey({ namespace: 'default', name });
type Spec = ShardManifest['spec'];

const ports = [
  { name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, appProtocol: 'kubernetes.io/h2c' },
  { name: 'dns', port: 53, protocol: 'UDP', targetPort: 'dns' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
] as const;
const selector = { app: 'web', 'app.kubernetes.io/part-of': 'shop' };
const named = [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }] as const;

/** As the federation sends them, its own defaults included, each field somewhere. */
const specs: Readonly<Record<string, Spec>> = {
  plain: { type: 'ClusterIP', ports: [{ port: 80 }], selector },
  'cluster-ip': {
    type: 'ClusterIP',
    ports,
    selector,
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } },
    internalTrafficPolicy: 'Local',
    publishNotReadyAddresses: true,
    trafficDistribution: 'PreferClose',
    externalIPs: ['192.0.2.7'],
    externalTrafficPolicy: 'Local',
  },
  'affinity-default': { type: 'ClusterIP', ports: named, selector, sessionAffinity: 'ClientIP' },
  headless: {
    type: 'ClusterIP',
    clusterIP: 'None',
    ports,
    selector,
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
  },
  'headless-bare': { type: 'ClusterIP', clusterIP: 'None', selector },
  selectorless: { type: 'ClusterIP', ports: named, sessionAffinity: 'None' },
  'headless-selectorless': { type: 'ClusterIP', clusterIP: 'None', ports: named },
  'node-port': {
    type: 'NodePort',
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80, nodePort: 30_123 }],
    selector,
    externalTrafficPolicy: 'Cluster',
  },
  'load-balancer': {
    type: 'LoadBalancer',
    ports,
    selector,
    allocateLoadBalancerNodePorts: true,
    externalTrafficPolicy: 'Local',
    loadBalancerIP: '192.0.2.8',
    loadBalancerClass: 'example.com/fast',
    loadBalancerSourceRanges: ['10.0.0.0/8', '192.168.0.0/16'],
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
  },
  'load-balancer-portless': {
    type: 'LoadBalancer',
    ports: named,
    selector,
    allocateLoadBalancerNodePorts: false,
    publishNotReadyAddresses: false,
  },
  external: { type: 'ExternalName', externalName: 'db.example.com', sessionAffinity: 'None' },
  'external-ports': {
    type: 'ExternalName',
    externalName: 'db.example.com',
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    selector,
  },
};

test('every field of a Service is applied once, and no default, allocation or foreign write brings a second apply', async (t) => {
  t.timeout(180_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const world = await openRealShardWorld(t, server);
  for (const [name, spec] of Object.entries(specs)) {
    const metadata = { labels: { app: name, empty: '' }, annotations: { note: '', 'a/b': 'c' } };
    world.assignment.wish(toManifest(name, spec, metadata));
    await world.untilTold(keyOf(name), 'Applied');
    await world.settle(keyOf(name));
  }
  const writes = Object.keys(specs).map((name) => `apply default/${name}`);
  t.deepEqual(world.writes, writes);
  const before = new Map<string, Service | undefined>();
  for (const name of Object.keys(specs)) before.set(name, await world.read(keyOf(name)));

  for (const [name, spec] of Object.entries(specs)) {
    const isExternal = spec.type === 'ExternalName';
    await world.edit(keyOf(name), {
      metadata: { labels: { theirs: 'x' }, annotations: { theirs: 'y' }, finalizers: ['x.y/z'] },
      spec: isExternal ? {} : { externalIPs: ['192.0.2.7'] },
    });
    await world.settle(keyOf(name));
  }
  t.deepEqual(world.writes, writes, 'what others write on a shard is no reason to write');

  for (const [name, spec] of Object.entries(specs)) {
    const labels = { app: name, changed: 'yes' };
    const wished = toManifest(name, spec, { labels });
    const { hash } = world.assignment.wish(wished);
    await world.settle(keyOf(name));
    t.is(world.results.get(keyOf(name))?.hash, hash, name);
    const after = await world.read(keyOf(name));
    const was = before.get(name);
    t.is(after?.metadata.labels?.['theirs'], 'x', name);
    t.is(after?.metadata.labels?.['empty'], undefined, name);
    t.is(after?.metadata.annotations?.['theirs'], 'y', name);
    t.is(after?.metadata.annotations?.['a/b'], undefined, name);
    t.deepEqual(after?.metadata.finalizers, ['x.y/z'], name);
    t.deepEqual(allocated(after), allocated(was), name);
  }
  t.is(world.writes.length, 2 * writes.length);
});

function allocated(service: Service | undefined): object {
  const spec = (service?.spec ?? {}) as Readonly<Record<string, unknown>>;
  const fields = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'healthCheckNodePort'];
  const nodePorts = (service?.spec.ports ?? []).map(({ nodePort }) => nodePort);
  return { ...Object.fromEntries(fields.map((field) => [field, spec[field]])), nodePorts };
}

test('a shard goes from each type to each other, and is at rest in each', async (t) => {
  t.timeout(180_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  const world = await openRealShardWorld(t, server);
  const key = keyOf('changing');
  const kinds = ['cluster-ip', 'node-port', 'load-balancer', 'external-ports', 'plain'];
  const pairs = kinds.flatMap((from) => kinds.filter((to) => to !== from).map((to) => [from, to]));
  for (const [from = '', to = ''] of pairs) {
    for (const name of [from, to]) {
      const spec = specs[name];
      if (spec === undefined) throw new Error(name);
      const { hash } = world.assignment.wish(toManifest('changing', spec));
      await world.settle(key);
      const told = world.results.get(key);
      t.is(told?.outcome, 'applied', `${from} to ${to}: ${told?.message ?? ''}`);
      t.is(told?.hash, hash);
      const live = await world.read(key);
      t.is(live?.spec.type, spec.type);
      t.deepEqual(
        live?.spec.ports?.map(({ port, protocol }) => `${port}/${protocol}`),
        spec.ports?.map(({ port, protocol }) => `${port}/${protocol ?? 'TCP'}`),
      );
    }
    const atRest = world.writes.length;
    await world.edit(key, { metadata: { annotations: { touched: `${from}-${to}` } } });
    await world.settle(key);
    t.is(world.writes.length, atRest, `${from} to ${to}`);
  }
});

test('on a dual-stack cluster its people choose the families, and they stay', async (t) => {
  t.timeout(120_000);
  const server = await startKubeApiserver({ serviceRange: '10.96.0.0/16,fd00:10:96::/112' });
  t.teardown(() => server.stop());
  const world = await openRealShardWorld(t, server);
  const { plain } = specs;
  if (plain === undefined) return t.fail();
  world.assignment.wish(toManifest('dual', plain));
  await world.untilTold(keyOf('dual'), 'Applied');
  const families = { ipFamilyPolicy: 'PreferDualStack' };
  await world.edit(keyOf('dual'), { spec: families });
  await world.settle(keyOf('dual'));
  world.assignment.wish(toManifest('dual', plain, { labels: { v: '2' } }));
  await world.settle(keyOf('dual'));
  const live = await world.read(keyOf('dual'));
  t.is(live?.metadata.labels?.['v'], '2');
  t.is(live?.spec.clusterIPs?.length, 2);
  t.like(live?.spec, { ipFamilyPolicy: 'PreferDualStack' });
  t.deepEqual(world.writes, ['apply default/dual', 'apply default/dual']);
});

testOfDrops(
  'a field that an older version of the server drops is told of once, and brings no second apply',
  async (t) => {
    t.timeout(150_000);
    const flags = [
      '--emulated-version=kube=1.31',
      '--feature-gates=kube:ServiceTrafficDistribution=false',
    ];
    const server = await startKubeApiserver({ flags });
    t.teardown(() => server.stop());
    const world = await openRealShardWorld(t, server);
    const spec = {
      type: 'ClusterIP',
      ports: named,
      selector,
      trafficDistribution: 'PreferClose',
    } as const;
    world.assignment.wish(toManifest('near', spec));
    const told = await world.untilTold(keyOf('near'), 'FieldsIgnored');
    t.is(told.outcome, 'applied');
    t.regex(told.message, /does not keep spec\.trafficDistribution/);
    for (const touched of ['one', 'two', 'three']) {
      await world.edit(keyOf('near'), { metadata: { annotations: { touched } } });
      await world.settle(keyOf('near'));
    }
    t.deepEqual(world.writes, ['apply default/near']);
    // Another agent of this cluster, after a restart, finds nothing to tell people.
    const again = await openRealShardWorld(t, server);
    again.assignment.wish(toManifest('near', spec));
    await again.untilTold(keyOf('near'), 'FieldsIgnored');
    t.deepEqual(again.events, []);
    t.deepEqual(again.writes, ['apply default/near']);
  },
);
