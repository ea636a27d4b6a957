import test from 'ava';
import {
  createMemoryZone,
  createMemoryProvider,
  type MemoryProvider,
} from '../support/dns/memory-provider.ts';
import {
  createApplyWorld,
  domain,
  globalName,
  regionName,
  serviceKey,
  toPublication,
  type ApplyWorld,
  type ShardSketch,
} from '../support/dns/apply-world.ts';

const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const both = [east, west];
const minuteMs = 60_000;

/** Without their Services, which the applier asks for only when a publication goes. */
async function publishMany(world: ApplyWorld, count: number, from = 0): Promise<void> {
  for (let at = from; at < from + count; at += 1) await publish(world, at, both);
}

function publish(world: ApplyWorld, at: number, shards: readonly ShardSketch[]): Promise<void> {
  return world.put(toPublication(serviceKey(`s${at}`), shards));
}

/** Names that a change of the zone touched. */
function namesChanged(provider: MemoryProvider, from: number): number {
  const changes = provider.zone.changes.slice(from).flatMap(({ groups }) => groups);
  const names = changes.flatMap(({ deletes, creates }) => [...deletes, ...creates]);
  return new Set(names.map(({ name }) => name)).size;
}

test('1,000 Services that lose a region take at most 4 requests for 1,000 names', async (t) => {
  const world = await createApplyWorld();
  await publishMany(world, 1000);
  await world.clock.advance(5 * minuteMs);
  const [requests, reads, changes] = [
    world.provider.calls.apply,
    world.provider.calls.read,
    world.provider.zone.changes.length,
  ];
  for (let at = 0; at < 1000; at += 1) {
    await publish(world, at, [east, { ...west, state: 'dead' }]);
  }
  await world.clock.advance(10_000);
  const names = namesChanged(world.provider, changes);
  t.is(names, 2000);
  const sent = world.provider.calls.apply - requests;
  t.true(sent <= (4 * names) / 1000, `${sent} requests for ${names} names`);
  const compared = world.provider.calls.read - reads;
  t.true(compared <= 10, `nothing is read but what is compared all the time: ${compared}`);
  for (const at of [0, 500, 999]) {
    const key = serviceKey(`s${at}`);
    const [set] = world.provider.standing(regionName(key, 'west'));
    t.like(set, { type: 'CNAME', values: [globalName(key)] });
  }
});

test('the first withdrawal is submitted within 500 ms with 10,000 edits queued', async (t) => {
  const world = await createApplyWorld({
    provider: { enforced: { perSecond: 5, burst: 5 }, latencyMs: 100 },
  });
  await publishMany(world, 50);
  await world.clock.advance(5 * minuteMs);
  await publishMany(world, 10_000, 50);
  await world.clock.advance(3000);
  t.true(world.provider.standing().length < 20_000, 'most edits still wait');
  const before = world.provider.zone.changes.length;
  const key = serviceKey('s7');
  await world.publish(key, [east, { ...west, state: 'notReady' }]);
  const fromMs = world.clock.monotonicMs();
  await world.clock.advanceUntil(
    () => world.provider.zone.changes.slice(before).some(hasGroup(key)),
    10_000,
  );
  const accepted = world.provider.zone.changes.slice(before).find(hasGroup(key));
  // As the double writes it down when it has arrived, a latency after it was submitted.
  const submittedMs = (accepted?.atMs ?? Infinity) - 100 - fromMs;
  t.true(submittedMs <= 500, `submitted after ${submittedMs} ms`);
});

function hasGroup(key: string) {
  return ({ groups }: { readonly groups: readonly { readonly id: string }[] }): boolean =>
    groups.some(({ id }) => id === key);
}

test('one change in a zone of 500,000 records costs what it costs in a zone of 500', async (t) => {
  const costs = [];
  for (const size of [500, 500_000]) {
    const zone = createMemoryZone();
    for (let at = 0; at < size; at += 1) {
      const name = `host-${at}.${domain}`;
      zone.names.set(name, [{ name, type: 'A', ttlSeconds: 60, values: ['192.0.2.1'] }]);
    }
    const world = await createApplyWorld({ zone });
    await world.publish(serviceKey('shop'), both);
    await world.clock.advance(2000);
    await world.publish(serviceKey('shop'), [east, { ...west, state: 'notReady' }]);
    await world.clock.advance(2000);
    t.is(world.provider.standing(regionName(serviceKey('shop'), 'west'))[0]?.type, 'CNAME');
    costs.push({
      ...world.provider.calls,
      writes: Number(world.log.desired.revision() % 2 ** 40),
    });
    await world.applier.stop();
  }
  t.deepEqual(costs[1], costs[0]);
  t.is(costs[0]?.namesRead, 1, 'only the fence is read');
});

test('I10: a cluster that joins with 10,000 Services takes bounded writes and delays no other zone', async (t) => {
  const world = await createApplyWorld();
  const other = createMemoryProvider({
    clock: world.clock,
    apex: domain,
    capabilities: { rate: { account: 'other', perSecond: 10, burst: 50 } },
  });
  world.addZone('other', other);
  await publishMany(world, 10_000);
  await world.clock.advance(10 * minuteMs);
  const changes = world.provider.zone.changes.length;
  const requests = world.provider.calls.apply;
  const revision = world.log.desired.revision();
  const north = { cluster: 'north', ip: '203.0.113.3' };
  for (let at = 0; at < 10_000; at += 1) {
    await publish(world, at, [...both, north]);
  }
  await world.put({ ...toPublication(serviceKey('shop'), both), dnsZone: 'other' });
  await world.clock.advance(1000);
  t.is(other.zone.changes.length, 2, 'the fence, and the other zone its names');
  await world.clock.advance(10 * minuteMs);
  t.is(namesChanged(world.provider, changes), 20_000);
  const sent = world.provider.calls.apply - requests;
  t.true(sent <= 80, `${sent} requests`);
  // 10,000 publications of ours, one record for each, and two for each batch.
  const writes = world.log.desired.revision() - revision;
  t.true(writes <= 20_010 + 2 * sent, `${writes} writes`);
});
