// docs/dns.md by its own words: its commands and configurations, at real servers and on a real mesh.
// Secrets, addresses and folders are put in; what a server needs beside them to be started at all
// (where to listen, where its files are) is the test's.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordSet } from '../contract/dns-provider-cases.ts';
import { zoneFile } from '../support/dns/dns-server.ts';
import { knotHouse, pdnsSchema } from '../support/dns/dns-servers.ts';
import { readBlock } from '../support/dns/documented.ts';
import { conditionsOf, federated, follows, untilSaid } from '../support/dns/mesh-zones.ts';
import { nsupdate } from '../support/dns/nsupdate.ts';
import { takeTestPort } from '../support/test-ports.ts';
import { openPlugin, type PluginKubectl } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';

const programs = ['kubectl', 'nats-server', 'named', 'knotd', 'pdns_server', 'pdnsutil', 'sqlite3'];
const test = testWith(...programs, 'nsupdate', 'tsig-keygen');
const heading = '#### BIND, Knot, PowerDNS (RFC 2136)';
const domain = 'fed.example.org';
let folder = '';
let secret = '';
let mesh: RealMesh;
let plugin: PluginKubectl;
const servers: ServerProcess[] = [];

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isthmus-documented-'));
  const key = execFileSync('/usr/sbin/tsig-keygen', ['isthmus'], { encoding: 'utf8' });
  secret = /secret "([^"]+)"/.exec(key)?.[1] ?? '';
  mesh = await openRealMesh({ clusters: 2, coordinatorFlags: ['--ttl-seconds=2'] });
  plugin = openPlugin({ folder: mesh.layout.dir, kubeconfig: mesh.layout.kubeconfig });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
  t.deepEqual(mesh?.crashes, []);
});

interface Started {
  readonly name: string;
  readonly port: number;
  /** Of the server's, where the domain is deeper. */
  readonly zone: string;
}

/** Runs a block of the documentation in a shell, with the secret in its place. */
async function runDocumented(text: string, env: Readonly<Record<string, string>>): Promise<void> {
  const script = `set -e\n${text.replaceAll("'...'", `'${secret}'`)}`;
  const { code, output, errors } = await plugin.run('/bin/sh', ['-c', script], { env });
  if (code !== 0) throw new Error(`${script}\n${output}${errors}`);
}

function start(name: string, path: string, flags: readonly string[]): void {
  servers.push(startServerProcess({ name, path, flags }));
}

function makeFolder(name: string): string {
  const dir = join(folder, name);
  mkdirSync(dir);
  return dir;
}

async function startBind(): Promise<Started> {
  const [dir, port] = [makeFolder('bind'), await takeTestPort()];
  const documented = readBlock(heading, /^BIND:$/).replace('"..."', `"${secret}"`);
  writeFileSync(join(dir, 'example.org.zone'), zoneFile('example.org'));
  const file = join(dir, 'named.conf');
  writeFileSync(
    file,
    `options { directory "${dir}"; pid-file none; session-keyfile none; recursion no;
      listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; dnssec-validation no; };
    controls { };
    ${documented}`,
  );
  start('bind', '/usr/sbin/named', ['-g', '-n', '1', '-c', file]);
  return { name: 'bind', port, zone: 'example.org' };
}

async function startKnot(): Promise<Started> {
  const [dir, port] = [makeFolder('knot'), await takeTestPort()];
  const documented = readBlock(heading, /^Knot:$/).replace('"..."', `"${secret}"`);
  writeFileSync(join(dir, 'example.org.zone'), zoneFile('example.org'));
  const file = join(dir, 'knot.conf');
  const own = `${knotHouse(dir, port)}template:
  - id: default
    storage: ${dir}
`;
  writeFileSync(file, `${own}${documented}`);
  start('knot', '/usr/sbin/knotd', ['-c', file]);
  return { name: 'knot', port, zone: 'example.org' };
}

async function startPowerDns(): Promise<Started> {
  const [dir, port] = [makeFolder('powerdns'), await takeTestPort()];
  const database = join(dir, 'zones.db');
  execFileSync('/usr/bin/sqlite3', [database], {
    input: `PRAGMA journal_mode=WAL;\n${readFileSync(pdnsSchema(), 'utf8')}`,
  });
  const documented = readBlock(heading, /`pdns\.conf`/).replace('192.0.2.0/24', '127.0.0.0/8');
  const own = [
    'launch=gsqlite3',
    `gsqlite3-database=${database}`,
    'local-address=127.0.0.1',
    `local-port=${port}`,
    `socket-dir=${dir}`,
    'setuid=',
    'setgid=',
  ];
  writeFileSync(join(dir, 'pdns.conf'), `${own.join('\n')}\n${documented}`);
  const bin = makeFolder('bin');
  const wrapper = `#!/bin/sh\nexec /usr/bin/pdnsutil --config-dir=${dir} "$@"\n`;
  writeFileSync(join(bin, 'pdnsutil'), wrapper, { mode: 0o755 });
  await runDocumented(readBlock(heading, /^pdnsutil /), { PATH: `${bin}:/usr/bin:/bin` });
  const flags = [`--config-dir=${dir}`, '--daemon=no', '--guardian=no'];
  start('powerdns', '/usr/sbin/pdns_server', flags);
  return { name: 'powerdns', port, zone: domain };
}

test('BIND, Knot and PowerDNS as documented keep the names, and give no more than they should', async (t) => {
  const started = [await startBind(), await startKnot(), await startPowerDns()];
  await runDocumented(readBlock(heading, /^kubectl create namespace/), {});
  const documented = readBlock(heading, /kind: DNSZone/);
  for (const { name, port, zone } of started) {
    const manifest = documented
      .replace('name: datacenter', `name: ${name}`)
      .replace('ns1.example.org:53', `127.0.0.1:${port}`)
      .replace('zone: example.org ', `zone: ${zone} `);
    await mesh.kubectl(federated, ['apply', '-f', '-'], manifest);
  }
  for (const { name, port } of started) {
    await mesh.kubectl(federated, [
      'wait',
      '--for=condition=Ready',
      `dnszone/${name}`,
      '--timeout=40s',
    ]);
    await follows(mesh, { port, domain });
    t.regex(
      await conditionsOf(mesh, `dnszone/${name}`),
      new RegExp(`Ready=True Writable: Names are written at 127\\.0\\.0\\.1:${port} \\(RFC2136\\)`),
    );
    // The third right: a transfer.
    t.regex(await plugin.ok(['dns', 'import', name, '--dry-run']), /^Nothing of others stands/);
  }
  await untilSaid(
    () => mesh.kubectl(federated, ['get', 'dnszones']),
    [/bind\s.*\s0\s+True[^]*knot\s.*\s0\s+True[^]*powerdns\s.*\s0\s+True/],
  );
  // The key of the documented rights writes nothing outside the domain, and none of others' types.
  const key = { name: 'isthmus', secret: Buffer.from(secret, 'base64') };
  for (const { name, port, zone } of started.filter((each) => each.zone !== domain)) {
    const at = { port, zone, key };
    const www = recordSet('www.example.org', 'A', ['192.0.2.80']);
    await t.throwsAsync(nsupdate(at, 'put', [www]), { message: /REFUSED|NOTAUTH/ }, name);
    const mail = recordSet(`mail.${domain}`, 'MX', ['10 mail.example.org']);
    await t.throwsAsync(nsupdate(at, 'put', [mail]), { message: /REFUSED|NOTAUTH/ }, name);
  }
});
