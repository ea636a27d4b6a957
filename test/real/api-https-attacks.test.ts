// What a stranger can do to the API's port with a few connections, and must not achieve by it.

import { once } from 'node:events';
import { connect as connectHttp2, constants as http2, type ClientHttp2Session } from 'node:http2';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { issueClientCertificate } from '../../common/runtime/pki.ts';
import type { HttpsLimits } from '../../coordinator/api/https/https.ts';
import { authorizeMasters } from '../../coordinator/api/machinery/access/authorizer.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { gadgetKind } from '../support/api-kinds.ts';
import { eventually } from '../support/eventually.ts';
import {
  askHttp1,
  askHttp2,
  asUser,
  listenForTest,
  openHttp2,
  openHttp2AsUser,
  type HttpsFixture,
} from '../support/https-fixture.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const waitMs = 10_000;

interface World {
  readonly fixture: ApiFixture;
  readonly https: HttpsFixture;
}

async function start(t: ExecutionContext, limits: Partial<HttpsLimits>): Promise<World> {
  const fixture = await createApiFixture({ authorize: authorizeMasters });
  const https = await listenForTest(fixture.api, { requestMs: 5_000, ...limits });
  t.teardown(() => https.listener.close());
  return { fixture, https };
}

function open(t: ExecutionContext, session: ClientHttp2Session): ClientHttp2Session {
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  return session;
}

/** A client that lets the server send it headers, and never a byte of a body. */
function openDeaf(t: ExecutionContext, { listener, ca }: HttpsFixture): ClientHttp2Session {
  const settings = { initialWindowSize: 0 };
  return open(t, connectHttp2(listener.url, { ca: ca.certPem, settings }));
}

async function send(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  endStream = true,
): Promise<number> {
  const stream = session.request(headers, { endStream });
  stream.on('error', () => undefined);
  const [head] = (await once(stream, 'response')) as [{ ':status'?: number }];
  return head[':status'] ?? 0;
}

async function untilIdle({ https }: World): Promise<void> {
  await eventually(waitMs, async () => {
    const { requests } = https.listener.open();
    return requests === 0 ? [] : [`${requests} requests are open`];
  });
}

const badToken = { authorization: 'Bearer wrong' };

test('[k8s 122] probes and refusals that nobody takes keep nobody out, and end', async (t) => {
  const world = await start(t, { requestsMax: 3, requestMs: 1_000 });
  const deaf = openDeaf(t, world.https);
  for (let count = 0; count < 4; count += 1) {
    t.is(await send(deaf, { ':path': '/version', ...badToken }), 401);
    t.is(await send(deaf, { ':path': '/healthz' }), 200);
  }
  const session = open(t, openHttp2(world.https));
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
  await untilIdle(world);
});

for (const path of [`${gadgets}?watch=FALSE`, `${gadgets}/big?watch=1`, '/version?watch=1']) {
  test(`[k8s 122] ${path} is no watch: it ends in time when nobody takes it`, async (t) => {
    const world = await start(t, { requestMs: 500 });
    const metadata = { name: 'big', namespace: 'default' };
    await world.fixture.put(gadgetKind, { metadata });
    t.is(await send(openDeaf(t, world.https), { ':path': path, ...bobs(path) }), 200);
    await untilIdle(world);
    t.is(world.https.listener.open().watches, 0);
  });
}

function bobs(path: string): Readonly<Record<string, string>> {
  return path.startsWith('/version') ? {} : { authorization: 'Bearer tell-nobody' };
}

test('[k8s 122] who does not take the refusal of a body that is too long is let go', async (t) => {
  const world = await start(t, { requestMs: 500 });
  const deaf = openDeaf(t, world.https);
  const headers = { ':method': 'POST', ':path': gadgets, 'content-length': String(64 << 20) };
  t.is(await send(deaf, { ...headers, authorization: 'Bearer tell-nobody' }, false), 413);
  await untilIdle(world);
  t.is(deaf.destroyed, false);
});

const resets = [
  { what: 'a watch', path: `${gadgets}?watch=1&resourceVersion=0` },
  { what: 'a list', path: gadgets },
  { what: 'an object', path: `${gadgets}/big` },
];

for (const { what, path } of resets) {
  for (const code of [http2.NGHTTP2_NO_ERROR, http2.NGHTTP2_CANCEL]) {
    test(`[k8s 125] who resets ${what} that he has not read leaves nothing (code ${code})`, async (t) => {
      const world = await start(t, { requestMs: 60_000 });
      await putBig(world, '1');
      const deaf = openDeaf(t, world.https);
      const stream = deaf.request({ ':path': path, authorization: 'Bearer tell-nobody' });
      stream.on('error', () => undefined);
      await once(stream, 'response');
      stream.close(code);
      await putBig(world, '2');
      await eventually(waitMs, async () => {
        const { requests, watches } = world.https.listener.open();
        return requests + watches === 0 ? [] : [`${requests} requests, ${watches} watches`];
      });
      t.is(deaf.destroyed, false);
    });
  }
}

async function putBig({ fixture }: World, version: string): Promise<void> {
  const annotations = { version, big: 'x'.repeat(1 << 20) };
  await fixture.put(gadgetKind, { metadata: { name: 'big', namespace: 'default', annotations } });
}

test('a stranger’s body is not waited for where he may do nothing', async (t) => {
  const { https } = await start(t, {});
  const session = open(t, openHttp2AsUser(https));
  const post = { ':path': gadgets, ':method': 'POST', 'content-type': 'application/json' };
  t.is(await send(session, post, false), 403);
  t.is(await send(session, { ...post, 'impersonate-user': 'root' }, false), 403);
});

test('[k8s 122] a probe with a body is held back as any other request', async (t) => {
  const world = await start(t, { writesMax: 1, userShare: 1, userQueueMax: 0 });
  const session = open(t, openHttp2AsUser(world.https));
  const stream = session.request(
    { ':path': '/healthz', ':method': 'POST', ...asUser },
    { endStream: false },
  );
  stream.on('error', () => undefined);
  await eventually(waitMs, async () =>
    world.https.listener.open().requests > 0 ? [] : ['the request has not arrived'],
  );
  const again = await send(session, { ':path': '/healthz', ':method': 'POST', ...asUser }, false);
  t.is(again, 429);
  t.is((await askHttp2(session, { path: '/healthz' })).body.toString(), 'ok');
});

test('a cluster is not the user of its name: who joins may choose one', async (t) => {
  const { https } = await start(t, {});
  const client = await issueClientCertificate({
    ca: https.ca,
    commonName: 'alice',
    organizations: ['isthmus:clusters'],
    validDays: 1,
    clock: systemClock,
  });
  const refused = await askHttp1(https, { path: gadgets, client });
  t.regex(refused.body.toString('utf8'), /User \\"isthmus:cluster:alice\\" cannot list/);
});

test('[k8s 117] a connection gives no rights beyond the end of its certificate', async (t) => {
  const fixture = await createApiFixture({ authorize: authorizeMasters });
  let aheadMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const https = await listenForTest(fixture.api, {}, clock);
  t.teardown(() => https.listener.close());
  const session = open(t, openHttp2(https));
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
  aheadMs = 86_400_001;
  t.is((await askHttp2(session, { path: gadgets })).status, 401);
});
