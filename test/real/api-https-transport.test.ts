// The API's connections over real sockets: streams, signs of life, certificates, ends.

import { once } from 'node:events';
import type { ClientHttp2Session, Settings } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { issueServerCertificate } from '../../common/runtime/pki.ts';
import type { HttpsLimits } from '../../coordinator/api/https/https.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { askHttp2, listenForTest, openHttp2, type HttpsFixture } from '../support/https-fixture.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const waitMs = 10_000;

async function start(
  t: ExecutionContext,
  limits: Partial<HttpsLimits> = {},
  clock: Clock = systemClock,
): Promise<HttpsFixture> {
  const fixture = await createApiFixture();
  const https = await listenForTest(fixture.api, limits, clock);
  t.teardown(() => https.listener.close());
  return https;
}

function open(t: ExecutionContext, https: HttpsFixture): ClientHttp2Session {
  const session = openHttp2(https);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  return session;
}

function dial({ listener, ca, admin }: HttpsFixture, more: object = {}): TLSSocket {
  const socket = connectTls({
    port: listener.port,
    host: '127.0.0.1',
    ca: ca.certPem,
    cert: admin.certPem,
    key: admin.keyPem,
    ALPNProtocols: ['h2'],
    ...more,
  });
  socket.on('error', () => undefined);
  return socket;
}

test('[k8s 123] a connection carries 100 streams, as kube-apiserver’s', async (t) => {
  const session = open(t, await start(t));
  const [settings] = (await once(session, 'remoteSettings')) as [Settings];
  t.is(settings.maxConcurrentStreams, 100);
});

test('[k8s 123] closing says GOAWAY, and lets what runs end', async (t) => {
  const https = await start(t);
  const session = open(t, https);
  const stream = session.request({
    ':path': gadgets,
    ':method': 'POST',
    'content-type': 'application/json',
  });
  stream.write('{"metadata":{"name":');
  await eventually(waitMs, async () =>
    https.listener.open().requests === 1 ? [] : ['the request has not arrived'],
  );
  const goaway = once(session, 'goaway');
  const closed = https.listener.close();
  t.is((await goaway)[0], 0);
  const answered = once(stream, 'response') as Promise<[{ ':status'?: number }]>;
  stream.end('"late"}}');
  t.is((await answered)[0][':status'], 201);
  stream.resume();
  await closed;
});

test('[k8s 123] a silent session that gives no sign of life is closed', async (t) => {
  const socket = dial(await start(t, { pingAfterMs: 50 }));
  await once(socket, 'secureConnect');
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])); // SETTINGS, and nothing more
  socket.resume();
  await once(socket, 'close');
  t.pass();
});

test('[k8s 123] a session without streams is closed after a while', async (t) => {
  const session = open(t, await start(t, { pingAfterMs: 30, idleMs: 60 }));
  await once(session, 'close');
  t.pass();
});

test('[k8s 123] a new certificate is for new connections; those that stand go on', async (t) => {
  const https = await start(t);
  const session = open(t, https);
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
  const next = await issueServerCertificate({
    ca: https.ca,
    commonName: 'renewed',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    validDays: 1,
    clock: systemClock,
  });
  await https.listener.setTls({ ...next, clientCaPem: https.ca.certPem });
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
  const socket = dial(https);
  await once(socket, 'secureConnect');
  t.is(socket.getPeerCertificate().subject.CN, 'renewed');
  socket.destroy();
  t.throws(() => https.listener.setTls({ ...next, keyPem: https.admin.keyPem, clientCaPem: '' }));
});

test('[k8s 123] TLS 1.1 is refused, 1.2 is not', async (t) => {
  const https = await start(t);
  // At its usual level a newer OpenSSL offers no TLS 1.1 at all.
  const ciphers = 'DEFAULT@SECLEVEL=0';
  const old = dial(https, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers });
  const refused = once(old, 'secureConnect');
  await t.throwsAsync(refused, { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  const fine = dial(https, { maxVersion: 'TLSv1.2' });
  await once(fine, 'secureConnect');
  t.is(fine.getProtocol(), 'TLSv1.2');
  fine.destroy();
});

test('[k8s 125] clients that vanish in the middle of their watches leave nothing', async (t) => {
  const https = await start(t);
  const sessions = [0, 1, 2].map(() => open(t, https));
  for (const session of sessions) {
    for (let count = 0; count < 20; count += 1) {
      const stream = session.request({ ':path': `${gadgets}?watch=1` });
      stream.on('error', () => undefined);
      await once(stream, 'response');
    }
  }
  t.is(https.listener.open().watches, 60);
  for (const session of sessions) session.destroy();
  await eventually(waitMs, async () => {
    const { watches, requests, connections } = https.listener.open();
    return watches + requests + connections === 0 ? [] : [`${watches} watches are left`];
  });
  t.pass();
});

test('a hundred clients that come at once are all served', async (t) => {
  const https = await start(t);
  const sessions = Array.from({ length: 100 }, () => open(t, https));
  const answers = await Promise.all(
    sessions.map((session) => askHttp2(session, { path: gadgets })),
  );
  t.true(answers.every(({ status }) => status === 200));
});
