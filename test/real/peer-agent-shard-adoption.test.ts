// Adoption, drift, fights, releases and removals in a real kube-apiserver.

import type { ExecutionContext } from 'ava';
import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import type { LocalGuard } from '../../agent/shard/plan-guard.ts';
import { eventually } from '../support/eventually.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';
import {
  openRealShardWorld,
  toManifest,
  type RealShardWorld,
} from '../support/real-shard-world.ts';

const test = testWithPeers('etcd', 'kube-apiserver');
const keyOf = (name: string): ServiceKey => toServiceKey({ namespace: 'default', name });
const services = '/api/v1/namespaces/default/services';
const wished = {
  type: 'LoadBalancer',
  ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
  selector: { app: 'web' },
  externalTrafficPolicy: 'Local',
  sessionAffinity: 'None',
} as const;

async function start(
  t: ExecutionContext,
  guard?: LocalGuard,
): Promise<{ readonly server: KubeApiserver; readonly world: RealShardWorld }> {
  t.timeout(150_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  return {
    server,
    world: await openRealShardWorld(t, server, guard === undefined ? {} : { guard }),
  };
}

/** What of a Service its own people wrote and the cluster gave it. */
function shapeOf(service: Service | undefined): object {
  const { labels, annotations, uid } = service?.metadata ?? {};
  return { labels, annotations, uid, spec: service?.spec };
}

const formers: readonly object[] = [
  {
    type: 'ClusterIP',
    ports: [{ name: 'http', port: 8080 }],
    selector: { app: 'old' },
    sessionAffinity: 'ClientIP',
  },
  {
    type: 'NodePort',
    ports: [
      { name: 'http', port: 80, nodePort: 30_080 },
      { name: 'more', port: 81, protocol: 'UDP' },
    ],
    selector: { app: 'old', tier: 'x' },
  },
  {
    type: 'LoadBalancer',
    ports: [{ port: 80 }],
    allocateLoadBalancerNodePorts: false,
    loadBalancerSourceRanges: ['10.0.0.0/8'],
  },
  {
    type: 'ClusterIP',
    ports: [{ port: 1 }],
    externalIPs: ['192.0.2.1'],
    trafficDistribution: 'PreferClose',
  },
];

test('an adopted Service becomes the shard under its own address, and a release gives back what it was', async (t) => {
  const { server, world } = await start(t);
  const labels = { app: 'old', team: 'web' };
  const annotations = { note: 'theirs', shared: 'before' };
  for (const [at, spec] of formers.entries()) {
    const name = `former-${at}`;
    await world.create(services, { metadata: { name, labels, annotations }, spec });
    const before = await world.read(keyOf(name));
    const metadata = {
      labels: { app: 'web', new: 'x' },
      annotations: { shared: 'ours', ours: 'y' },
    };
    world.assignment.wish(toManifest(name, wished, metadata));
    const told = await world.untilTold(keyOf(name), 'Adopted');
    t.true(told.adopted === true && told.outcome === 'applied');
    const adopted = await world.read(keyOf(name));
    t.is(adopted?.metadata.uid, before?.metadata.uid);
    t.is(adopted?.spec.clusterIP, before?.spec.clusterIP);
    t.is(adopted?.spec.type, 'LoadBalancer');
    t.deepEqual(adopted?.spec.selector, { app: 'web' });
    t.deepEqual(
      adopted?.spec.ports?.map(({ port }) => port),
      [80],
    );
    t.deepEqual(adopted?.metadata.labels, { app: 'web', new: 'x', team: 'web' });

    world.assignment.giveUp(keyOf(name), 'release');
    await world.untilTold(keyOf(name), 'Released');
    const after = await world.read(keyOf(name));
    t.deepEqual(shapeOf(after), shapeOf(before), name);
    const managers = (after?.metadata.managedFields ?? []).map((entry) => entry['manager']);
    t.false(managers.includes('isthmus'));
  }
  await eventually(10_000, async () => {
    const { json } = await server.ask({ path: '/api/v1/namespaces/default/events' });
    const items = (json as { readonly items?: readonly KubeObject[] }).items ?? [];
    const reasons = items.map((event) => (event as { readonly reason?: string }).reason);
    const counts = ['Adopted', 'Released'].map((one) => reasons.filter((it) => it === one).length);
    return counts.every((count) => count === formers.length) ? [] : [reasons.join()];
  });
});

test('adoption ifEqual takes an equal Service over and leaves every other alone', async (t) => {
  const { world } = await start(t);
  const annotations = { 'isthmus.dev/adoption': 'ifEqual' };
  const spec = {
    type: 'ClusterIP',
    ports: [{ name: 'http', port: 80 }],
    selector: { app: 'web' },
  } as const;
  await world.create(services, { metadata: { name: 'equal' }, spec });
  await world.create(services, {
    metadata: { name: 'other' },
    spec: { ...spec, selector: { a: 'b' } },
  });
  for (const name of ['equal', 'other']) {
    world.assignment.wish(toManifest(name, { ...spec, sessionAffinity: 'None' }, { annotations }));
  }
  await world.untilTold(keyOf('equal'), 'Adopted');
  t.regex((await world.untilTold(keyOf('other'), 'ServiceDiffers')).message, /spec\.selector/);
  t.is((await world.read(keyOf('other')))?.metadata.annotations, undefined);
  await world.edit(keyOf('other'), { spec: { selector: { a: null, app: 'web' } } });
  await world.untilTold(keyOf('other'), 'Adopted');
});

test('a drift is put right within a second and told with the name of who made it', async (t) => {
  const { world } = await start(t);
  const key = keyOf('web');
  world.assignment.wish(toManifest('web', wished, { labels: { app: 'web' } }));
  await world.untilTold(key, 'Applied');
  const first = await world.read(key);
  const drifts: readonly (readonly [object, string])[] = [
    [{ spec: { selector: { app: 'hand' } } }, 'spec.selector'],
    [{ spec: { type: 'ClusterIP', externalTrafficPolicy: null } }, 'spec.type'],
    [
      {
        spec: {
          ports: [
            { name: 'x', port: 81 },
            { name: 'http', port: 80 },
          ],
        },
      },
      'spec.ports',
    ],
    [{ metadata: { labels: { app: 'hand' } } }, 'metadata.labels.app'],
  ];
  for (const [at, [patch, field]] of drifts.entries()) {
    const startMs = systemClock.monotonicMs();
    await world.edit(key, patch as never, `editor-${at}`);
    await eventually(5_000, () =>
      Promise.resolve(world.events.length > at ? [] : ['no event yet']),
    );
    const tookMs = systemClock.monotonicMs() - startMs;
    t.true(tookMs < 1_000, `${field} after ${tookMs} ms`);
    const { reason, message } = world.events[at] ?? { reason: '', message: '' };
    t.is(reason, 'DriftRepaired');
    t.regex(message, new RegExp(`^editor-${at} changed .*${field}`));
    await world.settle(key);
    const live = await world.read(key);
    t.is(live?.spec.type, 'LoadBalancer');
    t.deepEqual(live?.spec.selector, { app: 'web' });
    t.deepEqual(
      live?.spec.ports?.map(({ port, targetPort }) => `${port}>${targetPort}`),
      ['80>8080'],
    );
    t.is(live?.metadata.labels?.['app'], 'web');
    t.is(live?.spec.clusterIP, first?.spec.clusterIP);
  }
  await world.edit(key, { spec: { selector: { app: 'argo' } } }, 'argocd-controller');
  const told = await world.untilTold(key, 'SelectorMoved');
  t.regex(told.message, /field manager argocd-controller changes spec\.selector/);
});

test('I13: in a real cluster a removal waits for the word of its people, and the guard’s limits hold', async (t) => {
  const guard = { allowedNamespaces: ['defa*'], removalsPerMinute: 1 };
  const { server, world } = await start(t, guard);
  const names = ['a', 'b', 'c'];
  for (const name of names) world.assignment.wish(toManifest(name, wished));
  for (const name of names) await world.untilTold(keyOf(name), 'Applied');
  world.assignment.wish(toManifest('dns', wished, { namespace: 'kube-system' }));
  world.assignment.wish(toManifest('web', wished, { namespace: 'other' }));
  for (const at of [
    { namespace: 'kube-system', name: 'dns' },
    { namespace: 'other', name: 'web' },
  ]) {
    await world.untilTold(toServiceKey(at), 'LocalGuard');
  }
  t.is((await server.ask({ path: '/api/v1/namespaces/other' })).status, 404);

  for (const name of names) world.assignment.giveUp(keyOf(name), 'delete');
  await eventually(20_000, () => {
    const reasons = names.map((name) => world.results.get(keyOf(name))?.reason).sort();
    const isSo = reasons.join() === 'RemovalNotConfirmed,RemovalNotConfirmed,Removed';
    return Promise.resolve(isSo ? [] : [reasons.join()]);
  });
  const waiting = names.filter((name) => world.results.get(keyOf(name))?.outcome === 'failed');
  const [first = '', second = ''] = waiting;
  t.regex(world.results.get(keyOf(first))?.message ?? '', /kubectl annotate service -n default/);
  const annotations = (await world.read(keyOf(first)))?.metadata.annotations ?? {};
  t.regex(annotations['isthmus.dev/removal-order'] ?? '', /^delete \d+$/);
  await world.edit(keyOf(first), {
    metadata: { annotations: { 'isthmus.dev/confirm-removal': 'true' } },
  });
  await world.untilTold(keyOf(first), 'Removed');
  t.not(await world.read(keyOf(second)), undefined);
});
