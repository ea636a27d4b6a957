// Real secondaries: they transfer the embedded zone, hear of changes, and then say the same.

import test, { type ExecutionContext } from 'ava';
import packet from 'dns-packet';
import type { RecordSet } from '../../common/model/publication.ts';
import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { secondaryKinds, startSecondary } from '../support/dns/secondaries.ts';
import { takeTestPort } from '../support/test-ports.ts';
import { lookUp, nameOf, openZoneWorld, recordSet, transfer } from '../support/dns/zone-world.ts';

// A refresh comes after 60 s: what is there sooner came by a NOTIFY.
const notifiedMs = 30_000;
const services = 300;

function setsOf(name: string, last: number): readonly RecordSet[] {
  return [
    recordSet(nameOf(name), 'A', [`8.8.0.${last}`, '8.8.1.1']),
    recordSet(nameOf(name), 'AAAA', ['2a00:1450::1']),
    recordSet(nameOf(name, ['r1']), 'A', [`8.8.0.${last}`], 'region'),
    recordSet(`_http._tcp.${nameOf(name)}`, 'SRV', [`0 10 30080 ${nameOf(name)}`]),
    recordSet(`${name}.short.example.com`, 'CNAME', [nameOf(name, ['r1'])], 'alias'),
  ];
}

async function openPrimary(t: ExecutionContext, notify: readonly string[]) {
  const world = await openZoneWorld(t);
  const glue = [{ name: 'ns1.example.com', addresses: ['192.0.2.53'] }];
  const nameServers = ['ns1.example.com', 'ns2.example.net'];
  const allowTransfer = ['127.0.0.1/32'];
  await world.putZone('example.com', { embedded: { nameServers, glue, notify, allowTransfer } });
  await world.putCluster('a', 'za', 'r1');
  await world.putCluster('b', 'zb', 'r2');
  for (let index = 0; index < services; index += 1)
    await world.publish(`s${index}`, setsOf(`s${index}`, index % 250));
  return { ...world, zone: await world.open() };
}

const asked: readonly (readonly [string, string])[] = [
  [nameOf('s1'), 'A'],
  [nameOf('s1'), 'AAAA'],
  [nameOf('s1'), 'TXT'],
  [nameOf('s1', ['r1']), 'A'],
  [nameOf('s1', ['r1']), 'AAAA'],
  [nameOf('s1', ['zb', 'r2']), 'A'],
  [nameOf('s299', ['za', 'r1']), 'AAAA'],
  [`_http._tcp.${nameOf('s1')}`, 'SRV'],
  [`_http._tcp.${nameOf('s1', ['r2'])}`, 'SRV'],
  [`_tcp.${nameOf('s1')}`, 'SRV'],
  ['s1.short.example.com', 'A'],
  ['short.example.com', 'A'],
  ['web.myfederation.svc.r2.example.com', 'A'],
  ['example.com', 'SOA'],
  ['example.com', 'NS'],
  ['ns1.example.com', 'A'],
  ['nothing.example.com', 'A'],
  [nameOf('s2'), 'A'],
  [nameOf('new'), 'A'],
  ['new.short.example.com', 'A'],
];

async function differences(ours: number, theirs: number): Promise<readonly string[]> {
  const all = await Promise.all(
    asked.map(async ([name, type]) => {
      const [a, b] = await Promise.all([lookUp(ours, name, type), lookUp(theirs, name, type)]);
      return a === b ? [] : [`${name} ${type}: ours ${a}, theirs ${b}`];
    }),
  );
  return all.flat();
}

for (const kind of secondaryKinds) {
  const withKind = testWith(kind.path.slice(kind.path.lastIndexOf('/') + 1));
  withKind(
    `X2 ${kind.name} transfers the zone, hears of changes, and answers the same`,
    async (t) => {
      const port = await takeTestPort();
      const world = await openPrimary(t, [`127.0.0.1:${port}`]);
      const at = { port, zone: 'example.com', primaryPort: world.zone.port };
      const secondary = startSecondary(kind, at);
      t.teardown(() => secondary.stop());
      const isSame = () =>
        eventually(notifiedMs, () => differences(world.zone.port, port)).catch((error: unknown) => {
          throw new Error(secondary.logs(), { cause: error });
        });
      await isSame();
      t.regex(await lookUp(port, nameOf('s1', ['zb', 'r2']), 'A'), /8\.8\.0\.1"[^]*CNAME/);
      await world.publish('s1', setsOf('s1', 251));
      await world.publish('s2', undefined);
      await world.publish('new', setsOf('new', 252));
      await world.putCluster('b', 'zc', 'r3');
      await isSame();
      t.regex(await lookUp(port, nameOf('s1'), 'A'), /8\.8\.0\.251/);
      t.regex(await lookUp(port, nameOf('s2'), 'A'), /NXDOMAIN/);
      t.regex(await lookUp(port, nameOf('new', ['zc', 'r3']), 'A'), /8\.8\.0\.252/);
      t.regex(await lookUp(port, nameOf('new', ['zb', 'r2']), 'A'), /NXDOMAIN/);
      await eventually(5_000, async () =>
        /mesh_zone_notifies_total\{outcome="confirmed"\}/.test(await world.metrics.expose())
          ? []
          : ['no NOTIFY was confirmed'],
      );
    },
  );
}

function axfr(name = 'example.com'): Buffer {
  const questions = [{ type: 'AXFR' as packet.RecordType, name, class: 'IN' as const }];
  return packet.encode({ type: 'query', id: 9, questions });
}

test('X1 a transfer is the zone at one moment, while the zone changes under it', async (t) => {
  const world = await openPrimary(t, []);
  const before = await transfer(world.zone.port, axfr());
  t.is(before.code, 'NOERROR');
  t.true(before.messages > 5, `${before.messages} messages`);
  const changes = Array.from({ length: 40 }, (_, index) =>
    world.publish(`s${index}`, index % 2 === 0 ? undefined : setsOf(`s${index}`, 253)),
  );
  const during = await Promise.all(
    Array.from({ length: 6 }, () => transfer(world.zone.port, axfr())),
  );
  await Promise.all(changes);
  for (const { records } of during) {
    const soas = records.filter(({ type }) => type === 'SOA');
    t.deepEqual(soas[0], soas[1]);
    t.is(records.at(0)?.type, 'SOA');
    t.is(records.at(-1)?.type, 'SOA');
    // Of each Service all or nothing: its region's name is never without the global one.
    const names = new Set(records.map(({ name }) => name));
    for (let index = 0; index < 40; index += 1)
      t.is(names.has(nameOf(`s${index}`)), names.has(nameOf(`s${index}`, ['zb', 'r2'])));
  }
});

test('[dns 62] nobody transfers a zone who was not allowed to, nor a name that is no zone', async (t) => {
  const world = await openZoneWorld(t);
  await world.publish('s1', setsOf('s1', 1));
  const zone = await world.open();
  t.is((await transfer(zone.port, axfr())).code, 'REFUSED');
  await world.putZone('example.com', { embedded: { allowTransfer: ['192.0.2.0/24'] } });
  t.is((await transfer(zone.port, axfr())).code, 'REFUSED');
  await world.putZone('example.com', { embedded: { allowTransfer: ['127.0.0.0/8'] } });
  t.is((await transfer(zone.port, axfr())).code, 'NOERROR');
  t.is((await transfer(zone.port, axfr('web.example.com'))).code, 'REFUSED');
  t.is((await transfer(zone.port, axfr('example.org'))).code, 'REFUSED');
});
