// The applier on Cloud DNS: its adapter over real sockets, the double behind them, and virtual time
// for everything but the adapter's own deadlines.

import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { openCloudDns } from '../../coordinator/dns/provider/cloud-dns.ts';
import type { DnsProvider } from '../../coordinator/dns/provider/provider.ts';
import {
  createApplyWorld,
  globalName,
  regionName,
  serviceKey,
  toPublication,
  type ApplyWorld,
} from '../support/dns/apply-world.ts';
import {
  openCloudDnsDouble,
  type CloudDnsDouble,
  type CloudDnsFault,
} from '../support/dns/cloud-dns/server.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const east = { cluster: 'east', ip: '203.0.113.1' };
const west = { cluster: 'west', ip: '203.0.113.2' };
const count = 300;

interface World extends ApplyWorld {
  readonly double: CloudDnsDouble;
  /** Virtual time goes on only while no request is on its way. */
  run(ms: number, stepMs?: number): Promise<void>;
}

async function openWorld(t: { teardown(run: () => Promise<void>): void }): Promise<World> {
  const clock = createVirtualClock();
  const double = await openCloudDnsDouble({ clock, dnsName: 'example.com.' });
  const { project, managedZone, url: endpoint, credentials } = double;
  const options = { project, managedZone, endpoint, credentials };
  const inner = openCloudDns({ ...options, clock: systemClock, log: silentLog });
  const inFlight = new Set<Promise<unknown>>();
  const counted = async <T>(call: Promise<T>): Promise<T> => {
    inFlight.add(call);
    return call.finally(() => inFlight.delete(call));
  };
  const at: DnsProvider = {
    capabilities: inner.capabilities,
    measure: (group) => inner.measure(group),
    describe: (given) => counted(inner.describe(given)),
    read: (names, given) => counted(inner.read(names, given)),
    list: (given) => counted(inner.list(given)),
    apply: (batch, given) => counted(inner.apply(batch, given)),
    observe: (change, given) => counted(inner.observe(change, given)),
    close: () => inner.close(),
  };
  const world = await createApplyWorld({ clock, at, spec: { provider: 'CloudDNS' } });
  t.teardown(async () => {
    await world.applier.stop();
    await inner.close();
    await double.close();
  });
  const run = async (ms: number, stepMs = 50): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      await clock.advance(stepMs);
      for (let idle = 0; idle < 2; idle += 1) {
        await turn();
        while (inFlight.size > 0) await turn();
      }
    }
  };
  return { ...world, double, run };
}

/** What stands there, but for the apex, the fence and marks: `name type data`. */
function standing({ double }: World): readonly string[] {
  return double.zone
    .list()
    .filter(({ name }) => name !== 'example.com.' && !/^_fed(fence|owner)\./.test(name))
    .map(({ name, type, rrdatas = [] }) => `${name.slice(0, -1)} ${type} ${rrdatas.join(',')}`)
    .sort();
}

function wantedOf(at: number, hasWest: boolean): readonly string[] {
  const key = serviceKey(`s${at}`);
  const [top, inEast, inWest] = [globalName(key), regionName(key, 'east'), regionName(key, 'west')];
  return [
    `${top} A ${hasWest ? '203.0.113.1,203.0.113.2' : '203.0.113.1'}`,
    `${inEast} A 203.0.113.1`,
    hasWest ? `${inWest} A 203.0.113.2` : `${inWest} CNAME ${top}.`,
  ];
}

const all = Array.from({ length: count }, (_, at) => at);

async function publishAll(world: World, hasWest: boolean): Promise<void> {
  const shards = hasWest ? [east, west] : [east, { ...west, state: 'dead' as const }];
  for (const at of all) await world.put(toPublication(serviceKey(`s${at}`), shards));
}

function changesOf({ double }: World): number {
  return double.requests.filter((line) => line.startsWith('POST')).length;
}

test('hundreds of Services that lose a region move in a few requests, and nothing is read', async (t) => {
  t.timeout(120_000);
  const world = await openWorld(t);
  await publishAll(world, true);
  await world.run(60_000);
  t.deepEqual(standing(world), all.flatMap((at) => wantedOf(at, true)).sort());
  t.is(world.state(serviceKey('s7')), 'live');
  const [sent, reads] = [
    changesOf(world),
    world.double.requests.filter((it) => /rrsets/.test(it)).length,
  ];
  await publishAll(world, false);
  await world.run(5_000);
  t.deepEqual(standing(world), all.flatMap((at) => wantedOf(at, false)).sort());
  t.true(changesOf(world) - sent <= 4, `${changesOf(world) - sent} requests for 600 names`);
  const readMeanwhile = world.double.requests.filter((it) => /rrsets/.test(it)).length - reads;
  t.true(readMeanwhile <= count, `${readMeanwhile} names read`); // the spread comparison goes on
});

const faults: readonly CloudDnsFault[] = [
  'dropAfter',
  'rate403',
  'dropBefore',
  'serverError',
  'rate429',
  'tooLarge',
];

test('after throttling, lost answers, hands and a stranger the zone is exactly as wanted', async (t) => {
  t.timeout(120_000);
  const world = await openWorld(t);
  const { double } = world;
  // A stranger's record at a name of s3; it stays, and s3 stays away from it.
  const foreign = `${globalName(serviceKey('s3'))}.`;
  double.zone.replace([{ name: foreign, type: 'A', ttl: 300, rrdatas: ['198.51.100.9'] }]);
  for (const [nth, fault] of [...faults, ...faults].entries()) {
    double.faults.change = fault;
    await publishAll(world, nth % 2 === 0);
    await world.run(20_000, 200);
  }
  delete double.faults.change;
  // By hand: another address, in another order, and a record that is gone.
  const edited = `${globalName(serviceKey('s5'))}.`;
  double.zone.replace([
    { name: edited, type: 'A', ttl: 60, rrdatas: ['203.0.113.9', '203.0.113.1'] },
  ]);
  const gone = double.zone.at(`${regionName(serviceKey('s6'), 'east')}.`);
  double.zone.mustChange([], gone);
  await publishAll(world, true);
  await world.run(1_500_000, 1_000);
  const ours = all.filter((at) => at !== 3).flatMap((at) => wantedOf(at, true));
  t.deepEqual(standing(world), [...ours, `${foreign.slice(0, -1)} A 198.51.100.9`].sort());
  t.is(world.state(serviceKey('s3')), 'foreign');
  t.is(world.state(serviceKey('s5')), 'live');
});
