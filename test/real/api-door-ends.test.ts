// Connections that end together: what ends with them is ended over many turns of the event loop.

import { once } from 'node:events';
import {
  connect,
  type ClientHttp2Session,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';
import { TurnTime } from '../../common/runtime/turn-time.ts';
import { destroyInTurn, watchConnections } from '../../coordinator/api/https/door/connections.ts';
import { createServer } from '../../coordinator/api/https/door/server.ts';
import { defaultHttpsLimits } from '../../coordinator/api/https/https.ts';
import { eventually } from '../support/eventually.ts';

const waitMs = 10_000;

interface Server {
  /** What it says on each stream. */
  readonly bytes: number;
  /** Connections are served a turn after their handshakes, as when many come at once. */
  readonly isLate: boolean;
}

/** A server whose ends wait in `acts` until the test does them. */
async function start(t: ExecutionContext, { bytes, isLate }: Server) {
  const common = { validDays: 1, clock: systemClock };
  const ca = await createCa({ ...common, commonName: 'test CA' });
  const { certPem, keyPem } = await issueServerCertificate({
    ...common,
    ca,
    commonName: 'test server',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
  });
  const server = createServer({ certPem, keyPem, clientCaPem: ca.certPem }, 60_000);
  if (isLate) serveLate(server);
  const acts: (() => void)[] = [];
  const counts = { opened: 0, left: 0 };
  watchConnections(server, defaultHttpsLimits, {
    clock: systemClock,
    soon: (act) => void acts.push(act),
    openShare: { time: new TurnTime(systemClock), untilMs: 2 },
    onFault: () => undefined,
    onCount: (kind) => void (counts[kind] += 1),
  });
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream) => {
    streams.push(stream);
    stream.on('error', () => undefined);
    destroyInTurn(stream, (act) => void acts.push(act));
    stream.respond({ ':status': 200 });
    if (bytes > 0) stream.write(Buffer.alloc(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.teardown(() => {
    for (const act of acts.splice(0)) act();
    for (const session of sessions) session.destroy();
    server.close();
  });
  return {
    acts,
    counts,
    sessions,
    openStreams: () => streams.filter(({ closed }) => !closed).length,
    port,
    caPem: ca.certPem,
  };
}

function serveLate(server: Http2SecureServer): void {
  const serve = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket) => {
    systemClock.soon(() => serve.forEach((each) => each.call(server, socket)));
  });
}

type Fixture = Awaited<ReturnType<typeof start>>;

interface Client {
  readonly tcp: Socket;
  readonly session: ClientHttp2Session;
}

async function dial({ port, caPem }: Fixture, watches: number): Promise<Client> {
  const tcp = connectTcp(port, '127.0.0.1');
  const socket = connectTls({
    socket: tcp,
    ca: caPem,
    ALPNProtocols: ['h2'],
    servername: 'localhost',
  });
  await once(socket, 'secureConnect');
  const session = connect(`https://127.0.0.1:${port}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  for (let count = 0; count < watches; count += 1) {
    const stream = session.request({ ':path': '/' }, { endStream: true });
    stream.on('error', () => undefined);
    await once(stream, 'response');
  }
  return { tcp, session };
}

/** Does what is put off, one by one, and all that follows of itself from each. */
async function endOneByOne(fixture: Fixture, onEach: () => void): Promise<number> {
  let done = 0;
  const isOver = (): boolean => fixture.counts.left === fixture.counts.opened;
  for (;;) {
    await eventually(waitMs, async () =>
      fixture.acts.length > 0 || isOver() ? [] : ['nothing ends'],
    );
    const act = fixture.acts.shift();
    if (act === undefined) return done;
    done += 1;
    act();
    for (let turn = 0; turn < 4; turn += 1) {
      await new Promise((resolve) => systemClock.soon(() => resolve(undefined)));
    }
    onEach();
  }
}

const destroy = ({ tcp }: Client): unknown => tcp.destroy();

const plain: Server = { bytes: 0, isLate: false };

for (const [how, leave, connections, settings] of [
  ['that end', destroy, 2, plain],
  ['that are reset', ({ tcp }: Client) => tcp.resetAndDestroy(), 2, plain],
  ['that are many', destroy, 10, plain],
  ['that were served late', destroy, 2, { ...plain, isLate: true }],
  ['whose clients did not read', destroy, 2, { ...plain, bytes: 1 << 18 }],
] as const) {
  test(`C1 the streams of connections ${how} are ended one by one, and then those`, async (t) => {
    const fixture = await start(t, settings);
    const clients: Client[] = [];
    while (clients.length < connections) clients.push(await dial(fixture, 30));
    const watches = 30 * connections;
    t.is(fixture.openStreams(), watches);
    for (const client of clients) leave(client);
    await eventually(waitMs, async () => (fixture.acts.length > 2 ? [] : ['it does not end']));
    t.is(fixture.openStreams(), watches, 'nothing ends before its turn');
    let before = watches;
    let atOnceMax = 0;
    const done = await endOneByOne(fixture, () => {
      atOnceMax = Math.max(atOnceMax, before - fixture.openStreams());
      before = fixture.openStreams();
    });
    t.is(fixture.openStreams(), 0);
    t.true(atOnceMax <= 1, `${atOnceMax} streams ended in one turn`);
    t.true(done > watches, `${done} turns`);
    t.deepEqual(fixture.counts, { opened: connections, left: connections });
  });
}

test('C1 clients that say GOAWAY together are let go over many turns', async (t) => {
  const fixture = await start(t, plain);
  const clients: Client[] = [];
  for (let count = 0; count < 20; count += 1) clients.push(await dial(fixture, 0));
  await eventually(waitMs, async () => (fixture.counts.opened === 20 ? [] : ['not all are there']));
  for (const { session } of clients) session.destroy(); // GOAWAY, then the end of the connection
  await eventually(waitMs, async () => (fixture.acts.length >= 20 ? [] : ['nothing ends']));
  t.is(fixture.counts.left, 0, 'nobody is let go before his turn');
  let before = 0;
  let atOnceMax = 0;
  await endOneByOne(fixture, () => {
    atOnceMax = Math.max(atOnceMax, fixture.counts.left - before);
    before = fixture.counts.left;
  });
  t.deepEqual(fixture.counts, { opened: 20, left: 20 });
  t.true(atOnceMax <= 1, `${atOnceMax} connections ended in one turn`);
});
