import test from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import type { PublishedShard } from '../../common/model/publication.ts';
import { planFuse, suspect, type Suspicion } from '../../coordinator/dns/apply/plan-fuse.ts';
import { ZoneFuse } from '../../coordinator/dns/apply/zone-fuse.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import {
  createApplyWorld,
  domain,
  serviceKey,
  type ApplyWorld,
  type ShardSketch,
} from '../support/dns/apply-world.ts';

const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const north = { cluster: 'north', ip: '203.0.113.3' };
const minuteMs = 60_000;

function set(name: string, type: string, values: readonly string[]): ZoneRecordSet {
  return { name, type, ttlSeconds: 60, values };
}

function shard(sketch: ShardSketch, more: Partial<PublishedShard> = {}): PublishedShard {
  return {
    cluster: toClusterName(sketch.cluster),
    zones: [],
    region: sketch.cluster,
    state: sketch.state ?? 'healthy',
    reason: '',
    sinceMs: 1,
    addresses: [sketch.ip],
    hostnames: [],
    inDns: true,
    ...more,
  };
}

const swap = {
  deletes: [set('w', 'A', [west.ip])],
  creates: [set('w', 'CNAME', ['top'])],
};

for (const [title, shards, isWished, expected] of [
  [
    'a shard that its living agent calls not ready',
    [shard({ ...west, state: 'notReady' })],
    false,
    undefined,
  ],
  ['a shard without an address', [shard({ ...west, state: 'noAddress' })], false, undefined],
  [
    'a shard that is drained',
    [shard({ ...west, state: 'dead' }, { isDrained: true })],
    false,
    undefined,
  ],
  ['a cluster that is no longer chosen', [shard(east)], false, undefined],
  ['a Service that is deleted', undefined, true, undefined],
  [
    'a cluster that is judged dead',
    [shard(east), shard({ ...west, state: 'dead' })],
    false,
    { recordSets: 1, dead: ['west'], living: ['east'] },
  ],
  [
    'a cluster judged dead after another, whose names went before',
    [shard(east), shard({ ...west, state: 'dead' }), shard({ ...north, state: 'dead' })],
    false,
    { recordSets: 1, dead: ['west', 'north'], living: ['east'] },
  ],
  [
    'a shard of which nothing is known',
    [shard(east), shard({ ...west, state: 'pending' })],
    false,
    { recordSets: 1, dead: [], living: ['east'] },
  ],
  [
    'a publication that vanished while its Service stands',
    undefined,
    false,
    { recordSets: 1, dead: [], living: [] },
  ],
] as const) {
  test(`the fuse ${expected === undefined ? 'does not count' : 'counts'} ${title}`, (t) => {
    t.deepEqual<unknown, unknown>(suspect(swap, { shards, isWished }), expected);
  });
}

test('the fuse counts no set that keeps its type, and no owner mark', (t) => {
  const change = {
    deletes: [set('top', 'A', [east.ip, west.ip]), set('_fedowner.x', 'TXT', ['v=1'])],
    creates: [set('top', 'A', [east.ip])],
  };
  const shards = [shard(east), shard({ ...west, state: 'dead' })];
  t.is(suspect(change, { shards, isWished: false }), undefined);
});

function many(count: number, of: Partial<Suspicion>): readonly Suspicion[] {
  return Array.from({ length: count }, () => ({ recordSets: 1, dead: [], living: [], ...of }));
}

for (const [title, owned, recent, due, kind] of [
  ['20 sets of a small zone', 40, 0, many(20, {}), 'pass'],
  ['21 sets of a small zone', 40, 0, many(21, {}), 'hold'],
  ['10 sets after 11 within the minute', 40, 11, many(10, {}), 'hold'],
  ['30 % of a large zone', 1000, 0, many(300, {}), 'pass'],
  ['more than 30 % of a large zone', 1000, 0, many(301, {}), 'hold'],
  ['one dead cluster of two', 100, 0, many(90, { dead: ['a'], living: ['b'] }), 'pass'],
  ['two dead clusters of three', 100, 0, many(90, { dead: ['a', 'b'], living: ['c'] }), 'hold'],
  [
    'many deaths that are believed beside little that nobody explains',
    100,
    0,
    [...many(89, { dead: ['a'], living: ['b'] }), ...many(1, {})],
    'pass',
  ],
  [
    'few deaths that are believed beside much that nobody explains',
    100,
    0,
    [...many(9, { dead: ['a'], living: ['b'] }), ...many(31, {})],
    'hold',
  ],
  [
    'clusters of which some Services do not know yet that they are dead',
    100,
    0,
    [
      ...many(45, { dead: ['a', 'b'], living: ['c'] }),
      ...many(45, { dead: ['a'], living: ['b', 'c'] }),
    ],
    'hold',
  ],
] as const) {
  test(`the fuse: ${title}: ${kind}`, (t) => {
    const limits = { recordSets: 20, percent: 30 };
    t.is(planFuse({ limits, owned, recent, due }).kind, kind);
  });
}

async function threeClusters(): Promise<ApplyWorld> {
  const world = await createApplyWorld();
  for (let at = 0; at < 50; at += 1) {
    await world.publish(serviceKey(`s${at}`), [east, west, north]);
  }
  await world.clock.advance(5 * minuteMs);
  return world;
}

async function loseTwo(world: ApplyWorld): Promise<void> {
  for (let at = 0; at < 50; at += 1) {
    const dead = { state: 'dead' as const };
    await world.publish(serviceKey(`s${at}`), [east, { ...west, ...dead }, { ...north, ...dead }]);
  }
}

test('a mass change on suspicion is held, says its hash, and goes once exactly that is confirmed', async (t) => {
  const world = await threeClusters();
  const before = world.lines();
  await loseTwo(world);
  await world.clock.advance(10 * minuteMs);
  t.deepEqual(world.lines(), before);
  const held = world.applier.view.zone(domain)?.heldPlan;
  t.like(held, { services: 50, recordSets: 100, recordSetsMax: 75 });
  t.is(
    held?.message,
    '100 record sets of 50 Services would go or change their type. More than 75 a minute are held ' +
      'where 2 clusters are judged dead and only 1 speaks: north, west. They stay as they are until ' +
      'a person confirms the plan.',
  );
  t.like(world.applier.view.state(domain, serviceKey('s1')), { state: 'held', reason: 'PlanHeld' });
  t.is(world.events.filter((event) => event.startsWith('DNSZone')).length, 1);
  t.is(world.events.filter((event) => event.startsWith('Service')).length, 10);

  // What a living agent says goes on, and so does what is new.
  await world.publish(serviceKey('new'), [east]);
  await world.clock.advance(1000);
  t.is(world.state(serviceKey('new')), 'submitted');

  world.setZone({ generation: 2, spec: { domain, provider: 'Route53', confirmedPlan: 'another' } });
  await world.clock.advance(minuteMs);
  t.is(world.applier.view.zone(domain)?.heldPlan?.hash, held?.hash);
  const confirmedPlan = held?.hash ?? '';
  world.setZone({ generation: 3, spec: { domain, provider: 'Route53', confirmedPlan } });
  await world.clock.advance(minuteMs);
  t.is(world.applier.view.zone(domain)?.heldPlan, undefined);
  t.is(world.lines().filter((line) => line.includes(' CNAME ')).length, 100);

  // The same once more is another plan.
  for (let at = 0; at < 50; at += 1) {
    await world.publish(serviceKey(`s${at}`), [east, west, north]);
  }
  await world.clock.advance(5 * minuteMs);
  t.deepEqual(
    world.lines().filter((line) => !line.includes('new')),
    before,
  );
  await loseTwo(world);
  await world.clock.advance(minuteMs);
  t.not(world.applier.view.zone(domain)?.heldPlan?.hash ?? confirmedPlan, confirmedPlan);
});

test('a held plan ends by itself when its cause is gone', async (t) => {
  const world = await threeClusters();
  await loseTwo(world);
  await world.clock.advance(minuteMs);
  t.truthy(world.applier.view.zone(domain)?.heldPlan);
  for (let at = 0; at < 50; at += 1) {
    await world.publish(serviceKey(`s${at}`), [east, west, north]);
  }
  await world.clock.advance(minuteMs);
  t.is(world.applier.view.zone(domain)?.heldPlan, undefined);
  t.like(world.applier.view.zone(domain), { pending: 0 });
  t.true(world.events.some((event) => event.includes('DNSReleased')));
});

test('what is held only for what went before it says so, and goes when that is a minute old', (t) => {
  const fuse = new ZoneFuse();
  const group = { id: 's1', reason: '', ...swap };
  const suspicion = { recordSets: 14, dead: ['west', 'north'], living: ['east'] };
  fuse.spend({ recordSets: 7, dead: ['west'], living: ['east'] }, serviceKey('s0'), 0);
  fuse.note(serviceKey('s1'), { suspicion, group, revision: 1 });
  const spec = { domain, provider: 'Route53' } as const;
  t.true(fuse.decide(spec, 49, 2000));
  t.is(
    fuse.held?.message,
    '14 record sets of 1 Service would go or change their type, after 7 within the last minute. ' +
      'More than 20 a minute are held where 2 clusters are judged dead and only 1 speaks: north, ' +
      'west. They stay as they are until a person confirms the plan, or until that minute is over.',
  );
  t.is(fuse.againMs(2000), 58_000);
  t.true(fuse.decide(spec, 49, minuteMs));
  t.is(fuse.held, undefined);
});

test('U5 what nobody explains is held alone: deaths that are believed go on', (t) => {
  const fuse = new ZoneFuse();
  const spec = { domain, provider: 'Route53', massChange: { recordSets: 20, percent: 0 } } as const;
  const note = (name: string, suspicion: Suspicion) =>
    fuse.note(serviceKey(name), {
      suspicion,
      group: { id: name, ...swap },
      revision: 1,
    });
  note('odd', { recordSets: 21, dead: [], living: ['east'] });
  note('failing', { recordSets: 500, dead: ['west'], living: ['east'] });
  t.true(fuse.decide(spec, 49, 1));
  t.like(fuse.held, { services: 1, recordSets: 21 });
  t.deepEqual([...fuse.heldServices()], [serviceKey('odd')]);
  t.false(fuse.isHeld(serviceKey('failing')));
  const hash = fuse.held?.hash ?? '';
  // The plan of one is not that of others: it stays the same while those come and go.
  fuse.spend({ recordSets: 500, dead: ['west'], living: ['east'] }, serviceKey('failing'), 2);
  t.false(fuse.decide(spec, 49, 2));
  t.true(fuse.decide({ ...spec, confirmedPlan: hash }, 49, 3));
  t.deepEqual([fuse.held, fuse.isHeld(serviceKey('odd'))], [undefined, false]);
});

test('the same change is judged anew when another cluster is found dead meanwhile', (t) => {
  const fuse = new ZoneFuse();
  const note = (dead: readonly string[], living: readonly string[]) =>
    fuse.note(serviceKey('s1'), {
      suspicion: { recordSets: 30, dead, living },
      group: { id: 's1', ...swap },
      revision: 1,
    });
  const spec = { domain, provider: 'Route53' } as const;
  note(['west'], ['east', 'north']);
  fuse.decide(spec, 49, 1);
  t.is(fuse.held, undefined);
  note(['west', 'north'], ['east']);
  t.true(fuse.isUndecided);
  fuse.decide(spec, 49, 2);
  t.like(fuse.held, { recordSets: 30 });
});

test('what is held stays whole over a restart, and is confirmed by the same hash', async (t) => {
  const first = await threeClusters();
  await loseTwo(first);
  await first.clock.advance(minuteMs);
  const held = first.applier.view.zone(domain)?.heldPlan;
  t.truthy(held);
  const before = first.lines();
  await first.applier.stop();
  const { clock, log } = first;
  const next = await createApplyWorld({ clock, log, at: first.provider });
  await clock.advance(minuteMs);
  t.deepEqual(first.lines(), before);
  t.is(next.applier.view.zone(domain)?.heldPlan?.hash, held?.hash);
  const confirmedPlan = held?.hash ?? '';
  next.setZone({ generation: 2, spec: { domain, provider: 'Route53', confirmedPlan } });
  await clock.advance(minuteMs);
  t.is(first.lines().filter((line) => line.includes(' CNAME ')).length, 100);
});

test('nothing suspect goes before every Service was looked at once', (t) => {
  const fuse = new ZoneFuse();
  t.true(fuse.isWhole);
  for (const name of ['s1', 's2']) fuse.await(serviceKey(name));
  fuse.note(serviceKey('s1'), undefined);
  t.false(fuse.isWhole);
  fuse.note(serviceKey('s2'), undefined);
  t.true(fuse.isWhole);
});

test('who cannot be looked at for long holds up nobody else', (t) => {
  const fuse = new ZoneFuse();
  fuse.await(serviceKey('s1'));
  fuse.awaitNoLonger();
  t.true(fuse.isWhole);
});

test('I3: publications that vanish while their Services stand take nothing with them', async (t) => {
  const world = await threeClusters();
  const before = world.lines();
  for (let at = 0; at < 50; at += 1) await world.unpublish(serviceKey(`s${at}`));
  await world.clock.advance(10 * minuteMs);
  t.deepEqual(world.lines(), before);
  t.truthy(world.applier.view.zone(domain)?.heldPlan);
});

test('Services that a person deletes go at once, however many', async (t) => {
  const world = await threeClusters();
  for (let at = 0; at < 50; at += 1) await world.remove(serviceKey(`s${at}`));
  await world.clock.advance(minuteMs);
  t.deepEqual(world.lines(), []);
});

test('a frozen zone is not written, shows what would change, and goes on when it is thawed', async (t) => {
  const world = await createApplyWorld();
  await world.publish(serviceKey('shop'), [east, west]);
  await world.clock.advance(minuteMs);
  world.setZone({ generation: 2, spec: { domain, provider: 'Route53', frozen: true } });
  const before = world.provider.calls.apply;
  await world.publish(serviceKey('shop'), [east]);
  await world.clock.advance(30 * minuteMs);
  t.is(world.provider.calls.apply, before);
  t.like(world.applier.view.state(domain, serviceKey('shop')), { state: 'held', reason: 'Frozen' });
  const [planned] = world.applier.view.planned(domain, 10);
  t.deepEqual(
    planned?.deletes.map(({ name, type, data }) => [name, type, data].join(' ')),
    [
      'shop.web.fed.svc.west.example.com A 203.0.113.2',
      'shop.web.fed.svc.example.com A 203.0.113.1 203.0.113.2',
    ],
  );
  t.is(planned?.waits?.reason, 'Frozen');
  world.setZone({ generation: 3, spec: { domain, provider: 'Route53', frozen: false } });
  await world.clock.advance(1000);
  t.is(world.state(serviceKey('shop')), 'submitted');
});
