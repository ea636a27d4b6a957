// The adapter over real sockets and Google's own authentication, against the double.

import test from 'ava';
import { Resolver } from 'node:dns/promises';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { openCloudDns } from '../../coordinator/dns/provider/cloud-dns.ts';
import { openDnsView } from '../support/dns/cloud-dns/dns-view.ts';
import { openCloudDnsSubject } from '../support/dns/cloud-dns/subject.ts';
import { eventually } from '../support/eventually.ts';
import { group, patience, recordSet } from '../contract/dns-provider-cases.ts';

test('one token serves many calls, and one that was revoked is replaced by the next call', async (t) => {
  const { provider, double, apex, dispose } = await openCloudDnsSubject();
  t.teardown(dispose);
  await provider.read([`a.${apex}`, `b.${apex}`], patience);
  await provider.describe(patience);
  t.is(double.accounts.issued, 1);
  double.accounts.revokeAll();
  await t.throwsAsync(provider.read([`a.${apex}`], patience), { code: 'DNS_DENIED' } as object);
  t.deepEqual(await provider.read([`a.${apex}`], patience), []);
  t.is(double.accounts.issued, 2);
});

test('what another hand wrote in another order is deleted as it is kept', async (t) => {
  const { provider, double, apex, dispose } = await openCloudDnsSubject();
  t.teardown(dispose);
  const name = `a.${apex}`;
  double.zone.replace([
    { name: `${name}.`, type: 'AAAA', ttl: 60, rrdatas: ['2001:db8:0::9', '2001:db8::1'] },
    { name: `${name}.`, type: 'TXT', ttl: 60, rrdatas: ['two words'] },
  ]);
  const deletes = await provider.read([name], patience);
  const outcomes = await provider.apply({ groups: [group('g', { deletes })] }, patience);
  t.is(outcomes.get('g')?.kind, 'applied');
  t.deepEqual(double.zone.at(`${name}.`), []);
});

test('limits are those of the project once it was asked', async (t) => {
  const quotas = {
    rrsetAdditionsPerChange: 50,
    rrsetDeletionsPerChange: 40,
    rrsetsPerManagedZone: 123,
  };
  const { provider, dispose } = await openCloudDnsSubject({ quotas });
  t.teardown(dispose);
  const { limits } = provider.capabilities;
  t.is(limits.changes, 1000);
  const { recordSetsMax, negativeTtlSeconds, nameServers } = await provider.describe(patience);
  t.is(limits.changes, 40); // seen by whoever took it before, too
  t.is(recordSetsMax, 123);
  t.is(negativeTtlSeconds, 300);
  t.is(nameServers[0], 'ns-cloud-a1.googledomains.com');
});

test('a change is pending until name servers serve it', async (t) => {
  const { provider, double, clock, apex, dispose } = await openCloudDnsSubject();
  t.teardown(dispose);
  const view = await openDnsView(double.zone);
  t.teardown(() => view.close());
  const resolver = new Resolver({ tries: 1, timeout: 5000 });
  resolver.setServers([`127.0.0.1:${view.port}`]);
  const set = recordSet(`a.${apex}`, 'A', ['192.0.2.1']);
  const alias = recordSet(`b.${apex}`, 'CNAME', [`a.${apex}`]);
  const batch = { groups: [group('g', { creates: [set, alias] })] };
  const outcome = (await provider.apply(batch, patience)).get('g');
  const change = outcome?.kind === 'applied' ? (outcome.change ?? '') : '';
  t.is(await provider.observe(change, patience), 'pending');
  t.deepEqual(await provider.read([set.name], patience), [set]); // the API is ahead
  await t.throwsAsync(resolver.resolve4(set.name), { code: 'ENOTFOUND' });
  await clock.advance(5000);
  t.is(await provider.observe(change, patience), 'live');
  t.deepEqual(await resolver.resolve4(alias.name), ['192.0.2.1']);
  t.is(await provider.observe('999999', patience), 'live'); // long off the list of changes
});

test('I11 calls on a silent server leave no socket behind', async (t) => {
  const { provider, double, apex, dispose } = await openCloudDnsSubject();
  t.teardown(dispose);
  await provider.describe(patience);
  double.faults.all = 'hang';
  const short = { timeoutMs: 200 };
  const calls = Array.from({ length: 20 }, () => provider.read([`a.${apex}`], short));
  const ended = await Promise.allSettled(calls);
  t.true(ended.every(({ status }) => status === 'rejected'));
  await eventually(5000, () => {
    const left = double.sockets();
    return Promise.resolve(left <= 1 ? [] : [`${left} sockets`]);
  });
});

test('nothing is sent twice, whatever the answer was', async (t) => {
  for (const fault of [
    'rate403',
    'rate429',
    'serverError',
    'dropAfter',
    'dropBefore',
    'garbage',
  ] as const) {
    const { provider, double, apex, dispose } = await openCloudDnsSubject();
    double.faults.change = fault;
    const creates = [recordSet(`a.${apex}`, 'A', ['192.0.2.1'])];
    await provider.apply({ groups: [group('g', { creates })] }, patience);
    t.is(double.requests.filter((line) => line.startsWith('POST')).length, 1, fault);
    await dispose();
  }
});

test('a token endpoint that is silent or down leaves it certain that nothing was changed', async (t) => {
  for (const fault of ['hang', 'serverError'] as const) {
    const { provider, double, apex, dispose } = await openCloudDnsSubject();
    double.faults.token = fault;
    const creates = [recordSet(`a.${apex}`, 'A', ['192.0.2.1'])];
    const outcomes = await provider.apply(
      { groups: [group('g', { creates })] },
      { timeoutMs: 500 },
    );
    t.is(outcomes.get('g')?.kind, 'unavailable', fault);
    t.deepEqual(double.requests, []);
    await dispose();
  }
});

test('I9 a key that Google does not know is denied without a word of the key', async (t) => {
  const { double, dispose } = await openCloudDnsSubject();
  t.teardown(dispose);
  const credentials = {
    ...double.credentials,
    client_email: 'other@fixture.iam.gserviceaccount.com',
  };
  const { project, managedZone, url: endpoint } = double;
  const options = { project, managedZone, endpoint, clock: systemClock, log: silentLog };
  const provider = openCloudDns({ ...options, credentials });
  t.teardown(() => provider.close());
  const error = await t.throwsAsync<MeshError>(provider.describe(patience), {
    instanceOf: MeshError,
  });
  t.is(error?.code, 'DNS_DENIED');
  t.regex(error?.message ?? '', /invalid_grant.*service account/);
  t.false(/PRIVATE|eyJ/.test(error?.message ?? ''));
  const broken = openCloudDns({
    ...options,
    credentials: { ...credentials, private_key: 'PRIVATE' },
  });
  t.teardown(() => broken.close());
  const unsigned = await t.throwsAsync<MeshError>(broken.describe(patience), {
    instanceOf: MeshError,
  });
  t.is(unsigned?.code, 'DNS_DENIED');
  t.false(/PRIVATE/.test(unsigned?.message ?? ''));
});

const unusable: readonly (readonly [string, object, RegExp])[] = [
  [
    'an executable',
    { type: 'external_account', credential_source: { executable: {} } },
    /only "service_account"/,
  ],
  ['no type', {}, /has no type/],
  ['no key', { type: 'service_account', client_email: 'a@b' }, /has no private_key/],
  [
    'a plain token endpoint',
    {
      type: 'service_account',
      client_email: 'a@b',
      private_key: 'x',
      token_uri: 'http://tokens.test/',
    },
    /no https URL/,
  ],
];

for (const [what, credentials, message] of unusable) {
  test(`credentials with ${what} are refused when the provider is opened`, (t) => {
    const options = { project: 'p', managedZone: 'z', clock: systemClock, log: silentLog };
    t.throws(() => openCloudDns({ ...options, credentials: { ...credentials } }), { message });
  });
}

test('an endpoint that would show the token to everybody is refused', (t) => {
  const options = { project: 'p', managedZone: 'z', clock: systemClock, log: silentLog };
  t.throws(() => openCloudDns({ ...options, endpoint: 'http://dns.test' }), { message: /https/ });
});

test('a project that was given a minute of requests throttles, and says so', async (t) => {
  const { provider, apex, dispose } = await openCloudDnsSubject({ perMinute: 3 });
  t.teardown(dispose);
  for (let nth = 0; nth < 3; nth += 1) await provider.read([`a.${apex}`], patience);
  await t.throwsAsync(provider.read([`a.${apex}`], patience), { code: 'DNS_THROTTLED' } as object);
});
