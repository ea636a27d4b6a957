// The API's door over real sockets: who waits for a handshake, what a session that is resumed is
// worth, and floods of streams that are opened only to be reset.

import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { createCa, issueClientCertificate } from '../../common/runtime/pki.ts';
import { handshakeBounds } from '../../coordinator/api/https/door-messages.ts';
import { authorizeMasters } from '../../coordinator/api/machinery/access/authorizer.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { eventually } from '../support/eventually.ts';
import {
  askHttp1,
  askHttp2,
  listenForTest,
  openHttp2,
  type HttpsFixture,
} from '../support/https-fixture.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const waitMs = 10_000;

async function start(t: ExecutionContext, clock: Clock = systemClock): Promise<HttpsFixture> {
  const fixture = await createApiFixture({ authorize: authorizeMasters });
  const https = await listenForTest(fixture.api, {}, clock);
  t.teardown(() => https.listener.close());
  return https;
}

function open(t: ExecutionContext, session: ClientHttp2Session): ClientHttp2Session {
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  return session;
}

/** The first message of a TLS client. */
async function recordHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    connectTls({ socket, ALPNProtocols: ['h2'] }).on('error', () => undefined);
  });
}

interface Crowd {
  readonly sockets: readonly Socket[];
  answered(): number;
  closed(): number;
}

/** Connections from an address of their own, which say `hello` and then no more. */
function gather(
  t: ExecutionContext,
  { listener }: HttpsFixture,
  { count, hello }: { readonly count: number; readonly hello: Buffer },
): Crowd {
  const [answered, closed] = [new Set<Socket>(), new Set<Socket>()];
  const sockets = Array.from({ length: count }, () => {
    const to = { host: '127.0.0.1', localAddress: '127.0.0.2', port: listener.port };
    const socket = connectTcp(to);
    socket.on('error', () => undefined);
    socket.on('data', () => answered.add(socket));
    socket.on('close', () => closed.add(socket));
    t.teardown(() => socket.destroy());
    socket.write(hello);
    return socket;
  });
  return { sockets, answered: () => answered.size, closed: () => closed.size };
}

/** Time, but nobody’s patience ends; the moment in which a handshake is fresh does. */
function createPatientClock() {
  const withheld = { patience: 0 };
  const { patienceMs, ownPatienceMs } = handshakeBounds;
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, run) => {
      const isPatience = delayMs > patienceMs / 2 && delayMs <= ownPatienceMs;
      if (!isPatience) return systemClock.after(delayMs, run);
      withheld.patience += 1;
      return { cancel: () => undefined };
    },
  };
  return { clock, withheld };
}

test('D2 of many clients that stop in the middle of a handshake, few are taken up', async (t) => {
  const { clock, withheld } = createPatientClock();
  const https = await start(t, clock);
  const { atOnce } = handshakeBounds;
  const crowd = gather(t, https, { count: atOnce + 5, hello: await recordHello() });
  await eventually(waitMs, async () => {
    const { connections } = https.listener.open();
    const isFull = crowd.answered() === atOnce && connections === atOnce + 5;
    return isFull && withheld.patience > 0
      ? []
      : [`${crowd.answered()} of ${connections} are answered`];
  });
  t.is(crowd.closed(), 0);
});

test('D3, D4 a crowd that stops in the middle keeps nobody out, and is closed', async (t) => {
  const https = await start(t);
  const count = handshakeBounds.atOnce * 3;
  const crowd = gather(t, https, { count, hello: await recordHello() });
  await eventually(waitMs, async () =>
    crowd.answered() >= handshakeBounds.atOnce ? [] : ['they have no places yet'],
  );
  const session = open(t, openHttp2(https));
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
  t.true(crowd.closed() < count, 'he was served before all of them');
  t.true((https.faults.get('handshake') ?? 0) > 0);
});

test('D5 who leaves while he waits for his turn is forgotten, and has none', async (t) => {
  const { clock } = createPatientClock();
  const https = await start(t, clock);
  const hello = await recordHello();
  const { atOnce } = handshakeBounds;
  const slow = gather(t, https, { count: atOnce, hello });
  await eventually(waitMs, async () => (slow.answered() === atOnce ? [] : ['places are free']));
  const waiting = gather(t, https, { count: 40, hello });
  await eventually(waitMs, async () =>
    https.listener.open().connections === atOnce + 40 ? [] : ['not all are there'],
  );
  for (const socket of waiting.sockets) socket.end(); // without a reset
  await eventually(waitMs, async () => {
    const { connections } = https.listener.open();
    return connections === atOnce ? [] : [`${connections} connections`];
  });
  t.is(waiting.answered(), 0);
  t.is(slow.closed(), 0);
});

test('D1 who says nothing takes no place', async (t) => {
  const https = await start(t);
  const crowd = gather(t, https, { count: 100, hello: Buffer.alloc(0) });
  await eventually(waitMs, async () =>
    https.listener.open().connections === 100 ? [] : ['not all are there'],
  );
  t.is((await askHttp2(open(t, openHttp2(https)), { path: gadgets })).status, 200);
  t.is((await askHttp1(https, { path: '/healthz' })).status, 200);
  t.is(crowd.closed(), 0);
});

test('a client that leaves before its handshake leaves nothing', async (t) => {
  const https = await start(t);
  const hello = await recordHello();
  for (const said of [Buffer.alloc(0), hello.subarray(0, 20), hello]) {
    const crowd = gather(t, https, { count: 5, hello: said });
    await eventually(waitMs, async () =>
      https.listener.open().connections === 5 ? [] : ['not all are there'],
    );
    for (const socket of crowd.sockets) socket.end();
    await eventually(waitMs, async () =>
      https.listener.open().connections === 0 ? [] : ['some are left'],
    );
  }
  t.pass();
});

interface Resumable {
  readonly https: HttpsFixture;
  readonly options: ConnectionOptions;
}

/** A connection, and the answer to a request on it; with what it takes to resume it. */
async function ask({ https, options }: Resumable, ticket?: Buffer) {
  const socket: TLSSocket = connectTls({
    port: https.listener.port,
    host: '127.0.0.1',
    ca: https.ca.certPem,
    ALPNProtocols: ['h2'],
    ...options,
    ...(ticket === undefined ? {} : { session: ticket }),
  });
  const given = once(socket, 'session') as Promise<[Buffer]>;
  const session = connectHttp2(https.listener.url, { createConnection: () => socket });
  const { status } = await askHttp2(session, { path: gadgets });
  const isResumed = socket.isSessionReused();
  const next = isResumed ? undefined : (await given)[0];
  session.destroy();
  return { status, isResumed, ticket: next };
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`[k8s 117] a resumed session has the identity of the first (${maxVersion})`, async (t) => {
    const https = await start(t);
    const { certPem: cert, keyPem: key } = https.admin;
    const first = await ask({ https, options: { cert, key, maxVersion } });
    t.like(first, { status: 200, isResumed: false });
    // Whoever holds the session need not show the certificate again, and nobody else can have it.
    const next = await ask({ https, options: { maxVersion } }, first.ticket);
    t.deepEqual(next, { status: 200, isResumed: true, ticket: undefined });
  });

  test(`a stranger’s resumed session makes him nobody else (${maxVersion})`, async (t) => {
    const https = await start(t);
    const first = await ask({ https, options: { maxVersion } });
    t.is(first.status, 403);
    t.deepEqual(await ask({ https, options: { maxVersion } }, first.ticket), {
      status: 403,
      isResumed: true,
      ticket: undefined,
    });
  });

  test(`a certificate of a foreign issuer stays refused when resumed (${maxVersion})`, async (t) => {
    const https = await start(t);
    const { certPem: cert, keyPem: key } = await issueByOther();
    const first = await ask({ https, options: { cert, key, maxVersion } });
    t.is(first.status, 401);
    const next = await ask({ https, options: { cert, key, maxVersion } }, first.ticket);
    t.is(next.status, 401);
  });

  test(`[k8s 117] a ticket does not outlive its certificate (${maxVersion})`, async (t) => {
    let aheadMs = 0;
    const https = await start(t, { ...systemClock, now: () => systemClock.now() + aheadMs });
    const { certPem: cert, keyPem: key } = https.admin;
    const first = await ask({ https, options: { cert, key, maxVersion } });
    t.is(first.status, 200);
    aheadMs = 86_400_001;
    t.is((await ask({ https, options: { cert, key, maxVersion } }, first.ticket)).status, 401);
  });

  test(`a ticket does not outlive the issuer’s being trusted (${maxVersion})`, async (t) => {
    const https = await start(t);
    const { certPem: cert, keyPem: key } = https.admin;
    const first = await ask({ https, options: { cert, key, maxVersion } });
    t.is(first.status, 200);
    const other = await createCa({ commonName: 'other CA', validDays: 1, clock: systemClock });
    await https.listener.setTls({ ...https.server, clientCaPem: other.certPem });
    t.deepEqual(
      { ...(await ask({ https, options: { cert, key, maxVersion } }, first.ticket)), ticket: 0 },
      { status: 401, isResumed: false, ticket: 0 },
    );
  });
}

test('who connected while his issuer was trusted, and asks when it is no more, is not let in', async (t) => {
  let aheadMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
  const https = await start(t, clock);
  const session = open(t, openHttp2(https));
  await once(session, 'connect');
  await eventually(waitMs, async () =>
    https.listener.open().connections === 1 ? [] : ['he is not there yet'],
  );
  const other = await createCa({ commonName: 'other CA', validDays: 1, clock: systemClock });
  await https.listener.setTls({ ...https.server, clientCaPem: other.certPem });
  aheadMs = 60_000; // no handshake of then is under way
  t.is((await askHttp2(session, { path: gadgets })).status, 401);
});

async function issueByOther() {
  const common = { validDays: 1, clock: systemClock };
  const ca = await createCa({ ...common, commonName: 'other CA' });
  const organizations = ['system:masters'];
  return issueClientCertificate({ ...common, ca, commonName: 'admin', organizations });
}

test('[k8s 123] streams opened only to be reset end their connection, and nobody else’s', async (t) => {
  const https = await start(t);
  const session = open(t, openHttp2(https));
  await once(session, 'connect');
  let isOpen = true;
  session.once('close', () => (isOpen = false));
  let sent = 0;
  while (isOpen && sent < 20_000) {
    const streams = Array.from({ length: 100 }, () => {
      const stream = session.request({ ':path': `${gadgets}?watch=1` });
      return stream.on('error', () => undefined);
    });
    sent += streams.length;
    await nextTurn(); // the headers are out; else the reset would take them back
    for (const stream of streams) stream.close(8);
    await nextTurn();
    isOpen &&= !session.destroyed && !session.closed;
  }
  t.true(sent < 20_000, 'the server ended it');
  t.is((await askHttp2(open(t, openHttp2(https)), { path: gadgets })).status, 200);
  await eventually(waitMs, async () => {
    const { requests, watches } = https.listener.open();
    return requests + watches === 0 ? [] : [`${requests} requests and ${watches} watches are left`];
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => systemClock.soon(resolve));
}
