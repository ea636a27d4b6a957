// What hands do to a zone while we keep it: whatever it is, within a round of comparisons the zone
// is as wanted again, and what is somebody else's is as they left it.

import test from 'ava';
import { driftRoundMs } from '../../coordinator/dns/apply/zone-drift.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import {
  createApplyWorld,
  domain,
  globalName,
  ownerId,
  regionName,
  serviceKey,
  type ApplyWorld,
} from '../support/dns/apply-world.ts';
import type { ProviderFault } from '../support/dns/memory-provider.ts';

const shop = serviceKey('shop');
const cart = serviceKey('cart');
const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const westOff = { ...west, state: 'notReady' as const };
const minuteMs = 60_000;
// A round, and what follows of it: the change, and a second reading where that met something.
const soundMs = driftRoundMs + minuteMs;
const fenceName = `_fedfence.fed.${domain}`;
const markName = `_fedowner.shop.web.fed.svc.${domain}`;
const [top, eastName, westName] = [
  globalName(shop),
  regionName(shop, 'east'),
  regionName(shop, 'west'),
];
const markLine = `${markName} TXT v=1 fed=fed id=${ownerId}`;
const cartLines = [
  `_fedowner.cart.web.fed.svc.${domain} TXT v=1 fed=fed id=${ownerId}`,
  `${globalName(cart)} A ${east.ip}`,
  `${regionName(cart, 'east')} A ${east.ip}`,
];
const shopLines = [
  markLine,
  `${top} A ${east.ip}`,
  `${eastName} A ${east.ip}`,
  `${westName} CNAME ${top}`,
];
const sound = [...shopLines, ...cartLines].sort();

function set(name: string, type: string, ...values: readonly string[]): ZoneRecordSet {
  return { name, type, ttlSeconds: type === 'TXT' ? 300 : 60, values };
}

const theirMark = set(markName, 'TXT', 'v=1 fed=fed id=somebody');
const ourMark = set(markName, 'TXT', `v=1 fed=fed id=${ownerId}`);
const stranger = set(westName, 'A', '192.0.2.7');

async function openWorld(fault?: () => ProviderFault | undefined): Promise<ApplyWorld> {
  const world = await createApplyWorld({
    provider: { fault: (call) => (call === 'apply' ? fault?.() : undefined) },
  });
  await world.publish(shop, [east, westOff]);
  await world.publish(cart, [east]);
  await world.clock.advance(2 * minuteMs);
  return world;
}

function linesOf(world: ApplyWorld): readonly string[] {
  return [...world.lines()].sort();
}

const edits: Readonly<Record<string, (world: ApplyWorld) => void>> = {
  'an address is changed': ({ provider }) => provider.put(set(top, 'A', '192.0.2.66')),
  'an alias is changed': ({ provider }) => provider.put(set(westName, 'CNAME', 'elsewhere.com')),
  'a TTL is changed': ({ provider }) =>
    provider.put({ ...set(eastName, 'A', east.ip), ttlSeconds: 86_400 }),
  'an address is deleted': ({ provider }) => provider.remove({ name: top, type: 'A' }),
  'an alias is deleted': ({ provider }) => provider.remove({ name: westName, type: 'CNAME' }),
  'the mark is deleted': ({ provider }) => provider.remove(ourMark),
  'everything of a Service is deleted': ({ provider }) => {
    for (const one of provider.standing()) {
      if (one.name.includes('shop.web.')) provider.remove(one);
    }
  },
  'everything of the zone is deleted': ({ provider }) => {
    for (const one of provider.standing()) if (one.name !== domain) provider.remove(one);
  },
  'the fence is deleted': ({ provider }) => provider.remove({ name: fenceName, type: 'TXT' }),
};

for (const [what, edit] of Object.entries(edits)) {
  test(`${what} by hand: it is as wanted within a round`, async (t) => {
    const world = await openWorld();
    t.deepEqual(linesOf(world), sound);
    edit(world);
    await world.clock.advance(soundMs);
    t.deepEqual(linesOf(world), sound);
    t.deepEqual([world.state(shop), world.state(cart)], ['live', 'live']);
  });

  test(`${what} by hand while nobody leads: the next holder finds it within a round`, async (t) => {
    const world = await openWorld();
    await world.applier.stop();
    edit(world);
    const { clock, log, provider } = world;
    const next = await createApplyWorld({ clock, log, zone: provider.zone, seed: 'next' });
    await clock.advance(soundMs);
    t.deepEqual(linesOf(next), sound);
  });

  test(`${what} by hand: the next change of the Service puts it right at once`, async (t) => {
    const world = await openWorld();
    edit(world);
    await world.publish(shop, [east, west]);
    await world.clock.advance(soundMs);
    t.deepEqual(
      linesOf(world),
      [markLine, `${top} A ${east.ip} ${west.ip}`, `${eastName} A ${east.ip}`]
        .concat(`${westName} A ${west.ip}`, cartLines)
        .sort(),
    );
  });

  test(`I7: ${what} by hand, then the Service is deleted: nothing of it stays`, async (t) => {
    const world = await openWorld();
    edit(world);
    await world.remove(shop);
    await world.clock.advance(soundMs);
    t.deepEqual(linesOf(world), [...cartLines].sort());
    t.is(world.state(shop), undefined);
  });
}

test('the mark names another owner by hand: nothing is written until it is ours again, and then all is', async (t) => {
  for (const back of ['put back', 'deleted']) {
    const world = await openWorld();
    world.provider.put(theirMark);
    await world.clock.advance(soundMs);
    t.like(world.applier.view.state(domain, shop), { state: 'foreign', reason: 'NotOwner' });
    await world.publish(shop, [westOff, { ...east, ip: '203.0.113.9' }]);
    await world.clock.advance(soundMs);
    t.true(linesOf(world).includes(`${top} A ${east.ip}`), 'it is theirs');
    if (back === 'deleted') world.provider.remove(theirMark);
    else world.provider.put(ourMark);
    await world.clock.advance(2 * minuteMs);
    t.deepEqual(
      linesOf(world),
      [markLine, `${top} A 203.0.113.9`, `${eastName} A 203.0.113.9`]
        .concat(`${westName} CNAME ${top}`, cartLines)
        .sort(),
    );
    t.is(world.state(shop), 'live');
  }
});

test('the mark names another owner by hand, and the Service goes: the names stay theirs', async (t) => {
  const world = await openWorld();
  world.provider.put(theirMark);
  await world.clock.advance(soundMs);
  await world.remove(shop);
  await world.clock.advance(soundMs);
  const left = shopLines.map((line) =>
    line === markLine ? line.replace(ownerId, 'somebody') : line,
  );
  t.deepEqual(linesOf(world), [...left, ...cartLines].sort());
  t.is(world.state(shop), undefined);
});

test('I7: the mark is put back, and the Service goes before we have read that: nothing of it stays', async (t) => {
  const world = await openWorld();
  world.provider.put(theirMark);
  await world.clock.advance(soundMs);
  t.is(world.state(shop), 'foreign');
  world.provider.put(ourMark);
  await world.remove(shop);
  await world.clock.advance(soundMs);
  t.deepEqual(linesOf(world), [...cartLines].sort());
  t.is(world.state(shop), undefined);
});

test('I4: a stranger at a name that is about to be ours: the others go on, and it is ours once they are gone', async (t) => {
  const world = await openWorld();
  world.provider.remove({ name: westName, type: 'CNAME' });
  world.provider.put(stranger);
  await world.publish(shop, [east, west]);
  await world.clock.advance(soundMs);
  t.true(linesOf(world).includes(`${westName} A 192.0.2.7`));
  t.true(linesOf(world).includes(`${top} A ${east.ip} ${west.ip}`));
  t.is(world.state(shop), 'foreign');
  world.provider.remove(stranger);
  await world.clock.advance(2 * minuteMs);
  t.true(linesOf(world).includes(`${westName} A ${west.ip}`));
  t.is(world.state(shop), 'live');
});

test('I12: the fence is another text by hand: nothing is written until it is gone, and nothing is lost', async (t) => {
  for (const isInDoubt of [false, true]) {
    let fault: ProviderFault | undefined;
    const world = await openWorld(() => fault);
    if (isInDoubt) fault = 'lostAfter';
    else world.provider.put(set(fenceName, 'TXT', 'hello'));
    await world.publish(shop, [east, west]);
    if (isInDoubt) {
      await world.clock.advanceUntil(
        () => world.provider.standing(westName)[0]?.type === 'A',
        5_000,
      );
      fault = undefined;
      world.provider.put(set(fenceName, 'TXT', 'hello'));
    }
    await world.clock.advance(minuteMs);
    t.is(world.applier.view.zone(domain)?.fence?.reason, 'ForeignFence');
    world.provider.remove({ name: fenceName, type: 'TXT' });
    await world.remove(shop);
    await world.clock.advance(soundMs);
    t.deepEqual(linesOf(world), [...cartLines].sort());
    t.is(world.applier.view.zone(domain)?.fence, undefined);
  }
});

test('a fence that a hand changed is looked at within two minutes of its return, however long it was away and the provider before', async (t) => {
  let fault: ProviderFault | undefined = 'down';
  const world = await openWorld(() => fault);
  await world.clock.advance(30 * minuteMs);
  t.is(world.applier.view.zone(domain)?.lastError?.reason, 'Unavailable');
  world.provider.put(set(fenceName, 'TXT', 'hello'));
  fault = undefined;
  await world.clock.advance(30 * minuteMs);
  t.is(world.applier.view.zone(domain)?.fence?.reason, 'ForeignFence');
  t.is(world.applier.view.zone(domain)?.lastError, undefined, 'it answers');
  world.provider.remove({ name: fenceName, type: 'TXT' });
  await world.clock.advance(2 * minuteMs);
  t.deepEqual(linesOf(world), sound);
});

test('a provider that denies after it was away is asked again as if nothing had been', async (t) => {
  let fault: ProviderFault | undefined = 'down';
  const world = await openWorld(() => fault);
  await world.clock.advance(30 * minuteMs);
  fault = 'denied';
  await world.clock.advance(minuteMs + 1000);
  t.is(world.applier.view.zone(domain)?.lastError?.reason, 'Denied');
  fault = undefined;
  await world.clock.advance(minuteMs);
  t.deepEqual(linesOf(world), sound);
});

test('I7: the fence is deleted by hand while a batch is in doubt: what that one made is ours', async (t) => {
  for (const loss of ['lostAfter', 'lostBefore'] as const) {
    let fault: ProviderFault | undefined;
    const world = await openWorld(() => fault);
    const news = serviceKey('news');
    fault = loss;
    const before = world.provider.calls.apply;
    await world.publish(news, [east]);
    await world.clock.advanceUntil(() => world.provider.calls.apply > before, 5_000);
    // It arrives, and is settled after the hand.
    await world.clock.advanceUntil(
      () => loss === 'lostBefore' || world.provider.standing(globalName(news)).length > 0,
      5_000,
    );
    fault = undefined;
    world.provider.remove({ name: fenceName, type: 'TXT' });
    await world.remove(news);
    await world.clock.advance(soundMs);
    t.deepEqual(linesOf(world), sound, loss);
  }
});
