import test from 'ava';
import type { ProviderFault } from '../support/dns/memory-provider.ts';
import {
  createApplyWorld,
  domain,
  globalName,
  regionName,
  serviceKey,
  type ApplyWorld,
} from '../support/dns/apply-world.ts';

const shop = serviceKey('shop');
const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const both = [east, west];
const minuteMs = 60_000;
const fenceName = `_fedfence.fed.${domain}`;

function fence(world: ApplyWorld): string {
  return world.provider.standing(fenceName)[0]?.values[0] ?? 'none';
}

/** The next holder of the lease: the same log and zone, a later term. */
function succeed(world: ApplyWorld): Promise<ApplyWorld> {
  return createApplyWorld({ log: world.log, clock: world.clock, zone: world.provider.zone });
}

/** A first holder with one Service, whose next batch does not arrive before release(). */
async function withLateBatch(): Promise<ApplyWorld> {
  const broken: { fault: ProviderFault | undefined } = { fault: undefined };
  const first = await createApplyWorld({
    provider: { fault: (call) => (call === 'apply' ? broken.fault : undefined) },
  });
  await first.publish(shop, both);
  await first.clock.advance(minuteMs);
  broken.fault = 'late';
  await first.publish(shop, [east, { ...west, state: 'notReady' }]);
  await first.clock.advance(75);
  return first;
}

test('I12: a request of a deposed holder that arrives after the take-over fails', async (t) => {
  const first = await withLateBatch();
  const second = await succeed(first);
  await first.clock.advance(20_000);
  await second.publish(shop, both);
  await first.clock.advance(20_000);
  const before = second.provider.standing();
  const late = first.provider.release();
  t.true(late.length > 0 && !late.includes('applied'), late.join());
  t.is(late[0], 'fenced');
  t.deepEqual(second.provider.standing(), before);
  t.regex(fence(second), /^v=1 id=owner-a term=2 /);
  t.is(second.provider.standing(regionName(shop, 'west'))[0]?.type, 'A');
});

test('I12: a request of a deposed holder that arrives before the take-over is settled by its successor', async (t) => {
  const first = await withLateBatch();
  t.deepEqual(first.provider.release(), ['applied']);
  const second = await succeed(first);
  await first.clock.advance(minuteMs);
  t.deepEqual(second.provider.standing(regionName(shop, 'west'))[0]?.values, [globalName(shop)]);
  const recorded = second.applier.view.recorded(domain, shop).map(({ name, type }) => name + type);
  t.true(recorded.includes(`${regionName(shop, 'west')}CNAME`));
  t.is(second.state(shop), 'live');
  t.is(second.provider.calls.namesRead, 2, 'the fence alone said so');
  await second.publish(shop, both);
  await first.clock.advance(2000);
  t.is(second.provider.standing(regionName(shop, 'west'))[0]?.type, 'A');
});

test('I12: what was applied is not forgotten when two holders follow each other at once', async (t) => {
  const first = await withLateBatch();
  first.provider.release();
  const second = await succeed(first);
  const third = await succeed(first);
  await first.clock.advance(minuteMs);
  t.deepEqual(
    third.applier.view.recorded(domain, shop).map(({ name, type }) => `${name} ${type}`),
    third.lines().map((line) => line.split(' ').slice(0, 2).join(' ')),
  );
  t.is(third.provider.calls.apply, 1, 'the fence');
  t.is(second.provider.zone.changes.length, first.provider.zone.changes.length);
});

test('I12: a deposed holder sends nothing more, however much is due', async (t) => {
  const first = await createApplyWorld();
  await first.publish(shop, both);
  await first.clock.advance(minuteMs);
  const second = await succeed(first);
  await first.clock.advance(1000);
  const before = first.provider.calls.apply;
  for (const ip of ['203.0.113.7', '203.0.113.8']) {
    await second.publish(shop, [{ ...east, ip }, west]);
    await first.clock.advance(minuteMs);
  }
  t.is(first.provider.calls.apply, before);
  t.deepEqual(second.provider.standing(regionName(shop, 'east'))[0]?.values, ['203.0.113.8']);
  t.is(second.state(shop), 'live');
});

test('a holder that stops and starts within its term goes on where it was', async (t) => {
  const world = await createApplyWorld();
  await world.publish(shop, both);
  await world.clock.advance(minuteMs);
  await world.applier.stop();
  await world.publish(shop, [east]);
  await world.clock.advance(minuteMs);
  t.true(world.lines().some((line) => line.startsWith(regionName(shop, 'west'))));
  world.applier.start();
  await world.clock.advance(2000);
  t.false(world.lines().some((line) => line.startsWith(regionName(shop, 'west'))));
  t.is(world.applier.view.zone(domain)?.fence, undefined);
});

test('a restart changes nothing at the provider but the fence', async (t) => {
  const first = await createApplyWorld();
  for (let at = 0; at < 20; at += 1) await first.publish(serviceKey(`s${at}`), both);
  await first.clock.advance(minuteMs);
  await first.applier.stop();
  const before = first.lines();
  const second = await succeed(first);
  await first.clock.advance(minuteMs);
  t.deepEqual(second.lines(), before);
  t.is(second.provider.calls.apply, 1);
  t.is(second.state(serviceKey('s3')), 'live');
});

test('two coordinators with copies of one data directory find each other: one writes, one stops and says so', async (t) => {
  const first = await createApplyWorld();
  await first.publish(shop, both);
  await first.clock.advance(minuteMs);
  const twin = await createApplyWorld({ clock: first.clock, zone: first.provider.zone });
  await twin.publish(serviceKey('cart'), both);
  await first.clock.advance(minuteMs);
  t.is(twin.applier.view.zone(domain)?.fence?.reason, 'TwinOwner');
  t.like(twin.applier.view.state(domain, serviceKey('cart')), {
    state: 'failing',
    reason: 'TwinOwner',
  });
  t.true(twin.events.some((event) => event.startsWith(`DNSZone ${domain} TwinOwner`)));
  t.is(twin.provider.calls.apply, 0);
  await first.publish(shop, [east]);
  await first.clock.advance(minuteMs);
  t.is(first.state(shop), 'live');
});

test('a twin that is a life ahead stops the other one', async (t) => {
  const first = await createApplyWorld();
  await first.publish(shop, both);
  await first.clock.advance(minuteMs);
  const copy = await createApplyWorld({ clock: first.clock, isStarted: false });
  const twin = await createApplyWorld({
    clock: first.clock,
    zone: first.provider.zone,
    log: copy.log,
  });
  await twin.publish(serviceKey('cart'), both);
  await first.clock.advance(minuteMs);
  const before = first.lines();
  await first.publish(shop, [east]);
  await first.clock.advance(10 * minuteMs);
  t.deepEqual(first.lines(), before);
  t.is(first.applier.view.zone(domain)?.fence?.reason, 'Deposed');
});

test('a coordinator of another owner id writes nothing until a person says that the first is gone', async (t) => {
  const first = await createApplyWorld();
  await first.publish(shop, both);
  await first.clock.advance(minuteMs);
  await first.applier.stop();
  const other = await createApplyWorld({
    clock: first.clock,
    zone: first.provider.zone,
    ownerId: 'owner-b',
  });
  const before = first.provider.standing();
  await other.publish(shop, [east, { ...west, state: 'notReady' }]);
  await first.clock.advance(minuteMs);
  t.deepEqual(first.provider.standing(), before);
  t.like(other.applier.view.zone(domain)?.fence, { reason: 'OtherOwner' });
  const takeOverFrom = ['owner-a'];
  other.setZone({ generation: 2, spec: { domain, provider: 'Route53', takeOverFrom } });
  await first.clock.advance(minuteMs);
  t.deepEqual(other.lines(), [
    `_fedowner.shop.web.fed.svc.${domain} TXT v=1 fed=fed id=owner-b`,
    `${regionName(shop, 'east')} A ${east.ip}`,
    `${globalName(shop)} A ${east.ip}`,
    `${regionName(shop, 'west')} CNAME ${globalName(shop)}`,
  ]);
});

test('something foreign at the name of the fence stops the zone and is named', async (t) => {
  const world = await createApplyWorld();
  world.provider.put({ name: fenceName, type: 'TXT', ttlSeconds: 60, values: ['hello'] });
  await world.publish(shop, both);
  await world.clock.advance(minuteMs);
  t.is(world.applier.view.zone(domain)?.fence?.reason, 'ForeignFence');
  t.deepEqual(world.lines(), []);
  world.provider.remove({ name: fenceName, type: 'TXT' });
  await world.clock.advance(5 * minuteMs);
  t.is(world.state(shop), 'live');
});

test('a fence that somebody deletes is made again, and what was on its way is not lost', async (t) => {
  const world = await createApplyWorld();
  await world.publish(shop, both);
  await world.clock.advance(minuteMs);
  world.provider.remove({ name: fenceName, type: 'TXT' });
  await world.publish(shop, [east]);
  await world.clock.advance(minuteMs);
  t.is(world.state(shop), 'live');
  t.regex(fence(world), /^v=1 id=owner-a /);
});
