// From the log to the served zones: which zones there are, who speaks for a Service, what raises a
// serial.

import test from 'ava';
import { toLogKey } from '../../common/model/ids.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import { feedZones } from '../../coordinator/zone/feed.ts';
import { toSerial } from '../../coordinator/zone/serial.ts';
import { ServedZones, type ZoneDelta } from '../../coordinator/zone/served-zones.ts';
import { ZoneResponder } from '../../coordinator/zone/answer.ts';
import { openZoneWorld, addressSet, nameOf } from '../support/dns/zone-world.ts';
import { decode, question } from '../support/dns-fixtures.ts';

type World = Awaited<ReturnType<typeof openZoneWorld>>;

const settings = { domain: 'example.com', federation: 'myfederation' };

function follow({ desired }: World) {
  const zones = new ServedZones(settings, []);
  const feed = feedZones({ desired, settings, onDelta: (delta) => zones.apply(delta) });
  const responder = new ZoneResponder(zones);
  return {
    zones,
    stop: () => feed.stop(),
    domains: () => zones.all().map(({ zone }) => zone.domain),
    serial: (domain = 'example.com') =>
      zones.all().find(({ zone }) => zone.domain === domain)?.table.serial,
    ask: (name: string, type = 'A') => {
      const { code, answers } = decode(responder.answer(question(name, type), 'tcp').reply);
      return answers.length > 0 ? answers.map((line) => line.split(' ')[2]).join(' ') : code;
    },
  };
}

const sets = (service: string, address: string, domain = 'example.com'): readonly RecordSet[] => [
  addressSet(nameOf(service, [], domain), [address]),
];

test('E2 until a DNSZone says who serves our own domain, we do', async (t) => {
  const world = await openZoneWorld(t);
  await world.publish('s', sets('s', '8.8.0.1'));
  const served = follow(world);
  t.deepEqual(served.domains(), ['example.com']);
  t.is(served.ask(nameOf('s')), '8.8.0.1');
  await world.putZone('elsewhere', { provider: 'Route53', route53: { hostedZoneId: 'Z1' } });
  t.deepEqual(served.domains(), []);
  t.is(served.ask(nameOf('s')), 'REFUSED');
  await world.removeZone('elsewhere');
  t.is(served.ask(nameOf('s')), '8.8.0.1');
});

test('one server has many zones, that come and go without a restart', async (t) => {
  const world = await openZoneWorld(t);
  await world.publish('s', sets('s', '8.8.0.1'));
  const served = follow(world);
  const other = { dnsZone: 'second', zone: 'example.net' };
  await world.publish('s', sets('s', '8.8.0.2', 'example.net'), other);
  t.is(served.ask(nameOf('s', [], 'example.net')), 'REFUSED');
  await world.putZone('second', { domain: 'example.net' });
  t.deepEqual(served.domains(), ['example.com', 'example.net']);
  t.is(served.ask(nameOf('s', [], 'example.net')), '8.8.0.2');
  t.is(served.ask(nameOf('s')), '8.8.0.1');
  await world.removeZone('second');
  t.is(served.ask(nameOf('s', [], 'example.net')), 'REFUSED');
  t.is(served.ask(nameOf('s')), '8.8.0.1');
});

test('E1 of DNSZones of one domain the first by name that has a Service speaks for it', async (t) => {
  const world = await openZoneWorld(t);
  await world.putZone('b', {});
  await world.publish('both', sets('both', '8.8.0.2'), { dnsZone: 'b' });
  await world.publish('only-b', sets('only-b', '8.8.0.3'), { dnsZone: 'b' });
  const served = follow(world);
  t.is(served.ask(nameOf('both')), '8.8.0.2');
  await world.publish('both', sets('both', '8.8.0.1'), { dnsZone: 'a' });
  t.is(served.ask(nameOf('both')), '8.8.0.2');
  await world.putZone('a', {});
  t.is(served.ask(nameOf('both')), '8.8.0.1');
  t.is(served.ask(nameOf('only-b')), '8.8.0.3');
  await world.publish('both', sets('both', '8.8.0.9'), { dnsZone: 'b' });
  t.is(served.ask(nameOf('both')), '8.8.0.1');
  await world.publish('both', [], { dnsZone: 'a' });
  t.is(served.ask(nameOf('both')), '8.8.0.9');
  await world.publish('both', sets('both', '8.8.0.1'), { dnsZone: 'a' });
  await world.removeZone('a');
  t.is(served.ask(nameOf('both')), '8.8.0.9');
});

test('[dns 37] F3 the serial of a zone rises with each change of an answer of it, and with nothing else', async (t) => {
  const world = await openZoneWorld(t);
  await world.putZone('second', { domain: 'example.net' });
  const served = follow(world);
  const { revision } = await world.publish('s', sets('s', '8.8.0.1'));
  t.is(served.serial(), toSerial(revision));
  const other = served.serial('example.net') ?? 0;
  t.true(other < toSerial(revision));
  await world.publish('s', sets('s', '8.8.0.1'));
  await world.put(toLogKey({ group: '', resource: 'namespaces', name: 'x' }), {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'x' },
  });
  t.is(served.serial(), toSerial(revision));
  const moved = await world.putCluster('c', 'z', 'r');
  t.is(served.serial(), toSerial(moved.revision));
  t.is(served.serial('example.net'), toSerial(moved.revision));
  await world.putCluster('c', 'z', 'r');
  t.is(served.serial(), toSerial(moved.revision));
  const gone = await world.publish('s', undefined);
  t.is(served.serial(), toSerial(gone.revision));
  const spec = { domain: 'example.net', embedded: { nameServers: ['ns.example.org'] } };
  const said = await world.putZone('second', spec);
  t.is(served.serial('example.net'), toSerial(said.revision));
});

test('F3 a Service without names, that comes or goes, is no news to secondaries', async (t) => {
  const world = await openZoneWorld(t);
  const served = follow(world);
  const before = served.serial();
  await world.publish('new', []);
  t.is(served.serial(), before);
  await world.publish('new', undefined);
  t.is(served.serial(), before);
});

test('F4 the zone above tells its secondaries of a delegation that comes, changes and goes', async (t) => {
  const world = await openZoneWorld(t);
  await world.publish('s', sets('s', '8.8.0.1'));
  const served = follow(world);
  const serials = [served.serial()];
  const glue = [{ name: 'ns.eu.example.com', addresses: ['192.0.2.1'] }];
  for (const embedded of [{}, { nameServers: ['ns.eu.example.com'], glue }]) {
    await world.putZone('eu', { domain: 'eu.example.com', embedded });
    serials.push(served.serial());
  }
  await world.putZone('eu', { domain: 'eu.example.com', embedded: { nameServers: [] } });
  serials.push(served.serial());
  await world.removeZone('eu');
  serials.push(served.serial());
  t.is(new Set(serials).size, serials.length, serials.join());
  t.deepEqual(serials, [...serials].sort());
});

test('a name above a deeper zone is there: nobody may take what is below it for nothing', async (t) => {
  const world = await openZoneWorld(t);
  await world.publish('s', sets('s', '8.8.0.1'));
  const served = follow(world);
  t.is(served.ask('b.example.com'), 'NXDOMAIN');
  await world.putZone('deep', { domain: 'a.b.example.com' });
  t.is(served.ask('b.example.com'), 'NOERROR');
  t.is(served.ask('c.example.com'), 'NXDOMAIN');
  await world.removeZone('deep');
  t.is(served.ask('b.example.com'), 'NXDOMAIN');
});

test('S3 a change of one zone looks at no other, and a status at none', async (t) => {
  const world = await openZoneWorld(t);
  for (let at = 0; at < 20; at += 1) await world.putZone(`z${at}`, { domain: `d${at}.example` });
  const deltas: ZoneDelta[] = [];
  const zones = new ServedZones(settings, []);
  const changed: string[][] = [];
  const feed = feedZones({
    desired: world.desired,
    settings,
    onDelta: (delta) => {
      deltas.push(delta);
      changed.push(zones.apply(delta).map(({ zone }) => zone.domain));
    },
  });
  deltas.length = changed.length = 0;
  await world.publish('s', sets('s', '8.8.0.1', 'd7.example'), {
    dnsZone: 'z7',
    zone: 'd7.example',
  });
  t.deepEqual(changed, [['d7.example']]);
  t.deepEqual(
    deltas[0]?.parts.map(({ domain }) => domain),
    ['d7.example'],
  );
  await world.put(toLogKey({ group: 'isthmus.dev', resource: 'dnszones', name: 'z7' }), {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DNSZone',
    metadata: { name: 'z7' },
    spec: { domain: 'd7.example', provider: 'Embedded' },
    status: { recordSets: 7 },
  });
  t.is(deltas.length, 1);
  feed.stop();
});

test('N2 who takes over never shows a lower serial than the one before, also after a delete', async (t) => {
  const world = await openZoneWorld(t);
  await world.publish('s', sets('s', '8.8.0.1'));
  const first = follow(world);
  await world.publish('s', undefined);
  const before = first.serial() ?? 0;
  first.stop();
  const term = toLogKey({ group: 'isthmus.dev', resource: 'terms', name: 'coordinator' });
  await world.put(term, {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Term',
    metadata: { name: 'coordinator' },
    spec: { holder: 'next', number: 2 },
  });
  const [second, third] = [follow(world), follow(world)];
  t.true((second.serial() ?? 0) > before);
  t.is(second.serial(), third.serial());
});

test('F2 a long log is loaded by pages, changes between them included', async (t) => {
  const world = await openZoneWorld(t);
  for (let index = 0; index < 450; index += 1)
    await world.publish(`s${index}`, sets(`s${index}`, '8.8.0.1'));
  const zones = new ServedZones(settings, []);
  const turns: (() => void)[] = [];
  let isLoaded = false;
  const feed = feedZones({
    desired: world.desired,
    settings,
    onDelta: (delta) => zones.apply(delta),
    onLoaded: () => (isLoaded = true),
    soon: (run) => void turns.push(run),
  });
  t.teardown(() => feed.stop());
  t.deepEqual(zones.all(), []);
  await world.publish('s449', sets('s449', '8.8.0.2'));
  await world.publish('s1', sets('s1', '8.8.0.2'));
  await world.publish('s0', undefined);
  let pages = 0;
  for (let run = turns.shift(); run !== undefined; run = turns.shift(), pages += 1) run();
  t.true(isLoaded && pages >= 3);
  const responder = new ZoneResponder(zones);
  const ask = (name: string) =>
    decode(responder.answer(question(nameOf(name), 'A'), 'tcp').reply).answers.join();
  t.is(zones.all()[0]?.table.serviceCount, 449);
  t.regex(ask('s1'), /8\.8\.0\.2$/);
  t.regex(ask('s449'), /8\.8\.0\.2$/);
  t.is(ask('s0'), '');
});

test('I7 what a DNSZone said that is gone is not answered, though its publications go while the rest is read', async (t) => {
  const world = await openZoneWorld(t);
  await world.putZone('a', {});
  await world.putZone('b', {});
  for (let index = 0; index < 250; index += 1)
    await world.publish(`s${index}`, sets(`s${index}`, '8.8.0.1'), { dnsZone: 'a' });
  const zones = new ServedZones(settings, []);
  const turns: (() => void)[] = [];
  const drain = (): void => {
    for (let run = turns.shift(); run !== undefined; run = turns.shift()) run();
  };
  const feed = feedZones({
    desired: world.desired,
    settings,
    onDelta: (delta) => zones.apply(delta),
    soon: (run) => void turns.push(run),
  });
  t.teardown(() => feed.stop());
  drain();
  t.is(zones.all()[0]?.table.serviceCount, 250);
  await world.removeZone('a');
  // The last in the order of the log, which the first page does not reach.
  await world.publish('s99', undefined, { dnsZone: 'a' });
  drain();
  t.is(zones.all()[0]?.table.serviceCount, 0);
});
