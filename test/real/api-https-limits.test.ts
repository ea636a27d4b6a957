// The bounds of the API's port over real sockets: seats, bodies, time, resets.

import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import type { HttpsLimits } from '../../coordinator/api/https/https.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { gadgetKind } from '../support/api-kinds.ts';
import { eventually } from '../support/eventually.ts';
import { createKubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';
import {
  askHttp1,
  askHttp2,
  asUser,
  listenForTest,
  openHttp2,
  openHttp2AsUser,
  userToken,
  type HttpsFixture,
} from '../support/https-fixture.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const json = { 'content-type': 'application/json' };
const waitMs = 10_000;

interface World {
  readonly fixture: ApiFixture;
  readonly https: HttpsFixture;
}

async function start(t: ExecutionContext, limits: Partial<HttpsLimits>): Promise<World> {
  const fixture = await createApiFixture();
  const https = await listenForTest(fixture.api, limits);
  t.teardown(() => https.listener.close());
  return { fixture, https };
}

function open(t: ExecutionContext, session: ClientHttp2Session): ClientHttp2Session {
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  return session;
}

/** A request whose body never ends: it holds its seat until it is closed. */
async function hold(session: ClientHttp2Session, world: World): Promise<ClientHttp2Stream> {
  const before = world.https.listener.open().requests;
  const stream = session.request({ ':path': gadgets, ...asUser }, { endStream: false });
  stream.on('error', () => undefined);
  await eventually(waitMs, async () =>
    world.https.listener.open().requests > before ? [] : ['the request has not arrived'],
  );
  return stream;
}

test('[k8s 122] a user at its share gets 429 and a time to come back; others are served', async (t) => {
  const world = await start(t, { readsMax: 2, userShare: 0.5, userQueueMax: 0 });
  const session = open(t, openHttp2AsUser(world.https));
  const held = await hold(session, world);
  const refused = await askHttp2(session, { path: gadgets, headers: asUser });
  t.is(refused.status, 429);
  t.is(refused.headers['retry-after'], '1');
  t.truthy(refused.headers['audit-id']);
  t.like(JSON.parse(refused.body.toString('utf8')), {
    reason: 'TooManyRequests',
    message: 'too many requests, please try again later',
    details: { retryAfterSeconds: 1 },
    code: 429,
  });
  const other = open(t, openHttp2(world.https));
  t.is((await askHttp2(other, { path: gadgets })).status, 200);
  t.is((await askHttp2(session, { path: '/healthz', headers: asUser })).body.toString(), 'ok');
  held.close();
  await eventually(waitMs, async () => {
    const again = await askHttp2(session, { path: gadgets, headers: asUser });
    return again.status === 200 ? [] : [`still ${again.status}`];
  });
});

testWith('kubectl')('[k8s 122] kubectl comes back after 429 and succeeds', async (t) => {
  const world = await start(t, { readsMax: 1, userShare: 1, userQueueMax: 0 });
  const session = open(t, openHttp2AsUser(world.https));
  const held = await hold(session, world);
  // Not the dispatcher of that name, which asks something of its own first.
  const path = findKubectls(['1.33']).found[0]?.path ?? 'kubectl';
  const kubectl = createKubectl(path, world.https);
  t.teardown(() => kubectl.remove());
  const certificate = kubectl.file('ca.crt', world.https.ca.certPem);
  const config = kubectl.file('none', '');
  const follower = kubectl.start(
    ['--server', world.https.listener.url, '--certificate-authority', certificate].concat([
      '--token',
      userToken,
      '--kubeconfig',
      config,
      '-v=8',
      'get',
      '--raw',
      gadgets,
    ]),
  );
  await follower.until(/429 Too Many Requests/);
  held.close();
  t.regex(await follower.until(/"kind":"GadgetList"/), /200 OK/);
});

test('[k8s 122] a watch that runs holds no seat', async (t) => {
  const world = await start(t, { readsMax: 1, userShare: 1, userQueueMax: 0 });
  const session = open(t, openHttp2AsUser(world.https));
  const watch = session.request({ ':path': `${gadgets}?watch=1`, ...asUser });
  await once(watch, 'response');
  t.is((await askHttp2(session, { path: gadgets, headers: asUser })).status, 200);
  t.deepEqual(world.https.listener.open().watches, 1);
});

test('[k8s 32] a body that is said to be too long is refused before it is sent, over HTTP/2', async (t) => {
  const { https } = await start(t, {});
  const session = open(t, openHttp2(https));
  const stream = session.request(
    { ':path': gadgets, ':method': 'POST', 'content-length': 3_145_729, ...json },
    { endStream: false },
  );
  stream.on('error', () => undefined);
  const [head] = (await once(stream, 'response')) as [{ ':status'?: number }];
  t.is(head[':status'], 413);
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  await once(stream, 'close');
  t.is(
    text,
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",' +
      '"message":"Request entity too large: limit is 3145728",' +
      '"reason":"RequestEntityTooLarge","code":413}',
  );
  t.is(stream.rstCode, 0);
});

test('[k8s 32] a body that turns out too long is refused, and the connection goes on', async (t) => {
  const { https } = await start(t, {});
  const session = open(t, openHttp2(https));
  const stream = session.request({ ':path': gadgets, ':method': 'POST', ...json });
  stream.on('error', () => undefined);
  const answered = once(stream, 'response') as Promise<[{ ':status'?: number }]>;
  stream.write(Buffer.alloc(3_145_728, 0x20));
  stream.write(Buffer.alloc(1, 0x20));
  t.is((await answered)[0][':status'], 413);
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
});

test('[k8s 32] over HTTP/1.1 the answer does not wait for the body', async (t) => {
  const { https } = await start(t, {});
  const { listener, ca, admin } = https;
  const socket = connectTls({
    port: listener.port,
    host: '127.0.0.1',
    ca: ca.certPem,
    cert: admin.certPem,
    key: admin.keyPem,
    ALPNProtocols: ['http/1.1'],
  });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.write(`POST ${gadgets} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n{`);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  await once(socket, 'end');
  t.regex(text, /^HTTP\/1\.1 413 /);
  t.regex(text, /\r\nconnection: close\r\n/i);
  t.regex(text, /Request entity too large: limit is 3145728/);
});

test('a body of exactly the limit is read', async (t) => {
  const { https } = await start(t, {});
  const session = open(t, openHttp2(https));
  const body = Buffer.alloc(3 << 20, 0x20);
  const answer = await askHttp2(session, { path: gadgets, method: 'POST', headers: json, body });
  t.is(answer.status, 400); // all blanks, but read
});

test('a body that comes too slowly is 504 in kube-apiserver’s words', async (t) => {
  const world = await start(t, { requestMs: 60 });
  const session = open(t, openHttp2(world.https));
  const stream = session.request({ ':path': gadgets, ':method': 'POST', ...json });
  stream.on('error', () => undefined);
  stream.write('{');
  const [head] = (await once(stream, 'response')) as [{ ':status'?: number }];
  t.is(head[':status'], 504);
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  t.like(JSON.parse(chunk.toString('utf8')), {
    reason: 'Timeout',
    message: 'Timeout: request did not complete within the allotted timeout',
    details: {},
  });
  await eventually(waitMs, async () =>
    world.https.listener.open().requests === 0 ? [] : ['the request is still open'],
  );
});

test('?timeout= shortens the time, and a bad one is 400', async (t) => {
  const { https } = await start(t, {});
  const session = open(t, openHttp2(https));
  const stream = session.request({
    ':path': `${gadgets}?timeout=50ms`,
    ':method': 'POST',
    ...json,
  });
  stream.on('error', () => undefined);
  stream.write('{');
  const [head] = (await once(stream, 'response')) as [{ ':status'?: number }];
  t.is(head[':status'], 504);
  const bad = await askHttp2(session, { path: `${gadgets}?timeout=abc` });
  t.is(bad.status, 400);
  t.regex(bad.body.toString('utf8'), /invalid timeout specified in the request URL - time: inva/);
});

test('a client that does not take its answer is broken off when its time is up', async (t) => {
  const world = await start(t, { requestMs: 400 });
  await world.fixture.put(gadgetKind, {
    metadata: { name: 'big', namespace: 'default', annotations: { x: 'x'.repeat(4 << 20) } },
  });
  const session = open(t, openHttp2(world.https));
  const stream = session.request({ ':path': `${gadgets}/big` });
  stream.on('error', () => undefined);
  await once(stream, 'response');
  stream.pause();
  await eventually(waitMs, async () =>
    world.https.listener.open().requests === 0 ? [] : ['the answer still waits'],
  );
  t.is((await askHttp2(session, { path: '/healthz' })).status, 200);
});

test('headers beyond their bound are refused, over both protocols', async (t) => {
  const { https } = await start(t, {});
  const headers = { 'x-long': 'x'.repeat(70_000) };
  const one = await askHttp1(https, { path: '/version', headers }).catch(() => undefined);
  t.true(one === undefined || one.status >= 400);
  const session = open(t, openHttp2(https));
  const two = await askHttp2(session, { path: '/version', headers }).catch(() => undefined);
  t.true(two === undefined || two.status >= 400 || two.status === 0);
  t.is((await askHttp1(https, { path: '/version' })).status, 200);
});
