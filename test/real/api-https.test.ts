import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createCa, issueClientCertificate } from '../../common/runtime/pki.ts';
import { authorizeMasters } from '../../coordinator/api/machinery/access/authorizer.ts';
import { startFederationApi } from '../support/federation-api.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { gadgetKind } from '../support/api-kinds.ts';
import {
  askHttp1,
  askHttp2,
  listenForTest,
  openHttp2,
  token,
  type HttpsFixture,
} from '../support/https-fixture.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';

async function start(t: {
  teardown(run: () => Promise<void>): void;
}): Promise<HttpsFixture & { readonly fixture: ApiFixture }> {
  const fixture = await createApiFixture({ authorize: authorizeMasters });
  const https = await listenForTest(fixture.api, { bodyBytesMax: 100_000 });
  t.teardown(() => https.listener.close());
  return { ...https, fixture };
}

test('a client certificate names the user and the groups, over both protocols', async (t) => {
  const https = await start(t);
  const one = await askHttp1(https, { path: gadgets, client: https.admin });
  t.is(one.status, 200);
  t.truthy(one.headers['audit-id']);
  t.is(one.headers['cache-control'], 'no-cache, private');
  const session = openHttp2(https);
  t.teardown(() => session.destroy());
  const two = await askHttp2(session, { path: gadgets, headers: { 'audit-id': 'mine' } });
  t.is(two.status, 200);
  t.is(two.headers['audit-id'], 'mine');
});

test('a token names its user; a wrong one is 401; none is anonymous', async (t) => {
  const https = await start(t);
  const ask = async (headers: Readonly<Record<string, string>>, path = gadgets) => {
    const answer = await askHttp1(https, { path, headers });
    return {
      status: answer.status,
      json: JSON.parse(answer.body.toString('utf8')) as { message: string },
    };
  };
  t.is((await ask({ authorization: `Bearer ${token}` })).status, 200);
  const wrong = await ask({ authorization: 'Bearer guess' });
  t.is(wrong.status, 401);
  t.is(wrong.json.message, 'Unauthorized');
  const anonymous = await ask({});
  t.is(anonymous.status, 403);
  t.regex(anonymous.json.message, /User "system:anonymous" cannot list resource "gadgets"/);
  t.is((await ask({}, '/version')).status, 200);
});

test('a certificate of another CA is 401', async (t) => {
  const https = await start(t);
  const common = { validDays: 1, clock: systemClock };
  const ca = await createCa({ ...common, commonName: 'somebody' });
  const client = await issueClientCertificate({
    ...common,
    ca,
    commonName: 'admin',
    organizations: ['system:masters'],
  });
  t.is((await askHttp1(https, { path: gadgets, client })).status, 401);
});

test('H2 a body over the limit is 413 and the port goes on', async (t) => {
  const https = await start(t);
  const body = Buffer.alloc(100_001, 0x20);
  const headers = { 'content-type': 'application/json' };
  const large = await askHttp1(https, {
    method: 'POST',
    path: gadgets,
    body,
    headers,
    client: https.admin,
  });
  t.is(large.status, 413);
  t.regex(large.body.toString('utf8'), /Request entity too large: limit is 100000/);
  const session = openHttp2(https);
  t.teardown(() => session.destroy());
  t.is((await askHttp2(session, { method: 'POST', path: gadgets, body, headers })).status, 413);
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
});

test('H1 garbage on the port is counted and hurts nobody', async (t) => {
  const https = await start(t);
  const plain = connectTcp(https.listener.port, '127.0.0.1');
  plain.on('error', () => undefined);
  plain.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  plain.resume();
  await once(plain, 'close');
  const bad = connectTls({
    port: https.listener.port,
    host: '127.0.0.1',
    ca: https.ca.certPem,
    ALPNProtocols: ['http/1.1'],
  });
  bad.on('error', () => undefined);
  await once(bad, 'secureConnect');
  bad.write('\u0000\u0001 not http at all\r\n\r\n');
  bad.resume();
  await once(bad, 'close');
  const rude = connectTls({
    port: https.listener.port,
    host: '127.0.0.1',
    ca: https.ca.certPem,
    ALPNProtocols: ['h2'],
  });
  rude.on('error', () => undefined);
  await once(rude, 'secureConnect');
  rude.write(Buffer.alloc(4096, 0xff));
  rude.resume();
  await once(rude, 'close');
  t.true((https.faults.get('tls') ?? 0) >= 1);
  t.true((https.faults.get('http') ?? 0) >= 1);
  t.is((await askHttp1(https, { path: gadgets, client: https.admin })).status, 200);
});

test('[k8s 47] a long answer is compressed for who accepts it, a short one is not', async (t) => {
  const https = await start(t);
  const notes = { long: 'x'.repeat(200_000) };
  await https.fixture.put(gadgetKind, {
    metadata: { name: 'long', namespace: 'default', annotations: notes },
  });
  const headers = { 'accept-encoding': 'gzip' };
  const long = await askHttp1(https, { path: `${gadgets}/long`, headers, client: https.admin });
  t.is(long.headers['content-encoding'], 'gzip');
  t.regex(gunzipSync(long.body).toString('utf8'), /"name":"long"/);
  const picky = { 'accept-encoding': 'gzip;q=0' };
  const plain = await askHttp1(https, {
    path: `${gadgets}/long`,
    headers: picky,
    client: https.admin,
  });
  t.is(plain.headers['content-encoding'], undefined);
  const short = await askHttp1(https, { path: '/version', headers });
  t.is(short.headers['content-encoding'], undefined);
});

test('OpenAPI v2 is compressed, and caches keep its forms and encodings apart', async (t) => {
  const federation = await startFederationApi();
  t.teardown(() => federation.close());
  const { https } = federation;
  const headers = { 'accept-encoding': 'gzip' };
  const got = await askHttp1(https, { path: '/openapi/v2', headers, client: https.admin });
  t.is(got.headers['content-encoding'], 'gzip');
  t.is(got.headers['vary'], 'Accept, Accept-Encoding');
  t.regex(gunzipSync(got.body).toString('utf8'), /^\{"swagger":"2\.0"/);
});

test('[k8s 64] H3 a watch streams at once, and closing the port ends it cleanly', async (t) => {
  const fixture = await createApiFixture({ authorize: authorizeMasters });
  const https = await listenForTest(fixture.api);
  const session = openHttp2(https);
  const stream = session.request({ ':path': `${gadgets}?watch=1` });
  const [head] = (await once(stream, 'response')) as [{ ':status'?: number }];
  t.is(head[':status'], 200);
  await fixture.put(gadgetKind, { metadata: { name: 'a', namespace: 'default' } });
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  t.regex(chunk.toString('utf8'), /^\{"type":"ADDED","object":\{.*"name":"a".*\}\}\n$/);
  const ended = once(stream, 'end');
  stream.resume();
  await https.listener.close();
  await ended;
  t.is(stream.rstCode, 0);
  session.destroy();
});

test('[k8s 68] a watcher over the network that never reads is cut off while another sees everything', async (t) => {
  const https = await start(t);
  const slow = openHttp2(https);
  const quick = openHttp2(https);
  t.teardown(() => {
    slow.destroy();
    quick.destroy();
  });
  const asleep = slow.request({ ':path': `${gadgets}?watch=1` });
  await once(asleep, 'response');
  asleep.pause();
  const awake = quick.request({ ':path': `${gadgets}?watch=1` });
  await once(awake, 'response');
  const seen: string[] = [];
  let text = '';
  awake.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    seen.push(...lines);
  });
  const rounds = 60;
  for (let round = 0; round < rounds; round += 1) {
    const annotations = { round: String(round), big: 'x'.repeat(200_000) };
    await https.fixture.put(gadgetKind, {
      metadata: { name: 'a', namespace: 'default', annotations },
    });
    while (seen.length <= round) await once(awake, 'data');
  }
  t.is(seen.length, rounds);
  let slowBytes = 0;
  asleep.on('data', (chunk: Buffer) => {
    slowBytes += chunk.length;
  });
  asleep.resume();
  await once(asleep, 'end');
  t.true(slowBytes < rounds * 200_000);
});

test('H2 requests over the bound are 429 with a time to come back', async (t) => {
  const fixture = await createApiFixture({ authorize: authorizeMasters });
  const https = await listenForTest(fixture.api, { requestsMax: 1 });
  t.teardown(() => https.listener.close());
  const session = openHttp2(https);
  t.teardown(() => session.destroy());
  const unread = session.request({ ':path': gadgets, ':method': 'POST' }); // its body never ends
  unread.write('{');
  const busy = await askHttp2(session, { path: gadgets });
  t.is(busy.status, 429);
  t.is(busy.headers['retry-after'], '1');
  unread.close();
});
