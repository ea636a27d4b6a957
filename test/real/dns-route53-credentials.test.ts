// Where the adapter gets its credentials: a Secret, the SDK's usual chain, an assumed role. And that
// nobody pays for the SDK before.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { MeshError } from '../../common/pure/errors.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { openRoute53 } from '../../coordinator/dns/provider/route53.ts';
import { openRoute53Double, testKeys, type Route53Double } from '../support/dns/route53/double.ts';
import { isAllowed, readDocumentedPolicy } from '../support/dns/route53/policy.ts';
import { runProgram } from '../support/run-program.ts';

const patience = { timeoutMs: 20_000 };
const role = 'arn:aws:iam::123456789012:role/isthmus';
const chained = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_ROLE_ARN',
  'AWS_PROFILE',
];

// One after the other: the chain is the process's environment.
const testChain = test.serial;

async function openDouble(t: ExecutionContext): Promise<Route53Double> {
  const double = await openRoute53Double();
  t.teardown(double.close);
  double.addZone('example.com');
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-aws-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const name of chained) delete process.env[name];
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
  process.env['AWS_ENDPOINT_URL_STS'] = double.endpoint;
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(folder, 'credentials');
  process.env['AWS_CONFIG_FILE'] = join(folder, 'config');
  process.env['TEST_FOLDER'] = folder;
  return double;
}

function open(
  t: ExecutionContext,
  double: Route53Double,
  options: Partial<Parameters<typeof openRoute53>[0]> = {},
) {
  const [hostedZoneId = ''] = double.service.zones.keys();
  const provider = openRoute53({
    hostedZoneId,
    endpoint: double.endpoint,
    clock: systemClock,
    log: silentLog,
    ...options,
  });
  t.teardown(() => provider.close());
  return provider;
}

testChain('keys of the environment', async (t) => {
  const double = await openDouble(t);
  process.env['AWS_ACCESS_KEY_ID'] = testKeys.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = testKeys.secretAccessKey;
  t.is((await open(t, double).describe(patience)).recordSets, 2);
});

testChain('keys of the credentials file', async (t) => {
  const double = await openDouble(t);
  const { accessKeyId, secretAccessKey } = testKeys;
  writeFileSync(
    process.env['AWS_SHARED_CREDENTIALS_FILE'] ?? '',
    `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`,
  );
  t.is((await open(t, double).describe(patience)).recordSets, 2);
});

testChain("a ServiceAccount's token (IRSA)", async (t) => {
  const double = await openDouble(t);
  double.roles.set(role, []);
  const token = join(process.env['TEST_FOLDER'] ?? '', 'token');
  writeFileSync(token, 'a.web.token');
  process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = token;
  process.env['AWS_ROLE_ARN'] = role;
  t.is((await open(t, double).describe(patience)).recordSets, 2);
  t.is(double.roles.get(role)?.length, 1);
});

testChain('a role that is assumed with keys of a Secret, once for many calls', async (t) => {
  const double = await openDouble(t);
  double.roles.set(role, []);
  const provider = open(t, double, { roleArn: role, credentials: testKeys });
  await provider.describe(patience);
  await provider.read(['a.example.com'], patience);
  t.is(double.roles.get(role)?.length, 1);
});

testChain('a role of another company is assumed by its external ID, and not without', async (t) => {
  const double = await openDouble(t);
  double.roles.set(role, []);
  double.externalIds.set(role, 'isthmus-1');
  const own = { roleArn: role, credentials: testKeys };
  const error = await t.throwsAsync(open(t, double, own).describe(patience));
  t.regex(error?.message ?? '', /spec\.route53\.externalId/);
  const provider = open(t, double, { ...own, externalId: 'isthmus-1' });
  t.is((await provider.describe(patience)).recordSets, 2);
});

testChain('a zone says whether the world can ask for it', async (t) => {
  const double = await openDouble(t);
  const provider = open(t, double, { credentials: testKeys });
  t.is((await provider.describe(patience)).isPrivate, false);
  for (const { zone } of double.service.zones.values()) zone.isPrivate = true;
  const described = await provider.describe(patience);
  t.true(described.isPrivate);
  t.deepEqual(described.nameServers, []);
});

testChain('a role that may not be assumed is denied, and Route 53 was not asked', async (t) => {
  const double = await openDouble(t);
  const provider = open(t, double, { roleArn: role, credentials: testKeys });
  const error = await t.throwsAsync(provider.describe(patience), { instanceOf: MeshError });
  t.is(error?.code, 'DNS_DENIED');
  t.regex(error?.message ?? '', /not authorized to perform: sts:AssumeRole on .*role\/isthmus/);
  t.regex(error?.message ?? '', /^AWS STS.*trust policy.*spec\.route53\.externalId/);
  t.notRegex(error?.message ?? '', /arn:aws:route53/);
  t.is(double.count('GetHostedZone'), 0);
});

testChain('no credentials at all: denied, with the ways to give them', async (t) => {
  const double = await openDouble(t);
  const error = await t.throwsAsync(open(t, double).describe(patience), { instanceOf: MeshError });
  t.is(error?.code, 'DNS_DENIED');
  t.regex(error?.message ?? '', /spec\.secretRef.*IRSA.*AWS_ACCESS_KEY_ID/);
});

testChain(
  'a source of credentials that hangs ends with the call, and nothing was sent',
  async (t) => {
    const double = await openDouble(t);
    double.roles.set(role, []);
    const hung = await openRoute53Double();
    t.teardown(hung.close);
    hung.roles.set(role, []);
    process.env['AWS_ENDPOINT_URL_STS'] = 'http://192.0.2.1:9';
    const provider = open(t, double, { roleArn: role, credentials: testKeys });
    const outcomes = await provider.apply(
      { groups: [{ id: 'g', deletes: [], creates: [] }] },
      { timeoutMs: 700 },
    );
    t.is(outcomes.get('g')?.kind, 'unavailable');
  },
);

testChain('tokens that expired or keys that were withdrawn say so', async (t) => {
  const double = await openDouble(t);
  const provider = open(t, double, { credentials: testKeys });
  const principal = double.principals.get(testKeys.accessKeyId);
  if (principal === undefined) return t.fail('no principal');
  principal.isExpired = true;
  const expired = await t.throwsAsync(provider.describe(patience));
  t.regex(expired?.message ?? '', /expired: write fresh credentials/);
  double.principals.clear();
  const withdrawn = await t.throwsAsync(provider.describe(patience));
  t.regex(withdrawn?.message ?? '', /check aws_access_key_id/);
});

test('the SDK is loaded by the first call, and not by opening', async (t) => {
  const url = pathToFileURL('dist/coordinator/dns/provider/route53.js').href;
  const clock = pathToFileURL('dist/common/runtime/clock.js').href;
  const script = `
    import { createRequire } from 'node:module';
    const { cache } = createRequire('/');
    const loaded = () => Object.keys(cache).some((path) => path.includes('@aws-sdk'));
    const { openRoute53 } = await import('${url}');
    const { systemClock } = await import('${clock}');
    const log = { debug() {} };
    const provider = openRoute53({ hostedZoneId: 'Z1', endpoint: 'http://127.0.0.1:1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, clock: systemClock, log });
    const before = loaded();
    const code = await provider.describe({ timeoutMs: 20000 }).catch((error) => error.code);
    console.log(JSON.stringify([before, code, loaded()]));
  `;
  const ran = await runProgram(process.execPath, ['--input-type=module', '-e', script], {
    env: {},
  });
  t.is(ran.output.trim(), '[false,"DNS_UNAVAILABLE",true]', ran.errors);
  t.is(ran.errors, '', 'nothing is printed beside the log');
});

test('a start loads what the DNSZones of the log need, and nothing else', async (t) => {
  const url = pathToFileURL('dist/coordinator/dns-providers.js').href;
  const script = `
    import { createRequire } from 'node:module';
    const { cache } = createRequire('/');
    const has = (what) => Object.keys(cache).some((path) => path.includes(what));
    const { loadDnsSdks } = await import('${url}');
    const said = [];
    for (const provider of ['Embedded', 'RFC2136', 'CloudDNS', 'Route53']) {
      await loadDnsSdks({ list: () => [{ object: { spec: { provider } } }] });
      said.push([has('@aws-sdk/client-route-53'), has('google-auth-library')]);
    }
    console.log(JSON.stringify(said));
  `;
  const ran = await runProgram(process.execPath, ['--input-type=module', '-e', script], {
    env: {},
  });
  t.is(ran.output.trim(), '[[false,false],[false,false],[false,true],[true,true]]', ran.errors);
});

test('the documented policy keeps to names of the federation, our types, and no UPSERT', (t) => {
  const policy = readDocumentedPolicy({ federation: 'fed', domain: 'example.com' });
  const may = (action: string, name: string, type = 'A'): boolean =>
    isAllowed(policy, {
      action: 'ChangeResourceRecordSets',
      body: `<R><ChangeBatch><Changes><Change><Action>${action}</Action><ResourceRecordSet><Name>${name}</Name><Type>${type}</Type></ResourceRecordSet></Change></Changes></ChangeBatch></R>`,
    });
  t.true(may('CREATE', 'nginx.default.fed.svc.eu.example.com.'));
  t.true(may('DELETE', '_fedowner.nginx.default.fed.svc.example.com.', 'TXT'));
  t.true(may('CREATE', '_fedfence.fed.example.com.', 'TXT'));
  t.false(may('CREATE', 'www.example.com.'));
  t.false(may('CREATE', 'nginx.default.other.svc.example.com.'));
  t.false(may('UPSERT', 'nginx.default.fed.svc.example.com.'));
  t.false(may('CREATE', 'nginx.default.fed.svc.example.com.', 'MX'));
});
