// The TCP side of a DNS server over real sockets, with timers that move when told to.

import { connect, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { listenDns, type DnsIncident } from '../../common/runtime/dns-sockets.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { eventually } from '../support/eventually.ts';
import { nginxGlobal } from '../support/dns-fixtures.ts';
import { ask, openServer, read } from '../support/dns/zone-messages.ts';
import { frame, zoneHost } from '../support/dns/zone-world.ts';

async function open(t: ExecutionContext) {
  const { server } = openServer();
  const clock = createManualClock();
  const incidents: DnsIncident[] = [];
  const answered = { count: 0 };
  const sockets = await listenDns({
    host: zoneHost,
    port: 0,
    clock,
    onIncident: (incident) => void incidents.push(incident),
    answer: (request, transport, from) => {
      answered.count += 1;
      return server.answer(request, transport, from);
    },
  });
  t.teardown(() => sockets.close());
  return { clock, incidents, answered, port: sockets.port };
}

class Client {
  readonly socket: Socket;
  readonly replies: Buffer[] = [];
  isClosed = false;
  #waiting = Buffer.alloc(0);

  constructor(port: number, localAddress = zoneHost) {
    this.socket = connect({ port, host: zoneHost, localAddress });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.isClosed = true));
    this.socket.on('data', (chunk: Buffer) => {
      this.#waiting = Buffer.concat([this.#waiting, chunk]);
      while (this.#waiting.length >= 2) {
        const end = 2 + this.#waiting.readUInt16BE(0);
        if (this.#waiting.length < end) return;
        this.replies.push(this.#waiting.subarray(2, end));
        this.#waiting = this.#waiting.subarray(end);
      }
    });
  }

  async gets(count: number): Promise<void> {
    await eventually(10_000, () =>
      Promise.resolve(this.replies.length >= count ? [] : [`${this.replies.length} replies`]),
    );
  }

  async closes(): Promise<void> {
    await eventually(10_000, () => Promise.resolve(this.isClosed ? [] : ['open']));
  }
}

function connectClient(t: ExecutionContext, port: number, localAddress?: string): Client {
  const client = new Client(port, localAddress);
  t.teardown(() => void client.socket.destroy());
  return client;
}

const good = ask(nginxGlobal, 'A');

test('[dns 50] a hundred questions down one connection are all answered', async (t) => {
  const { port } = await open(t);
  const client = connectClient(t, port);
  const stream = Array.from({ length: 100 }, (_, id) => frame(ask(nginxGlobal, 'A', { id })));
  client.socket.write(Buffer.concat(stream));
  await client.gets(100);
  t.deepEqual(new Set(client.replies.map((reply) => reply.readUInt16BE(0))).size, 100);
});

test('[dns 51] a question in segments of one byte is one question', async (t) => {
  const { port } = await open(t);
  const client = connectClient(t, port);
  client.socket.setNoDelay(true);
  for (const byte of frame(good)) {
    client.socket.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.gets(1);
  t.is(read(client.replies[0]).answers.length, 2);
});

test('[dns 52] a length that holds no header ends the connection', async (t) => {
  const { port } = await open(t);
  for (const length of [0, 1, 11]) {
    const client = connectClient(t, port);
    client.socket.write(frame(Buffer.alloc(length)));
    await client.closes();
    t.deepEqual(client.replies, []);
  }
});

test('[dns 53] a silent connection is kept for 30 s and then closed', async (t) => {
  const { port, clock } = await open(t);
  const client = connectClient(t, port);
  client.socket.write(frame(good));
  await client.gets(1);
  await clock.advance(29_000);
  client.socket.write(frame(good));
  await client.gets(2);
  await clock.advance(29_000);
  t.false(client.isClosed);
  await clock.advance(1_500);
  await client.closes();
  t.pass();
});

test('[dns 54] a question that is not ended within 5 s ends the connection', async (t) => {
  const { port, clock, incidents } = await open(t);
  const [slow, other] = [connectClient(t, port), connectClient(t, port)];
  slow.socket.write(Buffer.concat([frame(good), frame(good).subarray(0, 9)]));
  other.socket.write(frame(good));
  await slow.gets(1);
  await other.gets(1);
  await clock.advance(3_000);
  slow.socket.write(frame(good).subarray(9, 10));
  await clock.advance(1_900);
  t.false(slow.isClosed);
  await clock.advance(200);
  await slow.closes();
  t.false(other.isClosed);
  t.deepEqual(incidents, ['connectionSlow']);
});

test('[dns 54] of one address there are 200 connections, of all 1,000; the longest silent makes room', async (t) => {
  const { port, incidents } = await open(t);
  const all: Client[] = [];
  for (let host = 1; host <= 5; host += 1) {
    const clients = Array.from({ length: 200 }, () => connectClient(t, port, `127.0.0.${host}`));
    for (const client of clients) client.socket.write(frame(good));
    for (const client of clients) await client.gets(1);
    all.push(...clients);
  }
  const refused = connectClient(t, port, '127.0.0.3');
  await refused.closes();
  // The first one speaks again, and so is no longer the one that was silent the longest.
  all[0]?.socket.write(frame(good));
  await all[0]?.gets(2);
  const next = connectClient(t, port, '127.0.0.6');
  next.socket.write(frame(good));
  await next.gets(1);
  await eventually(5_000, () =>
    Promise.resolve(all.filter(({ isClosed }) => isClosed).length === 1 ? [] : ['nobody left']),
  );
  t.false(all[0]?.isClosed);
  t.deepEqual(incidents, ['connectionRefused', 'connectionEvicted']);
});

test('[dns 55] a message of 65,535 bytes is read and answered', async (t) => {
  const { port } = await open(t);
  const client = connectClient(t, port);
  client.socket.write(frame(Buffer.concat([good], 65_535)));
  client.socket.write(frame(Buffer.alloc(65_535, 0x01)));
  await client.gets(2);
  t.is(read(client.replies[0]).answers.length, 2);
  t.not(read(client.replies[1]).rcode, 'NOERROR');
});

test('T3 who does not read is not answered without end, and is let go after 30 s', async (t) => {
  const { port, clock, incidents, answered } = await open(t);
  const client = connectClient(t, port);
  client.socket.pause();
  // Bytes behind the question are allowed: so do questions fill the sockets, too.
  const padded = Buffer.concat([ask('nginx.web.myfederation.svc.r1.example.com', 'A')], 4_000);
  const burst = Buffer.concat(Array.from({ length: 2_000 }, () => frame(padded)));
  for (let index = 0; index < 8; index += 1) client.socket.write(burst);
  let [before, same] = [-1, 0];
  await eventually(30_000, () => {
    same = answered.count === before ? same + 1 : 0;
    before = answered.count;
    // Three seconds: a machine that is busy is slow, too.
    const isFull = client.socket.writableLength > 0 && answered.count > 500 && same > 60;
    return Promise.resolve(isFull ? [] : [`${answered.count} answered`]);
  });
  await clock.advance(31_000);
  await eventually(10_000, () =>
    Promise.resolve(incidents.includes('connectionStalled') ? [] : ['it stays']),
  );
  t.pass();
});
