// A Service of a real mesh in three zones at once: the coordinator's own, and two at a double of
// Route 53 through AWS's own SDK. Keys are replaced, one zone's are taken away, a cluster fails, the
// coordinator is killed.

import { systemClock as clock } from '../../common/runtime/clock.ts';
import { askDns } from '../../demo/guide/dns-udp.ts';
import { toAnswer } from '../../demo/guide/expected-dns.ts';
import { openRoute53Double, testKeys, type Route53Double } from '../support/dns/route53/double.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, namesOfNginx } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';

interface Kept {
  readonly name: string;
  readonly domain: string;
  readonly key: string;
}

const outside: Kept = { name: 'outside', domain: 'example.org', key: testKeys.accessKeyId };
const inside: Kept = { name: 'inside', domain: 'example.net', key: 'AKIAINSIDE' };
const insideSecret = 'another secret';
let mesh: RealMesh;
let route53: Route53Double;

test.before(async () => {
  route53 = await openRoute53Double();
  route53.principals.set(inside.key, { secretAccessKey: insideSecret });
  mesh = await openRealMesh({ clusters: 3, coordinatorFlags: ['--ttl-seconds=2'] });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await route53?.close();
  t.deepEqual(mesh?.crashes, []);
});

const apply = (input: string): Promise<string> =>
  mesh.kubectl(federated, ['apply', '-f', '-'], input);

function putSecret(name: string, id: string, secret: string): Promise<string> {
  const stringData = { aws_access_key_id: id, aws_secret_access_key: secret };
  const metadata = { name, namespace: 'default' };
  return apply(JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, stringData }));
}

function putZone({ name, domain }: Kept, hostedZoneId: string): Promise<string> {
  const spec = {
    domain,
    provider: 'Route53',
    route53: { hostedZoneId, endpoint: route53.endpoint },
    secretRef: { namespace: 'default', name },
  };
  const zone = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'DNSZone', metadata: { name }, spec };
  return apply(JSON.stringify(zone));
}

function waitFor(condition: string, zone: { readonly name: string }): Promise<string> {
  const args = ['wait', `--for=condition=${condition}`, `dnszone/${zone.name}`, '--timeout=60s'];
  return mesh.kubectl(federated, args);
}

/** What a zone at Route 53 answers otherwise than the coordinator's own. */
async function differences({ domain }: Kept): Promise<readonly string[]> {
  const server = `127.0.0.1:${route53.dnsPort}`;
  const faults = await Promise.all(
    namesOfNginx(mesh.clusters).map(async (name) => {
      const there = name.replace(/example\.com$/, domain);
      const [own, other] = await Promise.all([
        askDns(mesh.at('dns'), name, clock),
        askDns(server, there, clock),
      ]);
      const wanted = toAnswer(own).replaceAll('example.com', domain);
      const found = toAnswer(other);
      return wanted === found ? [] : [`${there}: ${found}, not ${wanted}`];
    }),
  );
  return faults.flat();
}

const follows = (zone: Kept): Promise<void> => eventually(40_000, () => differences(zone), 200);

/** Until the coordinator's own zone leads to exactly these clusters. */
const leadsTo = (...clusters: readonly string[]): Promise<void> =>
  eventually(30_000, () => mesh.dnsFaults(clusters), 200);

function saidOfNginx(pattern: RegExp): Promise<void> {
  const path = '{range .status.conditions[*]}{.type}={.status} {.reason} {.message}{"\\n"}{end}';
  return eventually(10_000, async () => {
    const said = await mesh.kubectl(federated, [
      'get',
      'service',
      'nginx',
      '-o',
      `jsonpath=${path}`,
    ]);
    return pattern.test(said) ? [] : [said];
  });
}

/** Record sets that stand at Route 53 below a domain, without those of the apex. */
function standing(domain: string): number {
  const zones = [...route53.service.zones.values()].map(({ zone }) => zone);
  return zones
    .flatMap((zone) => zone.all())
    .filter(({ name }) => name !== `${domain}.` && name.endsWith(`.${domain}.`)).length;
}

test.serial('a Service is found in every zone, as each provider keeps it', async (t) => {
  for (const zone of [outside, inside]) {
    const secret = zone === outside ? testKeys.secretAccessKey : insideSecret;
    await putSecret(zone.name, zone.key, secret);
    const hosted = route53.addZone(zone.domain);
    const id = [...route53.service.zones].find(([, each]) => each.zone === hosted)?.[0];
    await putZone(zone, id ?? '');
  }
  for (const zone of [outside, inside]) {
    await waitFor('Ready', zone);
    await follows(zone);
  }
  await eventually(20_000, async () => {
    const rows = await mesh.kubectl(federated, ['get', 'dnsrecordsets']);
    return /svc\.example\.org\s+A\s.*\soutside\s+live\s/.test(rows) ? [] : [rows];
  });
  await saidOfNginx(/Published=True Published .*inside: .*outside: /);
  t.is(standing(outside.domain), standing(inside.domain));
});

test.serial(
  'I10 a key that is taken away stops its own zone, and a new one lets it go on',
  async (t) => {
    route53.principals.delete(inside.key);
    await annotateReady(mesh, aws, false);
    await leadsTo(a, f);
    await follows(outside);
    await waitFor('Ready=False', inside);
    const zones = await mesh.kubectl(federated, ['get', 'dnszones']);
    t.regex(zones, /inside\s+example\.net\s+Route53\s+\d+\s+1\s+Denied/);
    t.regex(zones, /outside\s+example\.org\s+Route53\s+\d+\s+0\s+True/);
    t.true((await differences(inside)).length > 0, 'nothing is written there');
    await saidOfNginx(/Published=False ProviderFailing inside: /);
    route53.principals.set('AKIANEW', { secretAccessKey: 'new' });
    await putSecret(inside.name, 'AKIANEW', 'new');
    await waitFor('Ready', inside);
    await follows(inside);
    await annotateReady(mesh, aws, true);
    await leadsTo(a, f, aws);
    await follows(outside);
    await follows(inside);
    t.notRegex(
      mesh.logOf('coordinator'),
      new RegExp(`${insideSecret}|${testKeys.secretAccessKey}`),
    );
  },
);

test.serial('a coordinator that is killed writes nothing anew, and goes on', async (t) => {
  await mesh.kill('coordinator');
  const before = route53.seen.length;
  await mesh.start('coordinator');
  for (const zone of [outside, inside]) {
    await waitFor('Ready', zone);
    t.deepEqual(await differences(zone), []);
  }
  const changed = route53.seen
    .slice(before)
    .filter(({ action }) => action === 'ChangeResourceRecordSets')
    .flatMap(({ body }) => [...body.matchAll(/<Name>([^<]*)<\/Name>/g)].map(([, name]) => name));
  t.deepEqual(
    changed.filter((name) => name?.startsWith('_fedfence.') !== true),
    [],
    'a new term writes its fence and nothing else',
  );
  await annotateReady(mesh, f, false);
  await leadsTo(a, aws);
  await follows(outside);
  await follows(inside);
  await annotateReady(mesh, f, true);
  await leadsTo(a, f, aws);
});

test.serial(
  'I7 a deleted DNSZone leaves nothing of ours, and the others as they were',
  async (t) => {
    await follows(inside);
    const others = standing(inside.domain);
    await mesh.kubectl(federated, ['delete', 'dnszone', outside.name, '--timeout=60s']);
    t.is(standing(outside.domain), 0);
    t.is(standing(inside.domain), others);
  },
);
