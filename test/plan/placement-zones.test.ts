// Placement where a Service is published in several zones, some at providers that are slow.

import test from 'ava';
import type { Publication, PublishedShard } from '../../common/model/publication.ts';
import { toClusterName, toLogKey, toRevision, type LogKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { toPublicationKey, toPublicationObject } from '../../common/pure/publication-object.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { mergePublished } from '../../coordinator/placement/merge-published.ts';
import { publicationsOf } from '../../coordinator/placement/published.ts';
import { writeGuarded } from '../../coordinator/placement/removal.ts';
import {
  createPlacementWorld,
  heldBy,
  nginx,
  ordersOf,
  policyAt,
  service,
  serviceAt,
  type PlacementWorld,
} from './placement-world.ts';
import { publish } from './placement-dns.ts';

function shard(cluster: string, more: Partial<PublishedShard> = {}): PublishedShard {
  return {
    cluster: toClusterName(cluster),
    zones: [],
    region: undefined,
    state: 'healthy',
    reason: '',
    sinceMs: 0,
    addresses: [`192.0.2.${cluster.charCodeAt(0)}`],
    hostnames: [],
    inDns: true,
    ...more,
  };
}

function publication(zone: string, ...shards: readonly PublishedShard[]): Publication {
  const name = `nginx.web.fed.svc.${zone}`;
  return {
    key: nginx,
    serviceUid: '',
    zone,
    recordSets: [{ name, type: 'A', ttlSeconds: 60, values: ['192.0.2.97'], level: 'global' }],
    shards,
    everHealthy: true,
    reason: 'Published',
    message: '',
  };
}

const nothing: ReadonlySet<string> = new Set();

test('one zone, and nothing at a provider: it is what the publication says', (t) => {
  const only = publication('example.com', shard('a'));
  t.is(mergePublished([only], nothing), only);
  t.is(mergePublished([], nothing), undefined);
});

test('I5 a shard is in DNS while any zone leads to it', (t) => {
  const merged = mergePublished(
    [
      publication('example.com', shard('a', { inDns: false, addresses: [] })),
      publication('corp', shard('a', { addresses: ['10.0.0.1'] }), shard('b')),
    ],
    nothing,
  );
  t.deepEqual(
    merged?.shards.map(({ cluster, inDns }) => `${cluster} ${inDns}`),
    ['a true', 'b true'],
  );
  t.deepEqual(merged?.shards[0]?.addresses, ['10.0.0.1']);
  t.is(merged?.recordSets.length, 2);
});

test('I5 a shard is in DNS while its address stands at a provider, unless it is another’s', (t) => {
  const out = shard('a', { inDns: false, isDrained: true });
  const [left] = mergePublished([publication('x', out)], new Set(['192.0.2.97']))?.shards ?? [];
  t.like(left, { inDns: true });
  t.is(left?.isDrained, undefined);
  const balancer = { addresses: [], hostnames: ['lb.example.net'], resolved: ['192.0.2.97'] };
  const flattened = shard('a', { inDns: false, isDrained: true, ...balancer });
  const [kept] =
    mergePublished([publication('x', flattened)], new Set(['192.0.2.97']))?.shards ?? [];
  t.true(kept?.inDns, 'by an address that its load balancer’s name was looked up as');
  const shared = shard('b', { addresses: ['192.0.2.97'] });
  const both = mergePublished([publication('x', out, shared)], new Set(['192.0.2.97']));
  t.false(both?.shards[0]?.inDns);
});

const own = (resource: string, name: string, namespace?: string): LogKey =>
  toLogKey({ group: 'isthmus.dev', resource, name, namespace });
const applied = (...values: readonly string[]): KubeObject => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'DNSApplied',
  metadata: { name: 'nginx.public', namespace: 'web' },
  spec: { recordSets: [{ name: 'x', type: 'A', ttlSeconds: 60, values }] },
});
const publicZone: KubeObject = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'DNSZone',
  metadata: { name: 'public' },
};
const appliedAt = own('dnsapplied', 'nginx.public', 'web');

async function createGoing(): Promise<PlacementWorld> {
  const world = await createPlacementWorld(['a']);
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(own('dnszones', 'public'), publicZone);
  await world.put(appliedAt, applied('192.0.2.97'));
  await world.obey();
  await world.deleteService('nginx');
  await world.obey();
  return world;
}

test('I5 an order that any zone may be about to contradict is decided again', async (t) => {
  const world = await createPlacementWorld([]);
  const desired = world.desired();
  const zones = ['corp', 'example.com', 'example.net'];
  const at = (zone: string) => toPublicationKey(nginx, zone);
  for (const zone of zones)
    await world.put(at(zone), toPublicationObject(publication(zone, shard('a'))));
  const term = await acquireTerm({ desired, holder: 'test' });
  for (const zone of zones) {
    const standing = publicationsOf(desired, nginx);
    t.is(standing.length, 3);
    await world.put(at(zone), toPublicationObject(publication(zone, shard('a'), shard('b'))));
    const key = toLogKey({ group: '', resource: 'configmaps', namespace: 'web', name: zone });
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: zone } };
    const request = { key, object, expected: toRevision(0) };
    t.is((await writeGuarded({ desired, term }, request, standing)).kind, 'conflict', zone);
    const again = publicationsOf(desired, nginx);
    t.is((await writeGuarded({ desired, term }, request, again)).kind, 'written', zone);
  }
});

test('a Service that goes keeps its shards until providers have taken its names out', async (t) => {
  const world = await createGoing();
  await world.clock.advance(19_000);
  await world.obey();
  t.deepEqual(heldBy(world), ['a: web/nginx']);
  t.truthy(world.desired().get(serviceAt('nginx')));
  await world.put(appliedAt, undefined);
  await world.obey();
  t.deepEqual(heldBy(world), []);
  t.is(world.desired().get(serviceAt('nginx')), undefined);
  t.false(world.events.some((text) => text.includes('NamesRemain')));
});

test('a Service goes after 20 s though a provider is down, and says which has names of it', async (t) => {
  const world = await createGoing();
  await world.clock.advance(20_001);
  await world.obey();
  t.deepEqual(heldBy(world), []);
  t.is(world.desired().get(serviceAt('nginx')), undefined);
  const told = world.events.filter((text) => text.includes('NamesRemain'));
  t.is(told.length, 1);
  t.regex(told[0] ?? '', /DNSZone public: they are removed as soon as that can be written/u);
});

test('names in a DNSZone that is gone keep no Service', async (t) => {
  const world = await createGoing();
  await world.put(own('dnszones', 'public'), undefined);
  await world.obey();
  t.is(world.desired().get(serviceAt('nginx')), undefined);
});

test('I5 a shard that leaves stays until the provider has taken its address out', async (t) => {
  const policy = (...clusters: readonly string[]): KubeObject => ({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name: 'nginx', namespace: 'web' },
    spec: { serviceName: 'nginx', placement: { clusters } },
  });
  const world = await createPlacementWorld(['a', 'b']);
  await world.put(policyAt('nginx'), policy('a'));
  await world.put(serviceAt('nginx'), service('nginx'));
  await world.put(own('dnszones', 'public'), publicZone);
  const at = appliedAt;
  await world.put(at, applied('192.0.2.97'));
  await world.obey();
  await publish(world, ['a']);
  await world.put(policyAt('nginx'), policy('b'));
  await world.obey();
  await publish(world, ['a', 'b']);
  await world.clock.advance(600_000);
  t.deepEqual(ordersOf(world), [], 'the provider still says where it is');
  await world.put(at, applied('192.0.2.98'));
  await world.clock.advance(59_000);
  t.deepEqual(ordersOf(world), []);
  await world.clock.advance(2_000);
  t.deepEqual(ordersOf(world), ['a delete']);
});
