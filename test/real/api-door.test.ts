// The thread that has the API's connections: what its end costs, and what it does not.

import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { createServer, type AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { startDoorThread, startThread } from '../../coordinator/api/https/door-thread.ts';
import type { RunningDoor, StartDoor } from '../../coordinator/api/https/door-life.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { gadgetKind } from '../support/api-kinds.ts';
import { eventually } from '../support/eventually.ts';
import { askHttp1, askHttp2, listenForTest, openHttp2 } from '../support/https-fixture.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';
const waitMs = 20_000;

/** Tells which door runs, so that a test can end it. */
async function start(t: ExecutionContext, program?: URL) {
  const doors: RunningDoor[] = [];
  const startDoor: StartDoor = (...given) => {
    const isFirst = doors.length === 0;
    const door =
      program !== undefined && isFirst ? startThread(program, ...given) : startDoorThread(...given);
    doors.push(door);
    return door;
  };
  const fixture = await createApiFixture();
  const https = await listenForTest(fixture.api, {}, systemClock, startDoor);
  t.teardown(() => https.listener.close());
  return { https, doors, fixture };
}

test('N1 a door that ends takes its watches with it, and another opens on the same port', async (t) => {
  const { https, doors } = await start(t);
  const session = openHttp2(https).on('error', () => undefined);
  const watch = session.request({ ':path': `${gadgets}?watch=1` }).on('error', () => undefined);
  await once(watch, 'response');
  t.like(https.listener.open(), { watches: 1, connections: 1 });
  await doors[0]?.end();
  await eventually(waitMs, async () => {
    const { watches, requests, connections } = https.listener.open();
    return watches + requests + connections === 0 ? [] : ['the watch is still open'];
  });
  await eventually(waitMs, async () => {
    const status = await askHttp1(https, { path: gadgets, client: https.admin }).then(
      (answer) => answer.status,
      (error: Error) => error.message,
    );
    return status === 200 ? [] : [`the next one says ${status}`];
  });
  t.is(doors.length, 2);
  t.is(https.faults.get('mesh_api_door_restarts_total'), 1);
});

test('N1 a certificate that came while the door was gone is the next one’s', async (t) => {
  const { https, doors } = await start(t);
  await doors[0]?.end();
  await https.listener.setTls({ ...https.server, clientCaPem: https.ca.certPem });
  const other = await listenForTest((await createApiFixture()).api);
  t.teardown(() => other.listener.close());
  await https.listener.setTls({ ...https.server, clientCaPem: other.ca.certPem });
  await eventually(waitMs, async () => {
    const session = openHttp2({ ...https, admin: other.admin }).on('error', () => undefined);
    const status = await askHttp2(session, { path: gadgets }).then(
      (answer) => answer.status,
      (error: Error) => error.message,
    );
    session.destroy();
    return status === 200 ? [] : [`the next one says ${status}`];
  });
  t.pass();
});

test('S2 watches that nobody reads keep no other one of their connection', async (t) => {
  const { https, fixture } = await start(t);
  const session = openHttp2(https).on('error', () => undefined);
  t.teardown(() => session.destroy());
  const watch = async (): Promise<ClientHttp2Stream> => {
    const stream = session.request({ ':path': `${gadgets}?watch=1` }).on('error', () => undefined);
    await once(stream, 'response');
    return stream;
  };
  for (let each = 0; each < 20; each += 1) (await watch()).pause();
  const awake = await watch();
  const lines: number[] = [];
  awake.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a) lines.push(lines.length);
  });
  const rounds = 20;
  for (let round = 0; round < rounds; round += 1) {
    const annotations = { round: String(round), big: 'x'.repeat(20_000) };
    await fixture.put(gadgetKind, { metadata: { name: 'a', namespace: 'default', annotations } });
    while (lines.length <= round) await once(awake, 'data');
  }
  t.is(lines.length, rounds);
});

test('a port that is taken is told, and no thread is left', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo; // of TCP
  let ended = 0;
  const startDoor: StartDoor = (settings, to) =>
    startDoorThread(
      { ...settings, port },
      {
        ...to,
        onExit: (error) => {
          ended += 1;
          to.onExit(error);
        },
      },
    );
  const { api } = await createApiFixture();
  await t.throwsAsync(listenForTest(api, {}, systemClock, startDoor), { code: 'EADDRINUSE' });
  t.is(ended, 1);
});
