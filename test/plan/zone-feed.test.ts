// From the log to the served zones: which zones there are, who speaks for a Service, what raises a
// serial.

import test from 'ava';
import { toLogKey } from '../../common/model/ids.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import { feedZones } from '../../coordinator/zone/feed.ts';
import { toSerial } from '../../coordinator/zone/serial.ts';
import { ServedZones } from '../../coordinator/zone/served-zones.ts';
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
