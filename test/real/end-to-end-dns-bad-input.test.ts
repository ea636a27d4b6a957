// What people get wrong about DNSZones, through kubectl at a real coordinator and real servers: it is
// refused, or a condition says what is wrong and the way out. What is published stays as it was.

import { openDnsServer, secretText, type DnsServer } from '../support/dns/dns-server.ts';
import { bind } from '../support/dns/dns-servers.ts';
import { openFakeResolver, type FakeResolver } from '../support/dns/fake-resolver.ts';
import {
  answersAt,
  apply,
  conditionsOf,
  dnsZone,
  federated,
  follows,
  secret,
  untilSaid,
  zoneAt,
} from '../support/dns/mesh-zones.ts';
import { openRoute53Double, testKeys, type Route53Double } from '../support/dns/route53/double.ts';
import { openPlugin } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server', 'named');
let server: DnsServer;
let domain = '';
let route53: Route53Double;
let resolver: FakeResolver;
let mesh: RealMesh;

test.before(async () => {
  server = await openDnsServer(bind, 2);
  domain = server.takeZone();
  route53 = await openRoute53Double();
  route53.addZone('example.org');
  resolver = await openFakeResolver({
    'test NS': ['ns.test'],
    'example.test NS': ['ns.example.test'],
    [`${domain} NS`]: ['ns1.example.net', 'ns9.example.net'], // the server says ns1 and ns2
  });
  const coordinatorFlags = ['--ttl-seconds=2', `--dns-resolver=127.0.0.1:${resolver.port}`];
  mesh = await openRealMesh({ clusters: 1, coordinatorFlags });
  await mesh.createNginx();
  await apply(
    mesh,
    ...zoneAt(server, { name: 'good', domain }),
    secret('aws', {
      aws_access_key_id: testKeys.accessKeyId,
      aws_secret_access_key: testKeys.secretAccessKey,
    }),
    secret('empty', { other: 'x' }),
    secret('junk', { 'tsig-secret': 'not base64!' }),
    secret('wrong', { 'tsig-secret': Buffer.alloc(32, 1).toString('base64') }),
  );
  await mesh.kubectl(federated, ['wait', '--for=condition=Ready', 'dnszone/good', '--timeout=40s']);
  await follows(mesh, { port: server.port, domain });
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await route53?.close();
  await resolver?.close();
  await server?.dispose();
  t.deepEqual(mesh?.crashes, []);
});

const standing = (): Promise<readonly string[]> => answersAt(mesh, { port: server.port, domain });

interface Refused {
  readonly title: string;
  readonly spec: object;
  /** All that kubectl prints, behind `The DNSZone "bad" is invalid: `. */
  readonly says: string;
}

const rfc2136 = { server: '192.0.2.53:53', tsigKeyName: 'isthmus' };
const secretRef = { namespace: 'default', name: 'good' };
const refused: readonly Refused[] = [
  {
    title: 'a provider that we do not know',
    spec: { domain: 'a.test', provider: 'GoDaddy' },
    says:
      'spec.provider: Unsupported value: "GoDaddy": supported values: "Embedded", "Route53", ' +
      '"CloudDNS", "RFC2136"',
  },
  {
    title: 'a server without credentials',
    spec: { domain: 'a.test', provider: 'RFC2136', rfc2136 },
    says:
      'spec.secretRef: Required value: must name the Secret with the TSIG key, in its key ' +
      '`tsig-secret` (base64)',
  },
  {
    title: 'the settings of another provider',
    spec: {
      domain: 'a.test',
      provider: 'RFC2136',
      rfc2136,
      secretRef,
      route53: { hostedZoneId: 'Z1' },
    },
    says: "spec.route53: Forbidden: may not be set when `provider` is 'RFC2136'",
  },
  {
    title: 'a server without a port',
    spec: {
      domain: 'a.test',
      provider: 'RFC2136',
      rfc2136: { ...rfc2136, server: 'ns1' },
      secretRef,
    },
    says:
      'spec.rfc2136.server: Invalid value: "ns1": must be host:port, such as ns1.example.com:53, ' +
      '192.0.2.53:53 or [2001:db8::53]:53',
  },
  {
    title: 'an apex beside the domain',
    spec: {
      domain: 'a.test',
      provider: 'RFC2136',
      rfc2136: { ...rfc2136, zone: 'b.test' },
      secretRef,
    },
    says: 'spec.rfc2136.zone: Invalid value: "b.test": must be the domain a.test or one above it',
  },
];

for (const { title, spec, says } of refused) {
  test.serial(`${title} is refused, with the field and the way out`, async (t) => {
    const zone = JSON.stringify(dnsZone('bad', spec));
    const { code, errors } = await mesh.tryKubectl(['create', '-f', '-'], zone);
    t.is(code, 1);
    t.is(errors.trim(), `The DNSZone "bad" is invalid: ${says}`);
  });
}

interface Told {
  readonly title: string;
  readonly spec: () => object;
  /** In `get dnszones`, and what the condition says. */
  readonly ready: string;
  readonly says: RegExp;
}

const atBind = (name: string, more: object = {}) => ({
  provider: 'RFC2136',
  rfc2136: { server: `127.0.0.1:${server.port}`, tsigKeyName: server.ours.name, ...more },
  secretRef: { namespace: 'default', name },
});
const atRoute53 = (hostedZoneId: string, name = 'aws') => ({
  provider: 'Route53',
  route53: { hostedZoneId, endpoint: route53.endpoint },
  secretRef: { namespace: 'default', name },
});

const told: readonly Told[] = [
  {
    title: 'a Secret that is not there',
    spec: () => ({ domain: 'a.test', ...atBind('nope') }),
    ready: 'SecretMissing',
    says: /The Secret default\/nope .* Make it with: kubectl create secret generic nope /,
  },
  {
    title: 'a Secret without its key',
    spec: () => ({ domain: 'b.test', ...atBind('empty') }),
    ready: 'SecretInvalid',
    says: /It needs tsig-secret, the base64 of the TSIG key\. It has: other\./,
  },
  {
    title: 'a Secret with something else in it',
    spec: () => ({ domain: 'c.test', ...atBind('junk') }),
    ready: 'SecretInvalid',
    says: /tsig-secret is not the base64 of 16 bytes or more, as tsig-keygen prints it\./,
  },
  {
    title: 'a key with another secret at the server',
    spec: () => ({ domain: 'z1.example.test', ...atBind('wrong') }),
    ready: 'Denied',
    says: /BADSIG/,
  },
  {
    title: 'a key that the server does not know',
    spec: () => ({ domain: 'z1.example.test', ...atBind('good', { tsigKeyName: 'nokey' }) }),
    ready: 'Denied',
    says: /does not accept key nokey \(BADKEY\): it is unknown there under this name and algorithm/,
  },
  {
    title: 'a zone that the server has not',
    spec: () => ({ domain: 'nozone.test', ...atBind('good') }),
    ready: 'ZoneNotFound',
    says: /has no zone nozone\.test .* set rfc2136\.zone to the apex of a primary zone there/,
  },
  {
    title: 'a domain below a zone of the server, without its apex',
    spec: () => ({ domain: 'deep.z1.example.test', ...atBind('good') }),
    ready: 'Denied',
    says: /is not the primary of deep\.z1\.example\.test, .* set rfc2136\.server and rfc2136\.zone/,
  },
  {
    title: 'a hosted zone that is not there',
    spec: () => ({ domain: 'example.org', ...atRoute53('Z0NOTTHERE0000000000') }),
    ready: 'ZoneNotFound',
    says: /Z0NOTTHERE0000000000/,
  },
  {
    title: 'a hosted zone of another domain',
    spec: () => ({
      domain: 'example.net',
      ...atRoute53([...route53.service.zones.keys()][0] ?? ''),
    }),
    ready: 'DomainMismatch',
    says: /example\.org.*example\.net|example\.net.*example\.org/,
  },
  {
    title: 'a zone that another DNSZone keeps',
    spec: () => ({ domain, ...atBind('good') }),
    ready: 'Duplicate',
    says: /DNSZone good keeps .* already\. Nothing is written for this one: delete it, or delete good/,
  },
];

for (const [index, { title, spec, ready, says }] of told.entries()) {
  test.serial(`${title} is told as ${ready}, and nothing else suffers`, async (t) => {
    const name = `bad${index}`;
    await apply(mesh, dnsZone(name, spec()));
    const reading = () => mesh.kubectl(federated, ['get', 'dnszone', name]);
    await untilSaid(reading, [new RegExp(`${name} .*\\s${ready}\\s`)]);
    const said = await conditionsOf(mesh, `dnszone/${name}`);
    t.regex(said, new RegExp(`Ready=False ${ready}: .*`));
    t.regex(said, says);
    const good = await mesh.kubectl(federated, ['get', 'dnszone', 'good']);
    t.regex(good, /good .*\s0\s+True/);
  });
}

test.serial(
  'a domain that the world is not led to says which servers to name, and where',
  async (t) => {
    await untilSaid(
      () => conditionsOf(mesh, 'dnszone/good'),
      [
        /Delegated=False ServersDiffer: .*ns2\.example\.net not named there; ns9\.example\.net named there, but not keeping it/,
        /Ready=True/,
      ],
    );
    const { dir, kubeconfig } = mesh.layout;
    const plugin = openPlugin({ folder: dir, kubeconfig });
    t.regex(await plugin.ok(['status']), /DNSZone good: ServersDiffer: /);
  },
);

test.serial('a Secret that goes bad or goes leaves what is published as it was', async (t) => {
  const before = await standing();
  const until = (reason: string): Promise<void> =>
    untilSaid(() => conditionsOf(mesh, 'dnszone/good'), [new RegExp(`Ready=\\w+ ${reason}`)]);
  await apply(mesh, secret('good', { 'tsig-secret': 'not base64!' }));
  await until('SecretInvalid: .*Published records stay as they are');
  await mesh.kubectl(federated, ['delete', 'secret', 'good']);
  await until('SecretMissing: .*Published records stay as they are');
  t.deepEqual(await standing(), before);
  await apply(mesh, secret('good', { 'tsig-secret': secretText(server.ours) }));
  await until('Writable');
  t.deepEqual(await standing(), before);
});
