import test from 'ava';
import { sleep } from '../../common/runtime/clock.ts';
import { follow, type Desired } from '../../coordinator/desired/store.ts';
import {
  createApplyWorld,
  domain,
  globalName,
  regionName,
  serviceKey,
} from '../support/dns/apply-world.ts';
import { openLog, type LogFixture } from '../support/dns-fixtures.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

const shop = serviceKey('shop');
const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const both = [east, west];
const applied = 'isthmus.dev/dnsapplied/';

test('a publication is written with its mark, and is live once it is served', async (t) => {
  const world = await createApplyWorld();
  await world.publish(shop, both);
  await world.clock.advance(1000);
  t.deepEqual(world.lines(), [
    '_fedowner.shop.web.fed.svc.example.com TXT v=1 fed=fed id=owner-a',
    'shop.web.fed.svc.east.example.com A 203.0.113.1',
    'shop.web.fed.svc.example.com A 203.0.113.1 203.0.113.2',
    'shop.web.fed.svc.west.example.com A 203.0.113.2',
  ]);
  t.is(world.state(shop), 'submitted');
  await world.clock.advance(60_000);
  t.is(world.state(shop), 'live');
  t.like(world.applier.view.zone(domain), { recordSets: 4, pending: 0, isEmpty: false });
});

test('a region without a healthy shard changes its type in one request', async (t) => {
  const world = await createApplyWorld();
  await world.publish(shop, both);
  await world.clock.advance(1000);
  await world.publish(shop, [east, { ...west, state: 'notReady' }]);
  await world.clock.advance(1000);
  t.is(world.provider.zone.changes.at(-1)?.groups.length, 1);
  t.true(world.lines().includes(`${regionName(shop, 'west')} CNAME ${globalName(shop)}`));
});

test('I7: a Service that is gone leaves nothing but the fence', async (t) => {
  const world = await createApplyWorld();
  await world.publish(shop, both);
  await world.clock.advance(1000);
  await world.remove(shop);
  await world.clock.advance(60_000);
  t.deepEqual(world.lines(), []);
  t.is(world.state(shop), undefined);
  t.like(world.applier.view.zone(domain), { recordSets: 0, pending: 0 });
});

/** A log in which what is recorded as ours takes 100 ms each time. */
async function openSlowLog(clock: VirtualClock): Promise<LogFixture> {
  const log = await openLog();
  const write: Desired['write'] = async (request) => {
    if (request.key.startsWith(applied)) await sleep(clock, 100);
    return log.desired.write(request);
  };
  const desired = new Proxy(log.desired, {
    get: (target, name) => {
      if (name === 'write') return write;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { ...log, desired };
}

test('nothing stays recorded of a zone that goes while its last batch is being recorded', async (t) => {
  const clock = createVirtualClock();
  const world = await createApplyWorld({ clock, log: await openSlowLog(clock) });
  for (let at = 0; at < 100; at += 1) await world.publish(serviceKey(`s${at}`), both);
  const { desired } = world.log;
  let events = 0;
  const recorded = follow(desired, applied, () => {
    if (events === 0) world.setZone(undefined);
    events += 1;
  });
  await clock.advance(60_000);
  recorded.cancel();
  t.true(events > 0);
  t.is(world.applier.view.zone(domain), undefined);
  t.deepEqual([...desired.list(applied)], []);
});
