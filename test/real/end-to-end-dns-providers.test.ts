// One Service of a real mesh at three providers: the embedded zone, Route 53 (a double, under the IAM
// policy of docs/dns.md) and BIND by signed updates. Clusters fail, hands edit, providers go away.

import { systemClock as clock } from '../../common/runtime/clock.ts';
import { askDns } from '../../demo/guide/dns-udp.ts';
import { toAnswer } from '../../demo/guide/expected-dns.ts';
import { recordSet } from '../contract/dns-provider-cases.ts';
import { missingOf, openDnsServer, secretText, type DnsServer } from '../support/dns/dns-server.ts';
import { bind } from '../support/dns/dns-servers.ts';
import { nsupdate } from '../support/dns/nsupdate.ts';
import { openRoute53Double, testKeys, type Route53Double } from '../support/dns/route53/double.ts';
import type { HostedZone } from '../support/dns/route53/hosted-zone.ts';
import { isAllowed, readDocumentedPolicy } from '../support/dns/route53/policy.ts';
import { handOn } from '../support/dns/route53/subject.ts';
import { toError } from '../support/dns/route53/service.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, namesOfNginx, scope } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const missing = missingOf(bind);
const test =
  missing === undefined ? testWith('kubectl', 'nats-server') : testWith('kubectl', missing);
const federated = 'federation-cluster';
const public53 = { name: 'public53', domain: 'example.org' };
let bindZone = '';
let mesh: RealMesh;
let route53: Route53Double;
let hosted: HostedZone;
let named: DnsServer;

test.before(async () => {
  route53 = await openRoute53Double();
  hosted = route53.addZone(public53.domain);
  const policy = readDocumentedPolicy({ federation: scope.federation, domain: public53.domain });
  route53.allows = (action, body) => isAllowed(policy, { action, body });
  named = await openDnsServer(bind, 2);
  bindZone = named.takeZone();
  mesh = await openRealMesh({ clusters: 3, coordinatorFlags: ['--ttl-seconds=2'] });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await route53?.close();
  await named?.dispose();
  t.deepEqual(mesh?.crashes, []);
});

async function apply(...items: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await mesh.kubectl(federated, ['apply', '-f', '-'], list);
}

const secret = (name: string, stringData: object): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  stringData,
});

const dnsZone = (name: string, spec: object): object => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'DNSZone',
  metadata: { name },
  spec: { ...spec, secretRef: { namespace: 'default', name } },
});

/** How a name is answered where, with the domain taken out. */
async function answersOf(name: string): Promise<Readonly<Record<string, string>>> {
  const ask = async (server: string, domain: string): Promise<string> => {
    const there = name.replace(/example\.com$/, domain);
    return toAnswer(await askDns(server, there, clock)).replaceAll(domain, 'DOMAIN');
  };
  return {
    embedded: await ask(mesh.at('dns'), 'example.com'),
    route53: await ask(`127.0.0.1:${route53.dnsPort}`, public53.domain),
    bind: await ask(`127.0.0.1:${named.port}`, bindZone),
  };
}

type Where = 'route53' | 'bind';

/** Waits until these say what the embedded zone says, of every name of nginx. */
function agree(...where: readonly Where[]): Promise<void> {
  return eventually(
    40_000,
    async () => {
      const names = namesOfNginx(mesh.clusters);
      const answers = await Promise.all(names.map(answersOf));
      return answers.flatMap((each, index) =>
        where.every((name) => each[name] === each['embedded'])
          ? []
          : [`${names[index]}: ${JSON.stringify(each)}`],
      );
    },
    200,
  );
}

const leadTo = (...clusters: readonly string[]): Promise<void> =>
  eventually(30_000, () => mesh.dnsFaults(clusters));

/** Ours, as they stand at Route 53. */
function standing(): readonly string[] {
  return hosted
    .all()
    .filter(({ name }) => name.includes('.svc.'))
    .map(({ name, type, values }) => `${name} ${type} ${values.join()}`);
}

test.serial('a Service is found at each provider by what it published there', async (t) => {
  const [zoneId = ''] = route53.service.zones.keys();
  const { accessKeyId, secretAccessKey } = testKeys;
  await apply(
    secret('public53', { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey }),
    secret('bind', { 'tsig-secret': secretText(named.ours) }),
    dnsZone('public53', {
      domain: public53.domain,
      provider: 'Route53',
      route53: { hostedZoneId: zoneId, endpoint: route53.endpoint },
    }),
    dnsZone('bind', {
      domain: bindZone,
      provider: 'RFC2136',
      rfc2136: { server: `127.0.0.1:${named.port}`, tsigKeyName: named.ours.name },
    }),
  );
  await agree('route53', 'bind');
  const { embedded } = await answersOf(namesOfNginx(mesh.clusters)[0] ?? '');
  t.regex(embedded ?? '', /^A 127/);
  t.true(standing().some((line) => line.includes('_fedowner.nginx.default.')));
});

test.serial('the failure of a cluster moves its names at each, and its return back', async (t) => {
  await annotateReady(mesh, aws, false);
  await leadTo(a, f);
  await agree('route53', 'bind');
  await annotateReady(mesh, aws, true);
  await leadTo(a, f, aws);
  await agree('route53', 'bind');
  t.pass();
});

test.serial('I4 what hands did to our names is put right, what is theirs stays', async (t) => {
  const top = `nginx.default.${scope.federation}.svc`;
  const theirs = [
    recordSet(`www.${public53.domain}`, 'A', ['192.0.2.80']),
    recordSet(`theirs.default.${scope.federation}.svc.${public53.domain}`, 'TXT', ['theirs']),
  ];
  const wrong = recordSet(`${top}.${public53.domain}`, 'A', ['192.0.2.66'], 5);
  await handOn(hosted).put([...theirs, wrong]);
  const person = { port: named.port, zone: bindZone, key: named.other };
  const www = recordSet(`www.${bindZone}`, 'A', ['192.0.2.80']);
  await nsupdate(person, 'put', [www, recordSet(`${top}.${bindZone}`, 'A', ['192.0.2.66'], 5)]);
  // The next change of the Service meets the edit, looks, and decides again.
  await annotateReady(mesh, f, false);
  await leadTo(a, aws);
  await agree('route53', 'bind');
  await annotateReady(mesh, f, true);
  await leadTo(a, f, aws);
  await agree('route53', 'bind');
  t.deepEqual(hosted.at(`www.${public53.domain}.`)[0]?.values, ['192.0.2.80']);
  t.is(hosted.at(`${theirs[1]?.name ?? ''}.`).length, 1);
  t.is(toAnswer(await askDns(`127.0.0.1:${named.port}`, www.name, clock)), 'A 192.0.2.80');
});

test.serial('I4 a name that somebody else has is theirs, and the Service says who', async (t) => {
  const name = `api.default.${scope.federation}.svc.${public53.domain}`;
  await handOn(hosted).put([recordSet(name, 'A', ['192.0.2.99'])]);
  const ofNginx = ['get', 'service', 'nginx', '-o', 'jsonpath={.spec.selector}'];
  const selector = JSON.parse(await mesh.kubectl(federated, ofNginx)) as object;
  const spec = { type: 'LoadBalancer', selector, ports: [{ port: 81 }] };
  await apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'api', namespace: 'default' },
    spec,
  });
  const path = '{range .status.conditions[*]}{.type}={.status} {.reason} {.message}{"\\n"}{end}';
  await eventually(30_000, async () => {
    const said = await mesh.kubectl(federated, ['get', 'service', 'api', `-ojsonpath=${path}`]);
    const isSaid = /Published=False NameConflict/.test(said) && said.includes(name);
    return isSaid ? [] : [said];
  });
  t.deepEqual(
    hosted.at(`${name}.`).map(({ values }) => values),
    [['192.0.2.99']],
  );
  await mesh.kubectl(federated, ['delete', 'service', 'api', '--timeout=60s']);
  t.deepEqual(
    hosted.at(`${name}.`).map(({ values }) => values),
    [['192.0.2.99']],
  );
});

test.serial(
  'I10 a provider that is away delays no other, and has what is wanted after it',
  async (t) => {
    await named.kill();
    await annotateReady(mesh, aws, false);
    await leadTo(a, f);
    await agree('route53');
    const answer = toError(503, 'ServiceUnavailable', 'down');
    route53.always.set('ChangeResourceRecordSets', { kind: 'answer', answer });
    await annotateReady(mesh, aws, true);
    await leadTo(a, f, aws);
    const zones = (): Promise<string> => mesh.kubectl(federated, ['get', 'dnszones']);
    await eventually(40_000, async () => {
      const rows = await zones();
      // BIND's records are as wanted again; at Route 53 nobody knows.
      const isBindAway = /bind\s.*RFC2136\s+\d+\s+\d+\s+(?!True)/.test(rows);
      return isBindAway && /public53\s.*Route53\s+\d+\s+1\s+(?!True)/.test(rows) ? [] : [rows];
    });
    await named.start();
    route53.always.clear();
    await agree('route53', 'bind');
    t.pass();
  },
);

test.serial('I7 of a Service that is deleted nothing is left at any provider', async (t) => {
  await mesh.kubectl(federated, ['delete', 'service', 'nginx', '--timeout=60s']);
  await eventually(30_000, () =>
    Promise.resolve(standing().filter((line) => line.includes('nginx.'))),
  );
  await eventually(30_000, async () => {
    const { bind: answer = '' } = await answersOf(namesOfNginx(mesh.clusters)[0] ?? '');
    return answer === 'NXDOMAIN' ? [] : [answer];
  });
  t.deepEqual(hosted.at(`www.${public53.domain}.`)[0]?.values, ['192.0.2.80']);
  const denied = route53.seen.filter(({ status }) => status === 403);
  t.deepEqual(denied, [], 'the documented policy is enough');
});
