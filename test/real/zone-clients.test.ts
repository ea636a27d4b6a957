// Clients that we did not write: dig, kdig and dnspython read the embedded zone.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { testWith, testWithModule } from '../support/programs.ts';
import { nameOf, openZoneWorld, recordSet, zoneHost } from '../support/dns/zone-world.ts';

const run = promisify(execFile);

async function openZone(t: ExecutionContext) {
  const world = await openZoneWorld(t);
  const glue = [{ name: 'ns1.example.com', addresses: ['192.0.2.53', '2001:db8::53'] }];
  const nameServers = ['ns1.example.com', 'ns2.example.net'];
  await world.putZone('example.com', {
    embedded: { nameServers, glue, allowTransfer: ['127.0.0.1/32'] },
  });
  await world.putCluster('far', 'z', 'r2');
  const many = Array.from({ length: 60 }, (_, index) => `8.8.1.${index}`);
  for (let index = 0; index < 40; index += 1) {
    const name = `s${index}`;
    await world.publish(name, [
      recordSet(nameOf(name), 'A', index === 0 ? many : ['8.8.0.1', '8.8.0.2']),
      recordSet(nameOf(name), 'AAAA', ['2a00:1450::1']),
      recordSet(nameOf(name, ['r1']), 'A', ['8.8.0.1'], 'region'),
      recordSet(`_http._tcp.${nameOf(name)}`, 'SRV', [`0 10 30080 ${nameOf(name)}`]),
      recordSet(`${name}.short.example.com`, 'CNAME', [nameOf(name, ['r1'])], 'alias'),
    ]);
  }
  return { ...world, zone: await world.open() };
}

const clients = { dig: ['+nocookie'], kdig: [] } as const;

for (const [client, options] of Object.entries(clients)) {
  const ask = async (port: number, ...query: readonly string[]): Promise<string> => {
    const at = [`@${zoneHost}`, '-p', String(port), '+retry=0', '+time=5'];
    return (await run(client, [...at, ...options, ...query])).stdout;
  };
  const short = async (port: number, ...query: readonly string[]): Promise<readonly string[]> =>
    (await ask(port, '+short', ...query)).trim().split('\n').sort();

  testWith(client)(`${client} reads every form of record, over UDP and TCP`, async (t) => {
    const { port } = (await openZone(t)).zone;
    for (const way of [[], ['+tcp']]) {
      t.deepEqual(await short(port, ...way, nameOf('s1'), 'A'), ['8.8.0.1', '8.8.0.2']);
      t.deepEqual(await short(port, ...way, nameOf('s1'), 'AAAA'), ['2a00:1450::1']);
      t.deepEqual(await short(port, ...way, `_http._tcp.${nameOf('s1')}`, 'SRV'), [
        `0 10 30080 ${nameOf('s1')}.`,
      ]);
      t.deepEqual(await short(port, ...way, 'example.com', 'NS'), [
        'ns1.example.com.',
        'ns2.example.net.',
      ]);
      t.is((await short(port, ...way, nameOf('s0'), 'A')).length, 60);
      t.deepEqual(await short(port, ...way, 's1.short.example.com', 'A'), [
        '8.8.0.1',
        `${nameOf('s1', ['r1'])}.`,
      ]);
      t.regex(await ask(port, ...way, 'nothing.example.com'), /NXDOMAIN[^]*SOA/);
      t.regex(await ask(port, ...way, 'example.org'), /REFUSED/);
    }
  });

  testWith(client)(`X2 ${client} transfers the zone, fall-back names included`, async (t) => {
    const { port } = (await openZone(t)).zone;
    const lines = (await ask(port, 'example.com', 'AXFR'))
      .split('\n')
      .map((line) => line.split(/\s+/))
      .filter(([name = '', , kind]) => name.endsWith('example.com.') && kind === 'IN');
    const of = (type: string): number => lines.filter((line) => line[3] === type).length;
    t.is(of('SOA'), 2);
    t.is(of('NS'), 2);
    // 60 and 39 x 2 at the global level, one in each region; one is the name server's.
    t.is(of('A'), 60 + 39 * 2 + 40 + 1);
    t.is(of('SRV'), 40);
    // Of each Service a short name; two names up from z.r2, and the same in front of SRV at r1, r2
    // and z.r2.
    t.is(of('CNAME'), 40 * (1 + 2 + 3));
  });
}

// The system's Python, which has the system's dnspython.
const python = '/usr/bin/python3';
const withPython = testWithModule('dns');

withPython(
  'X2 dnspython finds every record set of a transfer in the answers, and EDNS as it should be',
  async (t) => {
    const { port } = (await openZone(t)).zone;
    const script = 'test/ecosystem/python/dns_client.py';
    const { stdout } = await run(python, [script, zoneHost, String(port), 'example.com']);
    const { sets, faults } = JSON.parse(stdout) as { sets: number; faults: readonly string[] };
    t.deepEqual(faults, []);
    t.true(sets > 400, `${sets}`);
  },
);
