import test from 'ava';
import type { ProviderFault } from '../support/dns/memory-provider.ts';
import {
  createApplyWorld,
  domain,
  globalName,
  regionName,
  serviceKey,
  toPublication,
  type ApplyWorld,
} from '../support/dns/apply-world.ts';

const shop = serviceKey('shop');
const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const both = [east, west];
const eastOnly = [east, { ...west, state: 'notReady' as const }];
const minuteMs = 60_000;

/** What shall stand of these Services. */
function wanted(services: readonly string[], shards = both): readonly string[] {
  return services
    .flatMap((name) => [
      `_fedowner.${name}.web.fed.svc.${domain} TXT v=1 fed=fed id=owner-a`,
      ...toPublication(serviceKey(name), shards).recordSets.map((set) =>
        [set.name, set.type, ...set.values].join(' '),
      ),
    ])
    .sort();
}

function counted(world: ApplyWorld, call: string, outcome: string): number {
  return world.counts.get(`mesh_dns_provider_calls_total{${domain},${call},${outcome}}`) ?? 0;
}

test('a provider that is down for an hour gets what is wanted afterwards, and is asked seldom', async (t) => {
  let fault: ProviderFault | undefined;
  const world = await createApplyWorld({ provider: { fault: () => fault } });
  await world.publish(shop, both);
  await world.clock.advance(minuteMs);
  fault = 'down';
  await world.publish(shop, eastOnly);
  const before = world.provider.calls.apply + world.provider.calls.read;
  await world.clock.advance(5000);
  t.is(world.state(shop), 'failing');
  t.is(world.applier.view.zone(domain)?.lastError?.reason, 'Unavailable');
  await world.clock.advance(60 * minuteMs);
  t.true(world.provider.calls.apply + world.provider.calls.read - before < 120);
  t.true(world.events.some((event) => event.startsWith(`DNSZone ${domain} DNSFailing`)));
  t.true(world.events.some((event) => event.startsWith('Service shop DNSFailing')));
  t.false(world.events.some((event) => event.includes('..')));
  fault = undefined;
  await world.clock.advance(2 * minuteMs);
  t.deepEqual([...world.lines()].sort(), wanted(['shop'], eastOnly));
  t.is(world.state(shop), 'live');
  t.is(world.applier.view.zone(domain)?.lastError, undefined);
  t.true(world.events.some((event) => event.startsWith(`DNSZone ${domain} DNSRecovered`)));
});

test('a provider that denies is asked seldom, says so, and goes on once it allows', async (t) => {
  let fault: ProviderFault | undefined = 'denied';
  const world = await createApplyWorld({ provider: { fault: () => fault } });
  await world.publish(shop, both);
  await world.clock.advance(60 * minuteMs);
  t.is(world.state(shop), 'failing');
  t.is(world.applier.view.zone(domain)?.lastError?.reason, 'Denied');
  t.true(world.provider.calls.apply + world.provider.calls.read < 30);
  fault = undefined;
  world.setZone({ generation: 2 });
  await world.clock.advance(1000);
  t.deepEqual([...world.lines()].sort(), wanted(['shop']));
});

test('one request a second is learned, and no throttling reaches the user', async (t) => {
  const world = await createApplyWorld({
    provider: {
      enforced: { perSecond: 1, burst: 1 },
      capabilities: { limits: { changes: 20, bytes: 32_000 } },
    },
  });
  const names = Array.from({ length: 100 }, (_, at) => `s${at}`);
  for (const name of names) await world.publish(serviceKey(name), both);
  // Success raises it again: what counts is how far down it was.
  let slowest = Infinity;
  for (let at = 0; at < 300; at += 1) {
    await world.clock.advance(1000);
    const rate = world.counts.get(`mesh_dns_requests_per_second{${domain}}`) ?? Infinity;
    slowest = Math.min(slowest, rate);
  }
  t.deepEqual([...world.lines()].sort(), wanted(names));
  t.true(slowest <= 5, `${slowest} requests a second`);
  t.true(counted(world, 'apply', 'throttled') > 0);
  t.deepEqual(world.events, []);
});

for (const [fault, what] of [
  ['lostAfter', 'made'],
  ['lostBefore', 'not made'],
] as const) {
  test(`an answer that is lost after each third request, with its change ${what}, is settled by reading`, async (t) => {
    let count = 0;
    const world = await createApplyWorld({
      provider: {
        fault: (call) => {
          if (call === 'read') return undefined;
          count += 1;
          return count % 3 === 0 ? fault : undefined;
        },
      },
    });
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) {
      await world.publish(serviceKey(name), both);
      await world.clock.advance(10_000);
      await world.publish(serviceKey(name), eastOnly);
      await world.clock.advance(10_000);
    }
    await world.clock.advance(2 * minuteMs);
    t.deepEqual([...world.lines()].sort(), wanted(names, eastOnly));
    t.deepEqual(
      names.map((name) => world.state(serviceKey(name))),
      names.map(() => 'live'),
    );
    t.true(counted(world, 'apply', 'unknown') >= 3);
    t.deepEqual(world.events, []);
  });
}

test('an answer that is lost every time is settled by reading, each time', async (t) => {
  const world = await createApplyWorld({
    provider: { fault: (call) => (call === 'apply' ? 'lostAfter' : undefined) },
  });
  for (const name of ['a', 'b', 'c']) {
    await world.publish(serviceKey(name), both);
    await world.clock.advance(minuteMs);
  }
  t.deepEqual([...world.lines()].sort(), wanted(['a', 'b', 'c']));
});

test('a provider that hangs is given up by the deadline, and delays its own zone only', async (t) => {
  const world = await createApplyWorld();
  const other = (await createApplyWorld({ isStarted: false, clock: world.clock })).provider;
  const hanging = { ...other, apply: () => new Promise<never>(() => undefined) };
  world.addZone('other', hanging);
  await world.put({ ...toPublication(shop, both), dnsZone: 'other' });
  await world.clock.advance(2000);
  await world.publish(serviceKey('cart'), both);
  await world.clock.advance(1000);
  t.deepEqual([...world.lines()].sort(), wanted(['cart']));
  await world.clock.advance(minuteMs);
  t.is(world.applier.view.zone('other')?.lastError?.reason, 'Unavailable');
  await world.applier.stop();
});

test('one group that is never acceptable holds up no other, and is tried less and less', async (t) => {
  for (const isMute of [false, true]) {
    let isBad = true;
    const bad = serviceKey('s42');
    const world = await createApplyWorld({
      provider: {
        isMute,
        rejects: ({ id }) => (isBad && id === bad ? 'invalid character in the name' : undefined),
      },
    });
    const names = Array.from({ length: 100 }, (_, at) => `s${at}`);
    for (const name of names) await world.publish(serviceKey(name), both);
    await world.clock.advance(10_000);
    t.deepEqual([...world.lines()].sort(), wanted(names.filter((name) => name !== 's42')));
    t.is(world.state(bad), 'rejected');
    t.true(world.provider.calls.apply < 30, `${world.provider.calls.apply} requests`);
    const before = world.provider.calls.apply;
    await world.clock.advance(60 * minuteMs);
    t.true(world.provider.calls.apply - before < 20);
    t.is(world.events.filter((event) => event.includes('DNSRejected')).length, 1);
    isBad = false;
    await world.clock.advance(15 * minuteMs);
    t.deepEqual([...world.lines()].sort(), wanted(names));
  }
});

test('a group that no request can hold is rejected alone and says why', async (t) => {
  const world = await createApplyWorld({
    provider: { capabilities: { limits: { changes: 12, bytes: 32_000 } } },
  });
  const many = Array.from({ length: 12 }, (_, at) => ({
    cluster: `c${at}`,
    ip: `203.0.113.${at + 1}`,
  }));
  await world.publish(serviceKey('big'), many);
  await world.publish(shop, both);
  await world.clock.advance(10_000);
  t.deepEqual([...world.lines()].sort(), wanted(['shop']));
  const said = world.applier.view.state(domain, serviceKey('big'));
  t.like(said, { state: 'rejected', reason: 'TooLarge' });
});

test('hand edits are found by comparing and put right; what is not ours stays', async (t) => {
  const world = await createApplyWorld();
  await world.publish(shop, both);
  await world.clock.advance(minuteMs);
  const mx = { name: globalName(shop), type: 'MX', ttlSeconds: 60, values: ['10 mail.acme.com'] };
  const other = { name: `www.${domain}`, type: 'A', ttlSeconds: 5, values: ['192.0.2.7'] };
  world.provider.put(mx);
  world.provider.put(other);
  world.provider.put({
    name: regionName(shop, 'east'),
    type: 'A',
    ttlSeconds: 60,
    values: ['192.0.2.66'],
  });
  world.provider.remove({ name: regionName(shop, 'west'), type: 'A' });
  world.provider.remove({ name: `_fedowner.shop.web.fed.svc.${domain}`, type: 'TXT' });
  await world.clock.advance(15 * minuteMs);
  t.deepEqual(
    [...world.lines()].sort(),
    [
      ...wanted(['shop']),
      `${globalName(shop)} MX 10 mail.acme.com`,
      `www.${domain} A 192.0.2.7`,
    ].sort(),
  );
});

test('I4: a foreign record in the way is named, left alone, and no other Service waits for it', async (t) => {
  const world = await createApplyWorld();
  const foreign = { name: globalName(shop), type: 'A', ttlSeconds: 5, values: ['192.0.2.7'] };
  world.provider.put(foreign);
  await world.publish(shop, both);
  await world.publish(serviceKey('cart'), both);
  await world.clock.advance(10_000);
  t.deepEqual(
    [...world.lines()].sort(),
    [...wanted(['cart']), `${globalName(shop)} A 192.0.2.7`].sort(),
  );
  t.like(world.applier.view.state(domain, shop), {
    state: 'foreign',
    reason: 'NameConflict',
    names: [globalName(shop)],
  });
  t.is(world.events.filter((event) => event.startsWith('Service shop NameConflict')).length, 1);
  const [change, ...others] = world.applier.view.planned(domain, 10);
  t.like(change, { key: shop, deletes: [], creates: [], waits: { reason: 'NameConflict' } });
  t.true(change?.waits?.message.includes(`${globalName(shop)} A 192.0.2.7`));
  t.deepEqual(others, []);
  const before = world.provider.calls.apply;
  await world.clock.advance(10 * minuteMs);
  t.is(world.provider.calls.apply, before, 'it is read again, and not written');
  world.provider.remove(foreign);
  await world.clock.advance(3 * minuteMs);
  t.deepEqual([...world.lines()].sort(), wanted(['cart', 'shop']));
  t.is(world.state(shop), 'live');
});

test('I5: a foreign record at one name keeps no dead address at the others', async (t) => {
  const world = await createApplyWorld();
  await world.publish(shop, both);
  await world.clock.advance(minuteMs);
  world.provider.remove({ name: regionName(shop, 'west'), type: 'A' });
  world.provider.put({
    name: regionName(shop, 'west'),
    type: 'CNAME',
    ttlSeconds: 5,
    values: ['elsewhere.acme.com'],
  });
  await world.publish(shop, [{ ...east, state: 'notReady' }, west]);
  await world.clock.advance(10_000);
  t.deepEqual(world.lines(), [
    `_fedowner.shop.web.fed.svc.${domain} TXT v=1 fed=fed id=owner-a`,
    `${regionName(shop, 'east')} CNAME ${globalName(shop)}`,
    `${globalName(shop)} A ${west.ip}`,
    `${regionName(shop, 'west')} CNAME elsewhere.acme.com`,
  ]);
  await world.clock.advance(15 * minuteMs);
  t.is(world.state(shop), 'foreign');
});

test("another's mark is respected, until a person names its owner", async (t) => {
  const world = await createApplyWorld();
  const mark = `_fedowner.shop.web.fed.svc.${domain}`;
  world.provider.put({
    name: mark,
    type: 'TXT',
    ttlSeconds: 300,
    values: ['v=1 fed=fed id=owner-old'],
  });
  world.provider.put({ name: globalName(shop), type: 'A', ttlSeconds: 180, values: ['192.0.2.9'] });
  await world.publish(shop, both);
  await world.clock.advance(10_000);
  t.like(world.applier.view.state(domain, shop), { state: 'foreign', reason: 'NotOwner' });
  t.true(world.lines().includes(`${globalName(shop)} A 192.0.2.9`));
  world.setZone({
    generation: 2,
    spec: { domain, provider: 'Route53', takeOverFrom: ['owner-old'] },
  });
  await world.clock.advance(2 * minuteMs);
  t.deepEqual([...world.lines()].sort(), wanted(['shop']));
});

test('a DNSZone that is deleted leaves nothing; with Orphan it leaves the records without marks', async (t) => {
  for (const deletionPolicy of ['Delete', 'Orphan'] as const) {
    const world = await createApplyWorld({ spec: { deletionPolicy } });
    for (const name of ['a', 'b']) await world.publish(serviceKey(name), both);
    await world.clock.advance(minuteMs);
    world.setZone({ isDeleting: true, isPublishing: false });
    for (const name of ['a', 'b']) await world.unpublish(serviceKey(name));
    await world.clock.advance(2 * minuteMs);
    t.deepEqual(
      world.provider.standing().flatMap(({ name }) => (name === domain ? [] : [name])),
      deletionPolicy === 'Delete'
        ? []
        : wanted(['a', 'b'])
            .map((line) => line.split(' ')[0] ?? '')
            .filter((name) => !name.startsWith('_')),
    );
    t.like(world.applier.view.zone(domain), { isEmpty: true, recordSets: 0, pending: 0 });
  }
});

test('what is recorded of a DNSZone that went without its finalizer is forgotten, and the records stay', async (t) => {
  const world = await createApplyWorld();
  for (const name of ['a', 'b']) await world.publish(serviceKey(name), both);
  await world.clock.advance(minuteMs);
  const before = world.lines();
  world.setZone(undefined);
  await world.clock.advance(minuteMs);
  t.deepEqual(world.applier.view.recorded(domain, serviceKey('a')), []);
  t.deepEqual(world.lines(), before);
});
