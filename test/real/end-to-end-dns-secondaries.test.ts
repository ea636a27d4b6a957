// BIND and Knot as secondaries of a real coordinator's zone, with the words of docs/dns.md: they
// transfer it, hear of each change, and go on while the coordinator is away. Others get nothing.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { readBlock } from '../support/dns/documented.ts';
import { answersAt, conditionsOf, federated } from '../support/dns/mesh-zones.ts';
import { takeTestPort } from '../support/test-ports.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { runProgram } from '../support/run-program.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';

const test = testWith('kubectl', 'nats-server', 'named', 'knotd', 'dig', 'tsig-keygen');
const domain = 'corp.example.com';
// A refresh comes after 60 s: what is there sooner came by a NOTIFY.
const notifiedMs = 30_000;
let mesh: RealMesh;
let folder = '';
let primary = 0;
/** Base64; empty: transfers are not signed. */
let secret = '';
const ports = new Map<string, number>();
const servers = new Map<string, ServerProcess>();

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isthmus-secondaries-'));
  for (const name of ['bind', 'knot', 'stranger']) ports.set(name, await takeTestPort());
  mesh = await openRealMesh({ clusters: 2, coordinatorFlags: ['--ttl-seconds=2'] });
  primary = Number(mesh.at('dns').split(':')[1]);
  await mesh.createNginx();
  const manifest = readBlock('#### The embedded zone', /kind: DNSZone/)
    .replace("'192.0.2.53:53'", toNotify())
    .replace('192.0.2.53/32', '127.0.0.1/32');
  await mesh.kubectl(federated, ['apply', '-f', '-'], manifest);
  // As documented, when the zone is there: BIND 9.18 confirms a NOTIFY that comes within half a
  // second of a first question that failed, forgets it, and asks again only a minute later.
  await eventually(30_000, async () => ((await serialAt(primary)) > 0 ? [] : ['no zone yet']));
  start('bind', '/usr/sbin/named', ['-g', '-n', '1'], bindConfig('bind', ''));
  start('knot', '/usr/sbin/knotd', [], knotConfig());
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await Promise.all([...servers.values()].map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
  t.deepEqual(mesh?.crashes, []);
});

const toNotify = (): string =>
  ['bind', 'knot'].map((name) => `'127.0.0.1:${portOf(name)}'`).join(', ');
const unsigned = '### A second server';
const signed = '#### Signed transfers (TSIG)';
const portOf = (name: string): number => ports.get(name) ?? 0;

function start(name: string, path: string, flags: readonly string[], config: string): void {
  const file = join(folder, `${name}.conf`);
  writeFileSync(file, config);
  servers.set(name, startServerProcess({ name, path, flags: [...flags, '-c', file] }));
}

function bindConfig(name: string, more: string): string {
  const documented = readBlock(secret === '' ? unsigned : signed, /^(zone|key) "/)
    .replace('192.0.2.10', `127.0.0.1 port ${primary}`)
    .replace('"..."', `"${secret}"`)
    .replace('file "', `file "${folder}/${name}-`);
  return `options { directory "${folder}"; pid-file none; session-keyfile none; recursion no;
      listen-on port ${portOf(name)} { 127.0.0.1; }; listen-on-v6 { none; }; notify no;
      dnssec-validation no; ${more} };
    controls { };
    ${documented}`;
}

function knotConfig(): string {
  const documented = readBlock(secret === '' ? unsigned : signed, /^(remote|key):/)
    .replace('192.0.2.10@53', `127.0.0.1@${primary}`)
    .replace('secret: ...', `secret: ${secret}`)
    .replace('192.0.2.10', '127.0.0.1');
  return `server:
    listen: 127.0.0.1@${portOf('knot')}
    rundir: ${folder}
database:
    storage: ${folder}
    journal-db-max-size: 64M
    kasp-db-max-size: 10M
    timer-db-max-size: 10M
    catalog-db-max-size: 10M
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: ${folder}
${documented}`;
}

async function dig(port: number, ...args: readonly string[]): Promise<string> {
  const all = ['@127.0.0.1', '-p', String(port), '+time=2', '+tries=1', ...args];
  return (await runProgram('dig', all, { env: {} })).output;
}

async function serialAt(port: number): Promise<number> {
  return Number((await dig(port, '+short', domain, 'SOA')).split(' ')[2]);
}

/** Until both say what the coordinator says, its serial too; answers that. */
async function untilSame(t: ExecutionContext): Promise<number> {
  let serial = Number.NaN;
  await eventually(
    notifiedMs,
    async () => {
      serial = await serialAt(primary);
      const own = (await answersAt(mesh, { port: primary, domain })).join('\n');
      const faults = ['bind', 'knot'].map(async (name) => {
        const port = portOf(name);
        const there = (await answersAt(mesh, { port, domain })).join('\n');
        const found = await serialAt(port);
        return there === own && found === serial ? [] : [`${name} at ${found}: ${there}; ${own}`];
      });
      return (await Promise.all(faults)).flat();
    },
    200,
  ).catch((error: unknown) => {
    for (const [name, server] of servers) t.log(name, server.logs().slice(-1500));
    throw error;
  });
  return serial;
}

const leadsTo = (...clusters: readonly string[]): Promise<void> =>
  eventually(30_000, () => mesh.dnsFaults(clusters), 200);

test.serial('secondaries as documented transfer the zone and follow each change', async (t) => {
  const first = await untilSame(t);
  t.regex(await dig(portOf('bind'), '+short', `nginx.default.myfederation.svc.${domain}`), /^127/);
  t.regex(
    await conditionsOf(mesh, 'dnszone/corp'),
    /SingleServer=False SeveralServers: Served by ns1\.example\.net, ns2\.example\.net\./,
  );
  await annotateReady(mesh, a, false);
  await leadsTo(f);
  const second = await untilSame(t);
  t.true(second > first, `${second} after ${first}`);
  await annotateReady(mesh, a, true);
  await leadsTo(a, f);
  const third = await untilSame(t);
  t.true(third > second, `${third} after ${second}`);
  const confirmed = await mesh.metric('admin', 'mesh_zone_notifies_total', 'outcome="confirmed"');
  t.true(confirmed >= 4, `${confirmed} NOTIFYs were confirmed`);
});

test.serial('[dns 62] who is not allowed transfers nothing, of this zone or another', async (t) => {
  const axfr = (from: string, zone: string): Promise<string> =>
    dig(primary, '-b', from, '+noall', '+answer', '+comments', zone, 'AXFR');
  t.regex(await axfr('127.0.0.1', domain), /_http|\sSOA\s/);
  t.regex(await axfr('127.0.0.2', domain), /Transfer failed/);
  t.regex(await axfr('127.0.0.1', 'example.com'), /Transfer failed/);
  // As BIND, at an address that nobody allowed.
  const elsewhere = 'transfer-source 127.0.0.2; use-alt-transfer-source no;';
  start('stranger', '/usr/sbin/named', ['-g', '-n', '1'], bindConfig('stranger', elsewhere));
  await eventually(20_000, () => {
    const logs = servers.get('stranger')?.logs() ?? '';
    return Promise.resolve(/REFUSED/.test(logs) ? [] : [logs]);
  });
  t.regex(await dig(portOf('stranger'), domain, 'SOA'), /status: SERVFAIL/);
});

test.serial(
  'secondaries go on while the coordinator is away, and follow the next one',
  async (t) => {
    const before = await serialAt(portOf('knot'));
    const said = await answersAt(mesh, { port: primary, domain });
    await mesh.kill('coordinator');
    for (const name of ['bind', 'knot'])
      t.deepEqual(await answersAt(mesh, { port: portOf(name), domain }), said);
    await mesh.start('coordinator');
    await annotateReady(mesh, f, false);
    await leadsTo(a);
    const after = await untilSame(t);
    t.true(after > before, `${after} after ${before}`);
  },
);

test.serial(
  'with a key as documented secondaries follow, and nobody transfers without it',
  async (t) => {
    const key = await runProgram('tsig-keygen', ['isthmus'], { env: {} });
    secret = /secret "([^"]+)"/.exec(key.output)?.[1] ?? '';
    const commands = readBlock(signed, /^kubectl /).replace("'...'", `'${secret}'`);
    const env = { KUBECONFIG: mesh.layout.kubeconfig };
    t.like(await runProgram('/bin/sh', ['-c', `set -e\n${commands}`], { env }), { code: 0 });
    const spec = readBlock(signed, /^spec:/).replace("'192.0.2.53:53'", toNotify());
    await mesh.kubectl(federated, ['patch', 'dnszone', 'corp', '--type=merge', '-p', spec]);
    const axfr = (...more: readonly string[]): Promise<string> =>
      dig(primary, '+noall', '+answer', '+comments', domain, 'AXFR', ...more);
    await eventually(20_000, async () => {
      const said = await axfr();
      return said.includes('Transfer failed') ? [] : [said];
    });
    t.regex(await axfr('-y', `hmac-sha256:isthmus:${secret}`), /\sSOA\s/);
    await Promise.all(['bind', 'knot'].map((name) => servers.get(name)?.stop()));
    start('bind', '/usr/sbin/named', ['-g', '-n', '1'], bindConfig('bind', ''));
    start('knot', '/usr/sbin/knotd', [], knotConfig());
    for (const name of ['bind', 'knot'])
      await eventually(20_000, async () => ((await serialAt(portOf(name))) > 0 ? [] : [name]));
    // Without the key they refused the NOTIFY of this change; they hear of the next one.
    await annotateReady(mesh, f, true);
    await leadsTo(a, f);
    await untilSame(t);
  },
);
