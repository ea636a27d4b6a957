// What the API refuses and warns of before names are made: lengths, labels, short names, DNSZones.

import test from 'ava';
import { toRevision, toServiceKey } from '../../common/model/ids.ts';
import { toPublicationKey, toPublicationObject } from '../../common/pure/publication-object.ts';
import { createAdmission } from '../../coordinator/admission/admission.ts';
import { clusterKind } from '../../coordinator/api/kinds/isthmus/cluster.ts';
import { dnsZoneKind } from '../../coordinator/api/kinds/isthmus/dns-zone.ts';
import { servicePolicyKind } from '../../coordinator/api/kinds/isthmus/service-policy.ts';
import { namespaceKind } from '../../coordinator/api/kinds/namespace.ts';
import { serviceKind } from '../../coordinator/api/kinds/service/service.ts';
import type { Admit } from '../../coordinator/api/machinery/api.ts';
import { createApiFixture, type Answer, type ApiFixture } from '../support/api-fixture.ts';

const clusters = '/apis/isthmus.dev/v1alpha1/clusters';
const merge = { 'content-type': 'application/merge-patch+json' };
const servicesIn = (namespace: string): string => `/api/v1/namespaces/${namespace}/services`;
const policiesIn = (namespace: string): string =>
  `/apis/isthmus.dev/v1alpha1/namespaces/${namespace}/servicepolicies`;

async function serve(): Promise<ApiFixture> {
  const late: { admit?: Admit } = {};
  const fixture = await createApiFixture({
    kinds: [
      namespaceKind,
      serviceKind({ federation: true }),
      clusterKind,
      servicePolicyKind,
      dnsZoneKind,
    ],
    admit: (change) => late.admit?.(change) ?? Promise.resolve({ warnings: [] }),
  });
  late.admit = createAdmission({
    ...fixture,
    placement: { clustersOf: () => [] },
    sessions: { session: () => undefined, hasForeignService: () => false },
    scope: { federation: 'myfederation', domain: 'example.com' },
  });
  await fixture.put(namespaceKind, { metadata: { name: 'shop' } });
  await fixture.put(clusterKind, {
    metadata: { name: 'ams' },
    spec: { region: 'eu', zone: 'eu-a', provider: 'gce' },
  });
  return fixture;
}

async function addZone(api: ApiFixture, name: string, spec: object): Promise<void> {
  await api.put(dnsZoneKind, { metadata: { name }, spec: { provider: 'Embedded', ...spec } });
}

/** As names of shop/`name` in the DNSZone `own` are written to the log. */
async function publish(api: ApiFixture, name: string, hasNames: boolean): Promise<void> {
  const key = toServiceKey({ namespace: 'shop', name });
  const object = toPublicationObject({
    key,
    serviceUid: '',
    zone: 'example.com',
    dnsZone: 'own',
    recordSets: hasNames
      ? [{ name: 'n', type: 'A', ttlSeconds: 60, values: ['192.0.2.1'], level: 'global' }]
      : [],
    shards: [],
    everHealthy: true,
    reason: '',
    message: '',
  });
  const at = toPublicationKey(key, 'own');
  await api.desired.write({ key: at, object, expected: toRevision(0) });
}

function service(name: string, spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { run: name }, ...spec },
  };
}

function policy(name: string, dns: object, serviceName = name): object {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: { name },
    spec: { serviceName, dns },
  };
}

function cluster(name: string, spec: object): object {
  return { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Cluster', metadata: { name }, spec };
}

function warnings({ headers }: Answer): readonly string[] {
  return [headers['warning'] ?? []].flat().map((line) => {
    const text = /^299 - "(.*)"$/.exec(line)?.[1] ?? line;
    return text.replaceAll('\\"', '"');
  });
}

function message({ json }: { readonly json: unknown }): string {
  return (json as { readonly message?: string }).message ?? '';
}

const longDomain = `${['a', 'b', 'c'].map((letter) => letter.repeat(60)).join('.')}.net`;

test('D1 a Service whose name no DNSZone can carry is refused, with the lengths and ways out', async (t) => {
  const api = await serve();
  await addZone(api, 'long', { domain: longDomain });
  const name = 'n'.repeat(50);
  const refused = await api.call('POST', servicesIn('default'), service(name));
  t.is(refused.status, 422);
  t.regex(
    message(refused),
    /metadata\.name: Invalid value: .*of 2\d\d characters, and DNS carries 253/,
  );
  t.regex(message(refused), /choose a shorter name or namespace, or a DNSZone of a shorter domain/);
  const inner = await api.call('POST', servicesIn('default'), service(name, { type: 'ClusterIP' }));
  t.is(inner.status, 201);
  // What has no names yet may not get some that DNS cannot carry.
  const edit = { spec: { type: 'LoadBalancer' } };
  t.is((await api.call('PATCH', `${servicesIn('default')}/${name}`, edit, merge)).status, 422);
});

test('D1 where some zones or levels cannot carry a name, that is told and the rest goes on', async (t) => {
  const api = await serve();
  await addZone(api, 'short', { domain: 'example.com' });
  await addZone(api, 'long', { domain: longDomain });
  const answer = await api.call('POST', servicesIn('default'), service('n'.repeat(50)));
  t.is(answer.status, 201);
  t.regex(warnings(answer)[0] ?? '', /^too long for DNS, so left out: n+\.default\./);
  const levels = await serve();
  await addZone(levels, 'long', { domain: longDomain });
  await levels.put(clusterKind, {
    metadata: { name: 'far' },
    spec: { region: 'r'.repeat(60), zone: 'z' },
  });
  const told = await levels.call('POST', servicesIn('default'), service('nginx'));
  t.is(told.status, 201);
  t.regex(warnings(told)[0] ?? '', /^too long for DNS, so left out: nginx\.default\./);
});

test('D1 at a provider the owner mark has to fit too', async (t) => {
  const labels = ['d'.repeat(60), 'd'.repeat(60), 'd'.repeat(60), 'com'];
  const domain = ['x'.repeat(30), ...labels].join('.');
  // nginx.default.myfederation.svc.<domain>
  const [global, mark] = [30 + 1 + domain.length, 10 + 31 + domain.length];
  t.true(global <= 253 && mark > 253, `${global} ${mark}`);
  const inside = await serve();
  await addZone(inside, 'inside', { domain });
  t.is((await inside.call('POST', servicesIn('default'), service('nginx'))).status, 201);
  const outside = await serve();
  const route53 = { hostedZoneId: 'Z1' };
  await outside.put(dnsZoneKind, {
    metadata: { name: 'outside' },
    spec: { provider: 'Route53', domain, route53 },
  });
  const refused = await outside.call('POST', servicesIn('default'), service('nginx'));
  t.is(refused.status, 422);
  t.regex(message(refused), /the owner mark of its names would be _fedowner\.nginx\./);
});

test('a name server’s name is no short name', async (t) => {
  const api = await serve();
  await addZone(api, 'short', { domain: 'example.com' });
  const glue = [{ name: 'ns.example.net', addresses: ['192.0.2.1'] }];
  const embedded = { nameServers: ['ns.example.net'], glue };
  await addZone(api, 'said', { domain: 'example.net', embedded });
  for (const name of ['ns1.example.com', 'ns.example.net']) {
    const dns = { aliases: [{ name }] };
    const refused = await api.call('POST', policiesIn('default'), policy('p', dns));
    t.is(refused.status, 422);
    t.regex(message(refused), /is a name server’s of DNSZone/);
  }
});

test('a DNSZone within another one is told which names it takes from that', async (t) => {
  const api = await serve();
  await addZone(api, 'outer', { domain: 'example.com' });
  const create = async (name: string, domain: string): Promise<readonly string[]> => {
    const answer = await api.call('POST', '/apis/isthmus.dev/v1alpha1/dnszones', {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'DNSZone',
      metadata: { name },
      spec: { provider: 'Embedded', domain },
    });
    t.is(answer.status, 201);
    return warnings(answer);
  };
  t.regex(
    (await create('eu', 'eu.example.com'))[0] ?? '',
    /names of the region eu \(ams\) of DNSZone outer lie within eu\.example\.com/,
  );
  t.regex(
    (await create('zone', 'z.us.example.com'))[0] ?? '',
    /the zone z of the region us \(no cluster is there yet\) of DNSZone outer/,
  );
  t.deepEqual(await create('deep', 'a.b.c.example.com'), []);
  t.deepEqual(await create('beside', 'example.net'), []);
  await addZone(api, 'inner', { domain: 'eu.example.org' });
  t.regex(
    (await create('above', 'example.org'))[0] ?? '',
    /names of the region eu \(ams\) of this one lie within eu\.example\.org of DNSZone inner/,
  );
});

test('an edit by which Services leave a DNSZone says whose names go', async (t) => {
  const api = await serve();
  await addZone(api, 'own', { domain: 'example.com' });
  for (const name of ['web', 'api', 'new']) await publish(api, name, name !== 'new');
  const edit = async (spec: object): Promise<readonly string[]> => {
    const answer = await api.call(
      'PATCH',
      '/apis/isthmus.dev/v1alpha1/dnszones/own?dryRun=All',
      { spec },
      merge,
    );
    t.is(answer.status, 200);
    return warnings(answer);
  };
  t.deepEqual(await edit({ namespaces: ['sohp'] }), [
    'spec: 2 Services leave DNSZone own, and their names in example.com go at once: shop/api, shop/web',
  ]);
  t.deepEqual(await edit({ namespaces: ['shop'] }), []);
  t.is((await edit({ namespaceSelector: { matchLabels: { dns: 'public' } } })).length, 1);
  t.is((await edit({ services: 'ByPolicy' })).length, 1);
  await api.call('POST', policiesIn('shop'), policy('web', { zones: ['own'] }));
  t.deepEqual(await edit({ services: 'ByPolicy' }), [
    'spec: one Service leaves DNSZone own, and its names in example.com go at once: shop/api',
  ]);
});

test('a zone that is not for the Service does not matter', async (t) => {
  const api = await serve();
  await addZone(api, 'short', { domain: 'example.com' });
  await addZone(api, 'long', { domain: longDomain, namespaces: ['shop'] });
  const answer = await api.call('POST', servicesIn('default'), service('n'.repeat(50)));
  t.deepEqual([answer.status, warnings(answer)], [201, []]);
});

test('L1 regions and zones that are no labels are mapped, and that is told once', async (t) => {
  const api = await serve();
  const made = await api.call(
    'POST',
    clusters,
    cluster('os', { region: 'RegionOne', zone: 'AZ 1' }),
  );
  t.is(made.status, 201);
  t.deepEqual(warnings(made), [
    'spec.region: "RegionOne" stands in DNS names as regionone',
    'spec.zone: "AZ 1" stands in DNS names as az-1',
  ]);
  const again = await api.call(
    'PATCH',
    `${clusters}/os`,
    { metadata: { labels: { a: 'b' } } },
    merge,
  );
  t.deepEqual(warnings(again), []);
});

test('L1 a region without a letter or digit, or called svc, is refused with its field', async (t) => {
  const api = await serve();
  for (const region of ['東京', '---', 'SVC']) {
    const refused = await api.call('POST', clusters, cluster('x', { region }));
    t.is(refused.status, 422);
    t.regex(message(refused), /spec\.region: Invalid value: .*give/);
  }
});

test('L2 two texts of one label, and one region of two providers, are told', async (t) => {
  const api = await serve();
  await api.put(clusterKind, { metadata: { name: 'one' }, spec: { region: 'Region One' } });
  const twin = await api.call('POST', clusters, cluster('two', { region: 'region-one' }));
  t.deepEqual(warnings(twin), [
    'spec.region: "region-one" and "Region One" of cluster one are one region in DNS names, region-one',
  ]);
  const cloud = await api.call('POST', clusters, cluster('fra', { region: 'eu', provider: 'aws' }));
  t.deepEqual(warnings(cloud), [
    'aws and gce (cluster ams) have one region in DNS names, eu: spec.qualifyRegion keeps them apart',
  ]);
  const apart = { spec: { qualifyRegion: true } };
  t.deepEqual(warnings(await api.call('PATCH', `${clusters}/fra`, apart, merge)), []);
  const nobody = await api.call(
    'POST',
    clusters,
    cluster('x', { region: 'u', qualifyRegion: true }),
  );
  t.regex(warnings(nobody)[0] ?? '', /spec\.qualifyRegion: the provider is not known yet/);
});

test('D2 a short name that another Service has is refused, and names who has it', async (t) => {
  const api = await serve();
  await addZone(api, 'short', { domain: 'example.com' });
  const dns = { aliases: [{ name: 'nginx.example.com' }] };
  t.is((await api.call('POST', policiesIn('default'), policy('nginx', dns))).status, 201);
  const taken = await api.call('POST', policiesIn('shop'), policy('cart', dns));
  t.is(taken.status, 422);
  t.regex(
    message(taken),
    /spec\.dns\.aliases\[0\]\.name: .*is wanted by the Service default\/nginx already \(ServicePolicy nginx\)/,
  );
  // The same Service keeps it through edits of its policy.
  const edit = { spec: { dns: { ttlSeconds: 30 } } };
  t.is((await api.call('PATCH', `${policiesIn('default')}/nginx`, edit, merge)).status, 200);
  await api.call('DELETE', `${policiesIn('default')}/nginx`);
  t.is((await api.call('POST', policiesIn('shop'), policy('cart', dns))).status, 201);
});

test('D2 a short name that an overruled policy wants is refused: its age would win it one day', async (t) => {
  const api = await serve();
  await addZone(api, 'short', { domain: 'example.com' });
  await api.call('POST', policiesIn('default'), policy('a', { ttlSeconds: 30 }, 'nginx'));
  const dns = { aliases: [{ name: 'pay.example.com' }] };
  t.is((await api.call('POST', policiesIn('default'), policy('b', dns, 'nginx'))).status, 201);
  const taken = await api.call('POST', policiesIn('shop'), policy('pay', dns));
  t.is(taken.status, 422);
  t.regex(message(taken), /is wanted by the Service default\/nginx already \(ServicePolicy b\)/);
});

test('D2 short names of the federation’s own form, and the domain itself, are refused', async (t) => {
  const api = await serve();
  await addZone(api, 'short', { domain: 'example.com' });
  for (const name of ['a.b.myfederation.svc.eu.example.com', 'example.com']) {
    const refused = await api.call(
      'POST',
      policiesIn('default'),
      policy('p', { aliases: [{ name }] }),
    );
    t.is(refused.status, 422);
    t.regex(message(refused), /spec\.dns\.aliases\[0\]\.name: .*choose/);
  }
});

test('D3 what another object may still bring is warned of', async (t) => {
  const api = await serve();
  await addZone(api, 'short', { domain: 'example.com' });
  await addZone(api, 'shops', { domain: 'example.net', namespaces: ['shop'] });
  const dns = {
    zones: ['nowhere', 'shops', 'short'],
    failover: { primary: { clusters: ['nobody'] } },
    aliases: [
      { name: 'eu.nginx.example.com', region: 'eu', zone: 'eu-a' },
      { name: 'us.nginx.example.com', region: 'us' },
      { name: 'nginx.example.org' },
    ],
  };
  const answer = await api.call('POST', policiesIn('default'), policy('nginx', dns));
  t.is(answer.status, 201);
  t.deepEqual(warnings(answer), [
    'spec.dns.zones: there is no DNSZone nowhere (yet)',
    'spec.dns.zones: DNSZone shops is not for the namespace default',
    'spec.dns.aliases: within no DNSZone that publishes the Service and takes short names (example.com): nginx.example.org',
    'spec.dns.aliases: no registered cluster is there, so these lead one level up: us',
    'spec.dns.failover.primary: it chooses no registered cluster, so all are backups',
  ]);
});

const badDns: readonly (readonly [object, RegExp])[] = [
  [{ ttlSeconds: 0 }, /spec\.dns\.ttlSeconds/],
  [{ levelTtlSeconds: { zone: 100_000 } }, /spec\.dns\.levelTtlSeconds\.zone/],
  [{ allUnhealthy: 'Panic' }, /spec\.dns\.allUnhealthy: Unsupported value/],
  [{ hostnameMode: 'Alias' }, /spec\.dns\.hostnameMode: Unsupported value/],
  [{ zones: ['No Zone'] }, /spec\.dns\.zones\[0\]/],
  [{ failover: { primary: {} } }, /spec\.dns\.failover\.primary: Required value: one of clusters/],
  [{ failover: {} }, /spec\.dns\.failover\.primary: Required value/],
  [{ aliases: [{ name: 'X.example.com' }] }, /must be in lower case: x\.example\.com/],
  [{ aliases: [{ name: 'x.example.com.' }] }, /without the trailing dot/],
  [{ aliases: [{ name: '*.example.com' }] }, /must not be a wildcard/],
  [{ aliases: [{ name: `${'x'.repeat(64)}.example.com` }] }, /has more than 63 characters/],
  [{ aliases: [{ name: 'x.example.com', zone: 'eu-a' }] }, /aliases\[0\]\.region: Required value/],
  [
    { aliases: [{ name: 'x.example.com', region: 'EU West' }] },
    /must be written as in DNS names: eu-west/,
  ],
  [
    { aliases: [{ name: 'x.example.com' }, { name: 'x.example.com' }] },
    /aliases\[1\]\.name: .*given twice/,
  ],
];

for (const [dns, expected] of badDns) {
  test(`spec.dns is refused with its field: ${JSON.stringify(dns).slice(0, 60)}`, async (t) => {
    const api = await serve();
    const refused = await api.call('POST', policiesIn('default'), policy('p', dns));
    t.is(refused.status, 422);
    t.regex(message(refused), expected);
  });
}
