// Which names there are: levels with and without a shard, the name budget, TTLs, private zones,
// what is answered when nobody is healthy.

import test from 'ava';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import type { LevelTtls } from '../../common/model/dns-zone.ts';
import {
  embeddedShape,
  toLevelNamesMax,
  toLevelTtls,
  toZoneShape,
  type ZoneShape,
} from '../../coordinator/dns/publish/zone-shape.ts';
import { planRow, rfc2136, testRows } from '../support/dns/level-rows.ts';

const a = { cluster: 'a', region: 'eu', zones: ['eu-1', 'eu-2'], ips: ['8.8.0.1'] };
const places = [
  { region: 'eu', zones: ['eu-1', 'eu-2', 'eu-3'] },
  { region: 'us', zones: ['us-1'] },
];
const ofA = ['GLOBAL A 8.8.0.1', 'eu A 8.8.0.1', 'eu-1.eu A 8.8.0.1', 'eu-2.eu A 8.8.0.1'];
const remove = { ...rfc2136, allUnhealthy: 'Remove' as const };

testRows(test, rfc2136, [
  {
    title: '1 every zone and region of every registered cluster has a name that leads up',
    shards: [a],
    more: { places },
    records: [...ofA, 'eu-3.eu CNAME eu', 'us CNAME GLOBAL', 'us-1.us CNAME us'],
  },
  {
    title: 'a zone that makes names up when they are asked for publishes those with a shard',
    shards: [a],
    more: { places, shape: { ...rfc2136, hasFallbacks: false, levelNamesMax: 0 } },
    records: ofA,
  },
  {
    title: 'beyond the budget levels without a shard are left out, zones first, and that is told',
    shards: [a],
    more: { places, shape: { ...rfc2136, levelNamesMax: 4 } },
    records: [...ofA, 'us CNAME GLOBAL'],
    notes: ['NameBudget'],
  },
  {
    title: 'levels with a shard stand whatever the budget is',
    shards: [a],
    more: { places, shape: { ...rfc2136, levelNamesMax: 1 } },
    records: ofA,
    notes: ['NameBudget'],
  },
  {
    title: '1 Remove: with nobody healthy there are no names, and none dangles',
    shards: [{ ...a, state: 'dead' }],
    more: { places, shape: remove, previous: planRow({ shards: [a] }).planned },
    records: [],
    reason: 'AllUnhealthy',
  },
  {
    title: '1 Remove: as long as one shard is healthy nothing is different',
    shards: [
      { ...a, state: 'dead' },
      { cluster: 'b', ips: ['8.8.0.2'] },
    ],
    more: { shape: remove },
    records: ['GLOBAL A 8.8.0.2', 'eu CNAME GLOBAL', 'eu-1.eu CNAME eu', 'eu-2.eu CNAME eu'],
  },
  {
    title: 'private addresses stand in private zones',
    shards: [{ cluster: 'a', ips: ['10.1.2.3', '100.64.0.1', 'fd00::1', '127.0.0.1', '8.8.0.1'] }],
    more: { shape: { ...rfc2136, isPrivate: true } },
    records: ['GLOBAL A 10.1.2.3 100.64.0.1 8.8.0.1', 'GLOBAL AAAA fd00::1'],
  },
  {
    title: 'private addresses never stand in public zones',
    shards: [{ cluster: 'a', ips: ['10.1.2.3', '100.64.0.1', 'fd00::1', '127.0.0.1', '8.8.0.1'] }],
    records: ['GLOBAL A 8.8.0.1'],
  },
]);

test('how many level names had no room is said with the publication', (t) => {
  const shape = { ...rfc2136, levelNamesMax: 3 };
  const [note] = planRow({ shards: [a], more: { places, shape } }).planned.notes ?? [];
  t.like(note, { reason: 'NameBudget', count: 3 });
  t.is(note?.names.length, 3);
});

test('a cluster that joins takes no name from levels that had one', (t) => {
  const shape = { ...rfc2136, levelNamesMax: 6 };
  const namesOf = (all: typeof places): readonly string[] =>
    planRow({ shards: [a], more: { places: all, shape } }).planned.recordSets.map(
      ({ name }) => name,
    );
  const before = namesOf(places);
  const after = namesOf([...places, { region: 'zz', zones: ['zz-1'] }]);
  const withShard = before.filter((name) => name.includes('eu-1') || name.includes('eu-2'));
  t.true(withShard.every((name) => after.includes(name)));
});

test('a level has its own TTL, the policy’s counts more than the zone’s, the provider’s most', (t) => {
  const zone = { ttlSeconds: 120, levelTtlSeconds: { zone: 30, global: 300 } };
  t.deepEqual(toLevelTtls(60, {}, undefined), { ttlSeconds: 60, levelTtlSeconds: {} });
  t.deepEqual(toLevelTtls(60, zone, undefined), {
    ttlSeconds: 120,
    levelTtlSeconds: { zone: 30, global: 300 },
  });
  t.deepEqual(toLevelTtls(60, zone, { levelTtlSeconds: { global: 10 } }).levelTtlSeconds, {
    zone: 30,
    global: 10,
  });
  // What one Service says of all levels is not undone by what a zone says of one.
  t.deepEqual(toLevelTtls(60, zone, { ttlSeconds: 20 }), { ttlSeconds: 20, levelTtlSeconds: {} });
  const ttls = (ttlSecondsMin: number): readonly number[] =>
    planRow({
      shards: [a],
      more: {
        shape: { ...rfc2136, ttlSecondsMin },
        ttlSeconds: 60,
        levelTtlSeconds: { zone: 5, global: 300 },
      },
    }).planned.recordSets.map(({ ttlSeconds }) => ttlSeconds);
  t.deepEqual([...new Set(ttls(1))].sort(), [300, 5, 60]);
  t.deepEqual([...new Set(ttls(30))].sort(), [30, 300, 60]);
  // Names that the embedded zone makes up have the same.
  const madeUp = (levelTtlSeconds: LevelTtls, shape: ZoneShape = embeddedShape) =>
    planRow({ shards: [a], more: { shape, ttlSeconds: 60, levelTtlSeconds } }).planned
      .fallbackTtlSeconds;
  t.deepEqual(madeUp({ zone: 5, global: 300 }), { zone: 5, region: 60 });
  t.is(madeUp({}), undefined);
  t.is(madeUp({ zone: 5 }, rfc2136), undefined);
});

test('what a policy says of a zone’s ways counts more than what the zone says', (t) => {
  const spec = {
    domain: 'example.com',
    provider: 'RFC2136' as const,
    hostnameMode: 'PerShard' as const,
    allUnhealthy: 'Remove' as const,
    visibility: 'Private' as const,
  };
  const plain = toZoneShape(spec, 10, undefined);
  t.like(plain, { hostnameMode: 'PerShard', allUnhealthy: 'Remove', isPrivate: true });
  t.like(plain, { weights: 'none', levelNamesMax: 10, hasFallbacks: true });
  const said = toZoneShape(spec, 10, { hostnameMode: 'Flatten', allUnhealthy: 'FailOpen' });
  t.like(said, { hostnameMode: 'Flatten', allUnhealthy: 'FailOpen' });
  const embedded = toZoneShape({ domain: 'example.com', provider: 'Embedded' }, 10, undefined);
  t.like(embedded, { levelNamesMax: 0, hasFallbacks: false, weights: 'values' });
});

test('the room for level names changes seldom while Services come, and all fit', (t) => {
  const rooms = new Set<number>();
  for (let services = 1; services <= 4_096; services += 1) {
    const max = toLevelNamesMax({ namesMax: 10_000, services });
    t.true(services * (max + 2) <= 10_000 || max === 0);
    rooms.add(max);
  }
  t.true(rooms.size <= 13);
  t.true(toLevelNamesMax({ namesMax: undefined, services: 1_000_000 }) > 0);
});

test('two clouds with a region of one name are kept apart when told so', (t) => {
  const cluster = (provider: string | undefined, qualifyRegion: boolean): Cluster => ({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'c' },
    spec: { qualifyRegion, zone: 'A 1', ...(provider === undefined ? {} : { provider }) },
    status: { region: 'RegionOne' },
  });
  t.deepEqual(topologyOf(cluster('openstack', true)).region, 'openstack-regionone');
  t.deepEqual(topologyOf(cluster('My Cloud', true)).region, 'my-cloud-regionone');
  t.deepEqual(topologyOf(cluster('openstack', false)).region, 'regionone');
  t.deepEqual(topologyOf(cluster(undefined, true)), {
    zones: ['a-1'],
    region: 'regionone',
    provider: undefined,
  });
});

test('at a provider names that leave no room for their owner mark are not planned', (t) => {
  const labels = ['d'.repeat(60), 'd'.repeat(60), 'd'.repeat(60), 'com'];
  const zone = ['x'.repeat(34), ...labels].join('.');
  const plan = (shape: ZoneShape) => planRow({ shards: [a], more: { shape, zone } });
  const inside = plan(embeddedShape).planned;
  t.true(inside.recordSets.length > 0);
  const { planned, findings } = plan(rfc2136);
  t.like(planned, { reason: 'NameTooLong', recordSets: [] });
  t.regex(planned.message, /^DNS cannot carry _fedowner\.nginx\.web\..*the owner mark/);
  t.deepEqual(findings, []);
});

test('where each shard shall have a name of its own that DNS cannot carry, that is told', (t) => {
  const labels = ['d'.repeat(60), 'd'.repeat(60), 'd'.repeat(60), 'com'];
  const zone = ['x'.repeat(34), ...labels].join('.');
  const shape = { ...embeddedShape, hostnameMode: 'PerShard' as const };
  const at = { cluster: 'a', ips: ['8.8.0.1'] };
  const [note] = planRow({ shards: [at], more: { shape, zone } }).planned.notes ?? [];
  t.like(note, { reason: 'NameTooLong', count: 1 });
  t.regex(note?.message ?? '', /: s-xxxxxxxx\.nginx\.web\./);
});
