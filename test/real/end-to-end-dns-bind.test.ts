// A real mesh whose names are also kept by a real BIND: a wrong key, a server that is killed and
// comes back, while the coordinator's own zone goes on.

import { systemClock as clock } from '../../common/runtime/clock.ts';
import { askDns } from '../../demo/guide/dns-udp.ts';
import { toAnswer } from '../../demo/guide/expected-dns.ts';
import { openDnsServer, secretText, type DnsServer } from '../support/dns/dns-server.ts';
import { bind } from '../support/dns/dns-servers.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, namesOfNginx } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server', 'named');
const federated = 'federation-cluster';
let mesh: RealMesh;
let server: DnsServer;
let domain = '';

test.before(async () => {
  server = await openDnsServer(bind, 1);
  domain = server.takeZone();
  mesh = await openRealMesh({ clusters: 2, coordinatorFlags: ['--ttl-seconds=2'] });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await server?.dispose();
  t.deepEqual(mesh?.crashes, []);
});

const apply = (object: object): Promise<string> =>
  mesh.kubectl(federated, ['apply', '-f', '-'], JSON.stringify(object));

function putKey(secret: string): Promise<string> {
  const metadata = { name: 'tsig', namespace: 'default' };
  return apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    stringData: { 'tsig-secret': secret },
  });
}

function waitFor(condition: string): Promise<string> {
  return mesh.kubectl(federated, ['wait', `--for=${condition}`, 'dnszone/lab', '--timeout=60s']);
}

/** What BIND answers otherwise than the coordinator's own zone. */
async function differences(): Promise<readonly string[]> {
  const faults = await Promise.all(
    namesOfNginx(mesh.clusters).map(async (name) => {
      const there = name.replace(/example\.com$/, domain);
      const [own, other] = await Promise.all([
        askDns(mesh.at('dns'), name, clock),
        askDns(`127.0.0.1:${server.port}`, there, clock),
      ]);
      const wanted = toAnswer(own).replaceAll('example.com', domain);
      return wanted === toAnswer(other) ? [] : [`${there}: ${toAnswer(other)}, not ${wanted}`];
    }),
  );
  return faults.flat();
}

const follows = (): Promise<void> => eventually(60_000, differences, 200);
const leadsTo = (...clusters: readonly string[]): Promise<void> =>
  eventually(30_000, () => mesh.dnsFaults(clusters), 200);

test.serial('a wrong TSIG key is told, and the right one used without a restart', async (t) => {
  await putKey(Buffer.alloc(32, 1).toString('base64'));
  await apply({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DNSZone',
    metadata: { name: 'lab' },
    spec: {
      domain,
      provider: 'RFC2136',
      rfc2136: { server: `127.0.0.1:${server.port}`, tsigKeyName: server.ours.name },
      secretRef: { namespace: 'default', name: 'tsig' },
    },
  });
  await waitFor('condition=Ready=False');
  await eventually(20_000, async () => {
    const row = await mesh.kubectl(federated, ['get', 'dnszone', 'lab']);
    return /RFC2136\s.*Denied/.test(row) ? [] : [row];
  });
  t.deepEqual(await mesh.dnsFaults([a, f]), [], 'the other zone answers');
  await putKey(secretText(server.ours));
  await waitFor('condition=Ready');
  await follows();
});

test.serial('I10 a server that is killed delays its own zone, which catches up', async (t) => {
  await server.kill();
  await annotateReady(mesh, a, false);
  await leadsTo(f);
  await waitFor('condition=Ready=False');
  const rows = await mesh.kubectl(federated, ['get', 'dnszones']);
  t.regex(rows, /lab\s.*(Unavailable|NotAnswering)/);
  t.regex(rows, /example\.com\s.*True/);
  await server.start();
  await follows();
  await waitFor('condition=Ready');
  await annotateReady(mesh, a, true);
  await leadsTo(a, f);
  await follows();
});

test.serial('I7 a deleted DNSZone leaves nothing of ours at the server', async (t) => {
  await mesh.kubectl(federated, ['delete', 'dnszone', 'lab', '--timeout=60s']);
  const names = namesOfNginx(mesh.clusters).map((name) => name.replace(/example\.com$/, domain));
  const answers = await Promise.all(
    names.map(async (name) => toAnswer(await askDns(`127.0.0.1:${server.port}`, name, clock))),
  );
  t.deepEqual([...new Set(answers)], ['NXDOMAIN']);
});
