import test from 'ava';
import type { ShardVerdict } from '../../common/model/health.ts';
import {
  toClusterName,
  toLogKey,
  type ClusterName,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Publication } from '../../common/model/publication.ts';
import type { HealthView, PlacementView } from '../../common/model/views.ts';
import { toPublicationKey, toPublicationObject } from '../../common/pure/publication-object.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { keepProcessAlive, systemClock, type Clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDns, type Dns, type DnsOptions } from '../../coordinator/dns/publish/loop.ts';
import { keepDefaultZone } from '../../coordinator/dns/zones/default-zone.ts';
import { createDnsZones } from '../../coordinator/dns/zones/zones.ts';
import { createZoneTable } from '../../coordinator/zone/zone-table.ts';
import {
  type LogFixture,
  decode,
  openLog,
  nginx,
  nginxAt,
  nginxGlobal,
  question,
  shard,
  type ShardSketch,
} from '../support/dns-fixtures.ts';
import { createManualClock } from '../support/manual-clock.ts';

const serviceKey = toLogKey({ group: '', resource: 'services', namespace: 'web', name: 'nginx' });
const publicationKey = toLogKey({
  group: 'isthmus.dev',
  resource: 'publications',
  namespace: 'web',
  name: 'nginx.example.com',
});
const termKey = toLogKey({ group: 'isthmus.dev', resource: 'terms', name: 'coordinator' });

function service(more: Partial<KubeObject['metadata']> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', namespace: 'web', uid: 'uid-1', ...more },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  };
}

const termObject: KubeObject = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Term',
  metadata: { name: 'coordinator' },
};

function cluster(name: string, zone: string, region: string): KubeObject {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name },
    spec: { zone, region },
  };
}

// A Service that rests after a run is woken by a timer, which alone keeps no process alive.
const alive = keepProcessAlive();
test.after.always(() => alive.cancel());

/** Two clusters and one Service, with verdicts that the test sets. */
async function createWorld(given?: LogFixture, clock: Clock = systemClock) {
  const log = given ?? (await openLog());
  const { desired, put } = log;
  const verdicts = new Map<ClusterName, ShardVerdict>();
  const due = new Set<(at: { cluster: ClusterName; key: ServiceKey }) => void>();
  const events: string[] = [];
  let placed: readonly ClusterName[] = [toClusterName('a'), toClusterName('b')];
  let hasPlaced = true;
  for (const name of ['a', 'b']) {
    const at = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });
    await put(at, cluster(name, `z${name}`, `r${name}`));
  }
  const term = desired.get(termKey) ?? (await put(termKey, termObject));
  const content = { key: nginx, bytes: new Uint8Array(), hash: 'h' as never };
  const placement: PlacementView = {
    revision: () => (hasPlaced ? desired.revision() : (0 as never)),
    shard: () => undefined,
    shardsOf: (name) => (placed.includes(name) ? [content] : []),
    clustersOf: () => placed,
    removalsOf: () => [],
    traffic: () => ({ isDrained: false, weight: 100 }),
    notes: () => undefined,
    subscribe: (listener) => {
      due.add(listener);
      return () => due.delete(listener);
    },
  };
  const health: HealthView = {
    cluster: () => undefined,
    shard: (name) => verdicts.get(name),
    subscribe: (listener) => {
      due.add(listener);
      return () => due.delete(listener);
    },
  };
  const wake = (name: string): void => {
    for (const listener of due) listener({ cluster: toClusterName(name), key: nginx });
  };
  const common = {
    desired,
    placement,
    term: { guard: () => ({ key: termKey, revision: term.revision }) },
    recorder: { record: ({ type, reason }) => void events.push(`${type} ${reason}`) },
    clock,
    chance: systemChance,
    log: silentLog,
    metrics: silentMetrics,
  } satisfies Partial<DnsOptions>;
  const openProvider = () => Promise.reject(new Error('no provider here'));
  const zones = createDnsZones({ ...common, openProvider });
  await keepDefaultZone(common, 'example.com');
  zones.start();
  const dns: Dns = createDns({
    ...common,
    zones: zones.view,
    health,
    config: {
      federation: 'myfederation',
      ttlSeconds: 60,
      addressRules: { allowLoopback: false },
    },
  });
  const published = (): Publication | undefined =>
    desired.get(publicationKey)?.object.spec as Publication | undefined;
  return {
    log,
    put,
    desired,
    dns,
    events,
    published,
    values: (name: string) =>
      published()
        ?.recordSets.filter((set) => set.name === name)
        .flatMap(({ values }) => values),
    place: (names: readonly string[], isKnown = true) => {
      placed = names.map(toClusterName);
      hasPlaced = isKnown;
      wake('a');
    },
    judge: (sketch: ShardSketch) => {
      const { verdict } = shard(sketch);
      if (verdict !== undefined) verdicts.set(verdict.cluster, verdict);
      wake(sketch.cluster);
    },
    forget: () => verdicts.clear(),
  };
}

const a: ShardSketch = { cluster: 'a', ips: ['8.8.0.1'] };
const b: ShardSketch = { cluster: 'b', ips: ['8.8.0.2'] };

async function createReady() {
  const world = await createWorld();
  await world.put(serviceKey, service());
  world.dns.start();
  world.judge(a);
  world.judge(b);
  await world.dns.idle();
  return world;
}

test('a Service whose shards become healthy is published, and the zone answers', async (t) => {
  const world = await createReady();
  const zone = createZoneTable({
    desired: world.desired,
    domain: 'example.com',
    federation: 'myfederation',
  });
  t.deepEqual(world.values(nginxGlobal), ['8.8.0.1', '8.8.0.2']);
  t.deepEqual(world.events, ['Normal DNSPublished']);
  t.is(decode(zone.answer(question(nginxAt('za', 'ra'), 'A'), 'udp').reply).answers.length, 1);
  world.judge({ ...a, state: 'notReady' });
  await world.dns.idle();
  t.deepEqual(world.values(nginxAt('ra')), [nginxGlobal]);
  t.deepEqual(
    decode(zone.query(nginxAt('za', 'ra'), 'A').reply).answers.map((line) => line.split(' ')[1]),
    ['CNAME', 'CNAME', 'A'],
  );
  t.deepEqual(world.events, ['Normal DNSPublished', 'Warning DNSFailedOver']);
});

test('nothing is written when nothing changed', async (t) => {
  const world = await createReady();
  const before = world.desired.revision();
  world.judge(a);
  world.judge(b);
  await world.dns.idle();
  t.is(world.desired.revision(), before);
});

test('I12 a deposed lease holder writes nothing', async (t) => {
  const world = await createReady();
  await world.put(termKey, termObject);
  world.judge({ ...a, state: 'notReady' });
  await world.dns.idle();
  t.deepEqual(world.values(nginxGlobal), ['8.8.0.1', '8.8.0.2']);
  t.deepEqual(world.events, ['Normal DNSPublished']);
});

test('a loop that was stopped goes on where it is started again', async (t) => {
  const world = await createReady();
  await world.dns.stop();
  world.judge({ ...a, state: 'notReady' });
  await world.dns.idle();
  t.deepEqual(world.values(nginxGlobal), ['8.8.0.1', '8.8.0.2']);
  world.dns.start();
  await world.dns.idle();
  t.deepEqual(world.values(nginxGlobal), ['8.8.0.2']);
});

test('I7 a Service that is being deleted, or is gone, has no publication', async (t) => {
  const world = await createReady();
  await world.put(serviceKey, service({ deletionTimestamp: '2026-01-01T00:00:00Z' }));
  await world.dns.idle();
  t.is(world.published(), undefined);
  t.deepEqual(world.events, ['Normal DNSPublished', 'Normal DNSWithdrawn']);
});

test('I7 a publication whose Service went unseen goes at the next start', async (t) => {
  const world = await createReady();
  await world.dns.stop();
  await world.put(serviceKey, undefined);
  t.not(world.published(), undefined);
  const next = await createWorld(world.log);
  next.dns.start();
  await next.dns.idle();
  t.is(next.published(), undefined);
});

test('I3 after a restart without verdicts the publication stays as it is', async (t) => {
  const world = await createReady();
  const before = world.published();
  world.forget();
  world.judge({ cluster: 'a', isUnknown: true });
  await world.dns.idle();
  t.is(world.published(), before);
});

test('I3 a placement that has not seen the Service is no wish to withdraw it', async (t) => {
  const world = await createReady();
  world.place([], false);
  await world.dns.idle();
  t.deepEqual(world.values(nginxGlobal), ['8.8.0.1', '8.8.0.2']);
  world.place([]);
  await world.dns.idle();
  t.deepEqual(world.published()?.recordSets, []);
  await world.dns.stop();
});

test('a cluster that is deselected leaves its names; a cluster that moves takes them along', async (t) => {
  const world = await createReady();
  world.place(['a']);
  await world.dns.idle();
  t.deepEqual(world.values(nginxGlobal), ['8.8.0.1']);
  t.deepEqual(world.values(nginxAt('rb')), []);
  await world.put(
    toLogKey({ group: 'isthmus.dev', resource: 'clusters', name: 'a' }),
    cluster('a', 'zn', 'rn'),
  );
  await world.dns.idle();
  t.deepEqual(world.values(nginxAt('zn', 'rn')), ['8.8.0.1']);
  t.deepEqual(world.values(nginxAt('ra')), []);
});

test('I7 what was published under a former domain goes', async (t) => {
  const world = await createReady();
  const published = world.published();
  if (published === undefined) return t.fail('nothing published');
  const former = toPublicationObject({ ...published, zone: 'example.net' });
  const at = toPublicationKey(nginx, 'example.net');
  await world.put(at, former);
  await world.dns.idle();
  t.is(world.desired.get(at), undefined);
  t.deepEqual(world.published(), published);
});

test('shards of a Service that has no names yet are written together; its first name at once', async (t) => {
  const clock = createManualClock();
  const world = await createWorld(undefined, clock);
  const told = (): number | undefined =>
    world.published()?.shards.filter(({ addresses }) => addresses.length > 0).length;
  const settle = async (ms = 0): Promise<void> => {
    await clock.advance(ms);
    await world.dns.idle();
  };
  await world.put(serviceKey, service());
  world.dns.start();
  await settle();
  t.is(world.published()?.reason, 'NeverHealthy');
  world.judge({ ...a, state: 'notReady' });
  await settle(499);
  world.judge({ ...b, state: 'notReady' });
  await settle();
  t.is(told(), 0);
  await settle(1);
  t.is(told(), 2);
  world.judge({ ...b, state: 'notReady', ips: ['8.8.0.9'] });
  await settle();
  world.judge(a);
  await settle();
  t.deepEqual(world.values(nginxGlobal), ['8.8.0.1']);
  t.deepEqual(world.published()?.shards[1]?.addresses, ['8.8.0.9']);
  world.judge({ ...b, state: 'notReady' });
  await settle();
  t.deepEqual(world.published()?.shards[1]?.addresses, ['8.8.0.2']);
});
