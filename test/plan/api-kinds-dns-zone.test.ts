// What the API takes and refuses of a DNSZone: each refusal names the field and the way out.

import test from 'ava';
import { dnsZoneKind } from '../../coordinator/api/kinds/isthmus/dns-zone.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';

const zones = '/apis/isthmus.dev/v1alpha1/dnszones';
const merge = { 'content-type': 'application/merge-patch+json' };
const route53 = { hostedZoneId: 'Z0123456789ABC' };
const secretRef = { namespace: 'dns', name: 'key' };
const rfc2136 = { server: 'ns1.example.com:53', tsigKeyName: 'fedkey.' };

function serve(): Promise<ApiFixture> {
  return createApiFixture({ kinds: [dnsZoneKind] });
}

const good: readonly (readonly [string, object])[] = [
  ['the embedded zone', { domain: 'example.com', provider: 'Embedded' }],
  [
    'Route 53 with the usual chain of credentials',
    { domain: 'eu.example.com', provider: 'Route53', route53 },
  ],
  [
    'Route 53 at a double on this host',
    {
      domain: 'example.com',
      provider: 'Route53',
      route53: {
        ...route53,
        endpoint: 'http://127.0.0.1:5000',
        roleArn: 'arn:aws:iam::123456789012:role/dns',
      },
    },
  ],
  [
    'Route 53 at a VPC endpoint, by a role that asks for an external ID',
    {
      domain: 'example.com',
      provider: 'Route53',
      route53: {
        ...route53,
        endpoint: 'https://vpce-1-2.route53.us-east-1.vpce.amazonaws.com',
        roleArn: 'arn:aws:iam::123456789012:role/dns',
        externalId: 'isthmus/prod:1',
      },
    },
  ],
  [
    'Cloud DNS, private, of chosen namespaces',
    {
      domain: 'corp',
      provider: 'CloudDNS',
      visibility: 'Private',
      namespaces: ['shop'],
      namespaceSelector: { matchLabels: { tier: 'internal' } },
      cloudDNS: { project: 'example.com:dns-1', managedZone: 'corp' },
      secretRef,
    },
  ],
  [
    'Cloud DNS at an endpoint of Google’s, by the coordinator’s own account',
    {
      domain: 'example.com',
      provider: 'CloudDNS',
      cloudDNS: { project: 'p', managedZone: 'z', endpoint: 'https://dns-x.p.googleapis.com' },
    },
  ],
  [
    'Cloud DNS at an endpoint of somebody, by a key of theirs',
    {
      domain: 'example.com',
      provider: 'CloudDNS',
      cloudDNS: { project: 'p', managedZone: 'z', endpoint: 'https://dns.example.net' },
      secretRef,
    },
  ],
  [
    'a server on IPv6 whose apex is above the domain',
    {
      domain: 'fed.example.com',
      provider: 'RFC2136',
      rfc2136: { ...rfc2136, server: '[2001:db8::53]:53', zone: 'example.com' },
      secretRef,
    },
  ],
  [
    'an embedded zone with secondaries',
    {
      domain: 'example.com',
      provider: 'Embedded',
      embedded: {
        nameServers: ['ns1.example.com', 'ns2.example.net'],
        glue: [{ name: 'ns1.example.com', addresses: ['192.0.2.1', '2001:db8::1'] }],
        notify: ['192.0.2.53:53'],
        allowTransfer: ['192.0.2.0/24', '2001:db8::53/128'],
      },
    },
  ],
];

for (const [what, spec] of good) {
  test(`a DNSZone is taken: ${what}`, async (t) => {
    const api = await serve();
    const made = await api.call('POST', zones, { metadata: { name: 'x' }, spec });
    t.is(made.status, 201, made.text);
    t.like(made.json['metadata'], { finalizers: ['isthmus.dev/dnszone'], generation: 1 });
  });
}

const bad: readonly (readonly [object, readonly string[]])[] = [
  [{}, ['spec.domain: Required value', 'spec.provider: Required value']],
  [
    { domain: 'example.com', provider: 'Route 53' },
    [
      'spec.provider: Unsupported value: "Route 53": supported values: "Embedded", "Route53", "CloudDNS", "RFC2136"',
    ],
  ],
  [
    { domain: 'example.com.', provider: 'Embedded' },
    ['spec.domain: Invalid value: "example.com.": must be written without the trailing dot'],
  ],
  [
    { domain: 'Example.com', provider: 'Embedded' },
    ['spec.domain: Invalid value: "Example.com": must be in lower case: example.com'],
  ],
  [
    { domain: '*.example.com', provider: 'Embedded' },
    ['spec.domain: Invalid value: "*.example.com": must not be a wildcard: example.com'],
  ],
  [
    { domain: 'com', provider: 'Route53', route53 },
    [
      'spec.domain: Invalid value: "com": is a top-level domain, which no provider keeps for you; ' +
        'give a domain of yours such as example.com, or set spec.visibility: Private',
    ],
  ],
  [
    {
      domain: 'example.com',
      provider: 'CloudDNS',
      cloudDNS: {
        project: 'dns-1',
        managedZone: 'z',
        endpoint: 'https://googleapis.com.evil.test',
      },
    },
    [
      'spec.cloudDNS.endpoint: Invalid value: "https://googleapis.com.evil.test": needs ' +
        'spec.secretRef, since each request carries a token: the coordinator’s own goes to ' +
        'googleapis.com and to this host alone',
    ],
  ],
  [
    { domain: 'example.com', provider: 'Embedded', embedded: { transferKey: { name: 'a b' } } },
    [
      'spec.secretRef: Required value: must name the Secret with the key of transfers, in its key ' +
        '`tsig-secret` (base64)',
      'spec.embedded.transferKey.name: Invalid value: "a b": must be a DNS name, as the ' +
        'secondaries’ configuration has it',
    ],
  ],
  [
    {
      domain: 'example.com',
      provider: 'Route53',
      route53: { ...route53, endpoint: 'https://amazonaws.com.evil.test', externalId: 'a b' },
    },
    [
      'spec.route53.roleArn: Required value: must be set when `externalId` is',
      'spec.route53.externalId: Invalid value: "a b": must be 2 letters, digits and +=,.@:/_- or ' +
        'more, as the trust policy has it',
      'spec.route53.endpoint: Invalid value: "https://amazonaws.com.evil.test": needs ' +
        'spec.secretRef, since each request carries a token: the coordinator’s own goes to ' +
        'amazonaws.com and to this host alone',
    ],
  ],
  [
    { domain: 'example.com', provider: 'Route53' },
    ["spec.route53: Required value: must be set when `provider` is 'Route53'"],
  ],
  [
    { domain: 'example.com', provider: 'Embedded', route53, secretRef },
    [
      "spec.route53: Forbidden: may not be set when `provider` is 'Embedded'",
      "spec.secretRef: Forbidden: may not be set when `provider` is 'Embedded' without " +
        'spec.embedded.transferKey: it needs none',
    ],
  ],
  [
    { domain: 'example.com', provider: 'Route53', route53: { hostedZoneId: '/hostedzone/Z12' } },
    ['spec.route53.hostedZoneId: Invalid value: "/hostedzone/Z12": must be the ID alone: Z12'],
  ],
  [
    {
      domain: 'example.com',
      provider: 'Route53',
      route53: { ...route53, endpoint: 'http://dns.example.net', roleArn: 'dns' },
    },
    [
      'spec.route53.roleArn: Invalid value: "dns": must be the ARN of a role, such as arn:aws:iam::123456789012:role/dns',
      'spec.route53.endpoint: Invalid value: "http://dns.example.net": must be an https:// URL; http:// is only for a server on this host',
    ],
  ],
  [
    {
      domain: 'example.com',
      provider: 'CloudDNS',
      cloudDNS: { project: 'my-project', managedZone: 'example.com.' },
    },
    [
      'spec.cloudDNS.managedZone: Invalid value: "example.com.": must be the name of the managed zone, such as example-com, as `gcloud dns managed-zones list` shows it, not its DNS name',
    ],
  ],
  [
    { domain: 'example.com', provider: 'RFC2136', rfc2136: { ...rfc2136, server: 'ns1' } },
    [
      'spec.secretRef: Required value: must name the Secret with the TSIG key, in its key `tsig-secret` (base64)',
      'spec.rfc2136.server: Invalid value: "ns1": must be host:port, such as ns1.example.com:53, 192.0.2.53:53 or [2001:db8::53]:53',
    ],
  ],
  [
    {
      domain: 'example.com',
      provider: 'RFC2136',
      rfc2136: { ...rfc2136, zone: 'example.net', tsigAlgorithm: 'hmac-md5' },
      secretRef,
    },
    [
      'spec.rfc2136.tsigAlgorithm: Unsupported value: "hmac-md5": supported values: "hmac-sha256", "hmac-sha384", "hmac-sha512"',
      'spec.rfc2136.zone: Invalid value: "example.net": must be the domain example.com or one above it',
    ],
  ],
  [
    {
      domain: 'example.com',
      provider: 'Embedded',
      namespaceSelector: { matchExpressions: [{ key: 'a b', operator: 'In' }] },
      embedded: { notify: ['192.0.2.53'], allowTransfer: ['192.0.2.53'] },
      takeOverFrom: ['owner "x"'],
    },
    [
      "spec.namespaceSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      'spec.namespaceSelector.matchExpressions[0].key: Invalid value: "a b"',
      'spec.embedded.notify[0]: Invalid value: "192.0.2.53": must be host:port, such as ns1.example.com:53, 192.0.2.53:53 or [2001:db8::53]:53',
      'spec.embedded.allowTransfer[0]: Invalid value: "192.0.2.53": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      'spec.takeOverFrom[0]: Invalid value: "owner \\"x\\"": must be an owner id as its TXT record shows it, without spaces and quotes',
    ],
  ],
  [
    {
      domain: 'example.com',
      provider: 'Embedded',
      embedded: {
        nameServers: ['ns1.example.com', 'ns2.example.com', 'ns3.example.net'],
        glue: [
          { name: 'ns2.example.com', addresses: ['ns2'] },
          { name: 'ns3.example.net', addresses: ['192.0.2.3'] },
        ],
      },
    },
    [
      'spec.embedded.nameServers[0]: Invalid value: "ns1.example.com": is within the domain: give its addresses in spec.embedded.glue',
      'spec.embedded.glue[0].addresses[0]: Invalid value: "ns2": must be an IPv4 or IPv6 address',
      'spec.embedded.glue[1].name: Invalid value: "ns3.example.net": must be one of spec.embedded.nameServers that is within the domain',
    ],
  ],
];

interface Causes {
  readonly causes?: readonly { readonly field: string; readonly message: string }[];
}

for (const [spec, faults] of bad) {
  test(`a DNSZone is refused: ${JSON.stringify(spec)}`, async (t) => {
    const api = await serve();
    const { status, json } = await api.call('POST', zones, { metadata: { name: 'x' }, spec });
    t.is(status, 422);
    const { causes = [] } = json['details'] as Causes;
    const said = causes.map(({ field, message }) => `${field}: ${message}`);
    t.is(said.length, faults.length, said.join('\n'));
    faults.forEach((fault, index) => t.true(said[index]?.startsWith(fault), said[index]));
    t.is((await api.call('GET', `${zones}/x`)).status, 404);
  });
}

test('I7: what says where the records of a DNSZone stand cannot be changed', async (t) => {
  const api = await serve();
  const spec = { domain: 'example.com', provider: 'Route53', route53 };
  await api.call('POST', zones, { metadata: { name: 'x' }, spec });
  for (const change of [
    { domain: 'example.net' },
    { provider: 'Embedded', route53: null },
    { route53: { hostedZoneId: 'Z999' } },
  ]) {
    const { status, text } = await api.call('PATCH', `${zones}/x`, { spec: change }, merge);
    t.is(status, 422, JSON.stringify(change));
    t.regex(text, /is immutable, was .*make another DNSZone, wait until it is Ready/);
  }
  const others = {
    ttlSeconds: 30,
    frozen: true,
    route53: { roleArn: 'arn:aws:iam::123456789012:role/x' },
  };
  const changed = await api.call('PATCH', `${zones}/x`, { spec: others }, merge);
  t.is(changed.status, 200, changed.text);
  t.like(changed.json, { metadata: { generation: 2 } });
});

test('a row of `kubectl get dnszones` says why a zone is not ready', async (t) => {
  const api = await serve();
  await api.call('POST', zones, {
    metadata: { name: 'x' },
    spec: { domain: 'example.com', provider: 'Embedded' },
  });
  const status = {
    recordSets: 12,
    pending: 3,
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'SecretMissing',
        message: 'no',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
  };
  const path = `${zones}/x/status`;
  t.is((await api.call('PATCH', path, { status }, merge)).status, 200);
  const table = await api.call('GET', zones, undefined, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  const { columnDefinitions, rows } = table.json as {
    readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
    readonly rows: readonly { readonly cells: readonly unknown[] }[];
  };
  t.deepEqual(
    columnDefinitions.filter(({ priority }) => priority === 0).map(({ name }) => name),
    ['Name', 'Domain', 'Provider', 'Records', 'Pending', 'Ready', 'Age'],
  );
  t.deepEqual(rows[0]?.cells.slice(0, 6), [
    'x',
    'example.com',
    'Embedded',
    '12',
    '3',
    'SecretMissing',
  ]);
});
