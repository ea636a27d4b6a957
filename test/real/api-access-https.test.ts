// Who asks, over TLS: certificates, tokens, nobody, and what is not believed.

import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createMetrics } from '../../common/runtime/metrics.ts';
import { createCa, issueClientCertificate } from '../../common/runtime/pki.ts';
import { startAccessApi } from '../support/access-api.ts';
import {
  asUser,
  askHttp1,
  listenForTest,
  token,
  type HttpsFixture,
} from '../support/https-fixture.ts';

async function start(
  t: ExecutionContext,
  more: NonNullable<Parameters<typeof startAccessApi>[0]>['more'] = {},
): Promise<HttpsFixture> {
  const access = await startAccessApi({ more });
  const https = await listenForTest(access.api);
  t.teardown(async () => {
    await https.listener.close();
    await access.close();
  });
  return https;
}

const asAdmin = { authorization: `Bearer ${token}` } as const;
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

// The text format of Prometheus: comments, and samples of a name, labels, a number.
const sample =
  /^[a-zA-Z_:][\w:]*(\{(\w+="([^"\\\n]|\\["\\n])*",?)*\})? [-+]?(\d[\d.e+-]*|Inf|NaN)( \d+)?$/;
const comment = /^# (HELP [\w:]+ .*|TYPE [\w:]+ (counter|gauge|histogram|summary|untyped))$/;

test('[k8s 15] /metrics is for who may read it, and every line is Prometheus text', async (t) => {
  const https = await start(t, {
    metrics: createMetrics({ withProcess: true, clock: systemClock }),
  });
  const plain = await askHttp1(https, { path: '/metrics', headers: asUser });
  t.is(plain.status, 403);
  await askHttp1(https, { path: '/api/v1/services', headers: asAdmin });
  const answer = await askHttp1(https, { path: '/metrics', headers: asAdmin });
  t.is(answer.status, 200);
  t.regex(answer.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
  const lines = answer.body.toString('utf8').split('\n');
  const odd = lines.filter((line) => line !== '' && !sample.test(line) && !comment.test(line));
  t.deepEqual(odd, []);
  t.true(lines.some((line) => line.startsWith('apiserver_request_total{')));
});
