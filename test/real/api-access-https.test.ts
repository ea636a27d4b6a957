// Who asks, over TLS: certificates, tokens, nobody, and what is not believed.

import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createCa, issueClientCertificate } from '../../common/runtime/pki.ts';
import { startAccessApi } from '../support/access-api.ts';
import { askHttp1, listenForTest, token, type HttpsFixture } from '../support/https-fixture.ts';

async function start(t: ExecutionContext): Promise<HttpsFixture> {
  const access = await startAccessApi();
  const https = await listenForTest(access.api);
  t.teardown(async () => {
    await https.listener.close();
    await access.close();
  });
  return https;
}

const common = { validDays: 1, clock: systemClock };
const unauthorized =
  '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",' +
  '"message":"Unauthorized","reason":"Unauthorized","code":401}';

async function whoAmI(
  https: HttpsFixture,
  asked: object,
): Promise<Readonly<Record<string, unknown>>> {
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const headers = { 'content-type': 'application/json' };
  const answer = await askHttp1(https, {
    method: 'POST',
    path,
    body: Buffer.from('{}'),
    headers,
    ...asked,
  });
  const { status } = JSON.parse(answer.body.toString('utf8')) as {
    readonly status: { readonly userInfo: Readonly<Record<string, unknown>> };
  };
  return status.userInfo;
}

test('[k8s 117] a client certificate is its common name, each organization a group', async (t) => {
  const https = await start(t);
  const client = await issueClientCertificate({
    ...common,
    ca: https.ca,
    commonName: 'carol',
    organizations: ['dev', 'ops'],
  });
  const me = await whoAmI(https, { client });
  t.is(me['username'], 'carol');
  t.deepEqual([...(me['groups'] as string[])].sort(), ['dev', 'ops', 'system:authenticated']);
  const extra = me['extra'] as Readonly<Record<string, readonly string[]>>;
  t.regex(
    extra['authentication.kubernetes.io/credential-id']?.[0] ?? '',
    /^X509SHA256=[0-9a-f]{64}$/,
  );
});

test('[k8s 117] a token names its user; a wrong one is 401 everywhere, in the words of Kubernetes', async (t) => {
  const https = await start(t);
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  t.like(await whoAmI(https, { headers }), { username: 'robot' });
  for (const path of ['/api/v1/services', '/healthz', '/nonsense']) {
    const answer = await askHttp1(https, { path, headers: { authorization: 'Bearer wrong' } });
    t.is(answer.status, 401);
    t.is(answer.body.toString('utf8'), unauthorized);
    t.is(answer.headers['www-authenticate'], undefined);
    t.truthy(answer.headers['audit-id']);
  }
});

test('[k8s 117] a certificate of another CA is refused, unless a token is good', async (t) => {
  const https = await start(t);
  const ca = await createCa({ ...common, commonName: 'other CA' });
  const client = await issueClientCertificate({
    ...common,
    ca,
    commonName: 'admin',
    organizations: ['system:masters'],
  });
  t.is((await askHttp1(https, { path: '/healthz', client })).status, 401);
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  t.like(await whoAmI(https, { client, headers }), { username: 'robot' });
});

test('[k8s 117] who shows nothing is system:anonymous, and another scheme is nothing', async (t) => {
  const https = await start(t);
  for (const headers of [{}, { authorization: 'Basic eDp5' }]) {
    const answer = await askHttp1(https, { path: '/api/v1/services', headers });
    t.is(answer.status, 403);
    const { message } = JSON.parse(answer.body.toString('utf8')) as { readonly message: string };
    t.is(
      message,
      'services is forbidden: User "system:anonymous" cannot list resource "services" in API ' +
        'group "" at the cluster scope',
    );
  }
  t.is((await askHttp1(https, { path: '/healthz' })).status, 200);
  t.is((await askHttp1(https, { path: '/metrics' })).status, 403);
});
