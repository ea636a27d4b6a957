// A real mesh and a real BIND while names are held back: a frozen zone while a cluster dies, a mass
// change that a person has to confirm, a cluster that leaves while the server is down.

import { openDnsServer, type DnsServer } from '../support/dns/dns-server.ts';
import { bind } from '../support/dns/dns-servers.ts';
import {
  answersAt,
  apply,
  conditionsOf,
  federated,
  follows,
  untilSaid,
  zoneAt,
} from '../support/dns/mesh-zones.ts';
import { eventually } from '../support/eventually.ts';
import { openPlugin, type PluginKubectl } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server', 'named');
let mesh: RealMesh;
let plugin: PluginKubectl;
let server: DnsServer;
let domain = '';

test.before(async () => {
  server = await openDnsServer(bind, 1);
  domain = server.takeZone();
  mesh = await openRealMesh({ clusters: 3, coordinatorFlags: ['--ttl-seconds=2'] });
  plugin = openPlugin({ folder: mesh.layout.dir, kubeconfig: mesh.layout.kubeconfig });
  await mesh.createNginx();
  const service = (name: string, port: number): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', selector: { run: 'nginx' }, ports: [{ port }] },
  });
  const massChange = { recordSets: 3, percent: 1 };
  const zone = zoneAt(server, { name: 'lab', domain, massChange });
  await apply(mesh, service('web', 81), service('api', 82), ...zone);
  await follows(mesh, { port: server.port, domain });
  await untilSaid(zones, [/lab\s.*RFC2136\s+21\s+0\s+True/]); // 6 names and a mark of each Service
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await server?.dispose();
  t.deepEqual(mesh?.crashes, []);
});

const zones = (): Promise<string> => mesh.kubectl(federated, ['get', 'dnszones']);
const records = (): Promise<string> => mesh.kubectl(federated, ['get', 'dnsrecordsets']);
const standing = (): Promise<readonly string[]> => answersAt(mesh, { port: server.port, domain });
const leadsTo = (...clusters: readonly string[]): Promise<void> =>
  eventually(30_000, () => mesh.dnsFaults(clusters), 200);

/** Messages of the zone's Events of this reason. */
function eventsOf(reason: string): Promise<string> {
  const fields = `--field-selector=involvedObject.name=lab,reason=${reason}`;
  const path = '-ojsonpath={range .items[*]}{.message}{"\\n"}{end}';
  return mesh.kubectl(federated, ['get', 'events', '-A', fields, path]);
}

async function killCluster(name: string): Promise<void> {
  await mesh.kill(`${name}/agent`);
  await mesh.kill(name);
}

async function startCluster(name: string): Promise<void> {
  await mesh.start(name);
  await mesh.start(`${name}/agent`);
}

test.serial('what a person wishes of a zone is not held, however much goes', async (t) => {
  const choose = (namespaces: readonly string[] | null): Promise<string> => {
    const spec = JSON.stringify({ spec: { namespaces } });
    return mesh.kubectl(federated, ['patch', 'dnszone', 'lab', '--type=merge', '-p', spec]);
  };
  await choose(['elsewhere']);
  await untilSaid(zones, [/lab\s.*\s0\s+0\s+True/]);
  t.true((await standing()).every((line) => line.endsWith(': NXDOMAIN')));
  await choose(null);
  await follows(mesh, { port: server.port, domain });
  await untilSaid(zones, [/lab\s.*\s21\s+0\s+True/]);
  t.is(await eventsOf('DNSHeld'), '');
});

test.serial('a frozen zone stays as it is while a cluster dies, and catches up', async (t) => {
  const before = await standing();
  t.regex(await plugin.ok(['dns', 'freeze', 'lab']), /dnszone\.isthmus\.dev\/lab frozen/);
  await killCluster(a);
  await leadsTo(f, aws);
  await untilSaid(zones, [/lab\s.*Frozen/, /example\.com\s.*True/]);
  await untilSaid(records, [/ lab +held +Frozen/]);
  t.deepEqual(await standing(), before);
  t.regex(await conditionsOf(mesh, 'dnszone/lab'), /Ready=False Frozen: .*dns unfreeze lab\n/);
  t.regex(await conditionsOf(mesh, 'service/nginx'), /Published=False Held: lab: .*unfreeze lab/);
  const plan = await plugin.ok(['dns', 'plan', 'lab']);
  t.regex(plan, /3 Services with changes to write/);
  t.regex(plan, /default\/nginx +waits: .*frozen/);
  t.regex(await plugin.ok(['dns', 'unfreeze', 'lab']), /unfrozen/);
  await follows(mesh, { port: server.port, domain });
  await untilSaid(zones, [/lab\s.*\s0\s+True/]);
});

test.serial('a mass change is held until exactly that plan is confirmed', async (t) => {
  const before = await standing();
  await killCluster(f);
  await leadsTo(aws);
  await untilSaid(zones, [/lab\s.*PlanHeld/, /example\.com\s.*True/]);
  await untilSaid(records, [/ lab +held +PlanHeld/]);
  const said = await conditionsOf(mesh, 'dnszone/lab');
  const [, hash = ''] = /confirm lab (\w+)/.exec(said) ?? [];
  t.regex(
    said,
    /PlanHeld=True MassChange: 6 record sets of 3 Services .*More than 3 a minute .*2 clusters are judged dead and only 1 speaks/,
  );
  await untilSaid(() => eventsOf('DNSHeld'), [new RegExp(`dns confirm lab ${hash}`)]);
  t.is(await eventsOf('MassChange'), '', 'one Event tells it');
  t.regex(await conditionsOf(mesh, 'service/nginx'), /Published=False Held: lab: .*dns plan lab/);
  t.is(await mesh.metric('admin', 'mesh_dns_zone_ready', 'zone="lab"'), 0);
  t.is((await fetch(`http://${mesh.at('admin')}/readyz`)).status, 200);
  const plan = await plugin.ok(['dns', 'plan', 'lab']);
  t.regex(plan, new RegExp(`Held for \\d+s: 6 record sets .*\\n.*dns confirm lab ${hash}\\n`));
  t.regex(plan, /default\/web +waits: A mass change waits to be confirmed/);

  const wrong = await plugin.isthmus(['dns', 'confirm', 'lab', 'b09db00d990b']);
  t.is(wrong.code, 1);
  t.regex(
    wrong.errors,
    new RegExp(`holds the plan ${hash}, not b09db00d990b: nothing was changed.*dns plan lab`),
  );
  // What a person deletes is no suspicion, and what is left is another plan.
  await mesh.kubectl(federated, ['delete', 'service', 'api', '--timeout=30s']);
  let other = '';
  await eventually(20_000, async () => {
    other = await mesh.kubectl(federated, [
      'get',
      'dnszone',
      'lab',
      '-ojsonpath={.status.heldPlan}',
    ]);
    return other === '' || other === hash ? [`the plan is ${other}`] : [];
  });
  const stale = await plugin.isthmus(['dns', 'confirm', 'lab', hash]);
  t.regex(stale.errors, new RegExp(`holds the plan ${other}, not ${hash}: nothing was changed`));
  t.deepEqual(await standing(), before);

  t.regex(await plugin.ok(['dns', 'confirm', 'lab', other]), /plan \w+ confirmed/);
  await follows(mesh, { port: server.port, domain });
  await untilSaid(zones, [/lab\s.*\s0\s+True/]);
  t.regex(await plugin.ok(['dns', 'confirm', 'lab', other]), /already confirmed/);
});

test.serial(
  'a cluster that leaves while a provider is away is out once that is back',
  async (t) => {
    for (const each of [a, f]) await startCluster(each);
    await leadsTo(a, f, aws);
    await follows(mesh, { port: server.port, domain });
    const before = await standing();
    await server.kill();
    await plugin.ok(['unjoin', aws, '--no-wait']);
    const cluster = `cluster/${aws}`;
    await untilSaid(
      () => conditionsOf(mesh, cluster),
      [/Leaving=True DrainingRecords: Names of 2 Services lead here still.*kubectl get dnszones/],
    );
    await untilSaid(zones, [/lab\s.*\s2\s+(Unavailable|NotAnswering)/, /example\.com\s.*True/]);
    t.regex(
      await plugin.ok(['status']),
      /To look at:[^]*DNSZone lab: (Unavailable|NotAnswering): /,
    );
    await mesh.kubectl(aws, ['get', 'service', 'nginx', 'web']); // shards go after their names
    await server.start();
    await mesh.kubectl(federated, ['wait', '--for=delete', cluster, '--timeout=40s']);
    await follows(mesh, { port: server.port, domain });
    const after = await standing();
    t.true(before.some((line) => /svc\.us-east-1\./.test(line) && line.includes(': A ')));
    t.false(after.some((line) => /svc\.us-east-1\./.test(line) && line.includes(': A ')));
    const shards = ['get', 'service', 'nginx', 'web', '--ignore-not-found', '-oname'];
    t.is(await mesh.kubectl(aws, shards), '');
  },
);
