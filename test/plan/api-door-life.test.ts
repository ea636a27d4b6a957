// A door as its owner has it, against one that does as it is told here.

import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { TurnTime } from '../../common/runtime/turn-time.ts';
import { MailReader, type Mail } from '../../coordinator/api/https/door-mail.ts';
import {
  requestsAheadMax,
  type Order,
  type Report,
} from '../../coordinator/api/https/door-messages.ts';
import type { DoorOptions } from '../../coordinator/api/https/door-life.ts';
import { Door } from '../../coordinator/api/https/https-door.ts';
import type { Exchange } from '../../coordinator/api/https/https-exchange.ts';
import { createManualClock } from '../support/manual-clock.ts';

const settings = {
  host: '127.0.0.1',
  port: 0,
  tls: { certPem: 'cert', keyPem: 'key', clientCaPem: 'ca' },
  limits: { connectionsMax: 1, pingAfterMs: 1, idleMs: 1 },
};

interface FakeDoor {
  readonly port: number;
  readonly orders: Order[];
  readonly said: string[];
  say(report: Report, bytes?: Uint8Array<ArrayBuffer>): void;
  isEnded: boolean;
}

/** Each answers pings as long as it is well. */
async function begin() {
  const clock = createManualClock();
  const doors: FakeDoor[] = [];
  const served: Exchange[] = [];
  let isWell = true;
  const start: DoorOptions['start'] = ({ port }, { onMail, onExit }) => {
    const door: FakeDoor = {
      port,
      orders: [],
      said: [],
      isEnded: false,
      say: (report, bytes) => {
        const spans = bytes === undefined ? [] : [0, 0, bytes.length];
        onMail({ items: [report], bytes: bytes?.buffer, spans });
      },
    };
    doors.push(door);
    clock.after(0, () => door.say(['listening', 4711]));
    return {
      postMessage: (mail: Mail<Order>) => {
        const reader = new MailReader(mail);
        while (!reader.isRead) {
          reader.read((order, bytes) => {
            door.orders.push(order);
            door.said.push(bytes === undefined ? order[0] : `${order[0]} ${bytes.toString()}`);
            if (order[0] === 'ping' && isWell) door.say(['pong']);
          });
        }
      },
      end: async () => {
        door.isEnded = true;
        onExit(new Error('ended'));
      },
    };
  };
  const door = new Door(settings, {
    start,
    share: { time: new TurnTime(clock), untilMs: 4 },
    serve: (exchange) => void served.push(exchange),
    clock,
    log: silentLog,
    metrics: silentMetrics,
  });
  const opening = door.open();
  await clock.advance(0);
  await opening;
  return { clock, door, doors, served, fallIll: () => void (isWell = false) };
}

/** Streams are Node's, and have its turns. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => systemClock.soon(resolve));
}

function request(id: number, hasBody = false): Report {
  return ['request', id, 1, 2, hasBody, 'GET', '/x', 'accept\0json', undefined];
}

test('N1 a door that does not answer for ten seconds is ended, and another one opens on its port', async (t) => {
  const { clock, doors, fallIll } = await begin();
  await clock.advance(60_000);
  t.is(doors.length, 1);
  fallIll();
  await clock.advance(9_000);
  t.false(doors[0]?.isEnded);
  await clock.advance(5_000);
  t.true(doors[0]?.isEnded);
  t.is(doors.length, 2);
  t.is(doors[1]?.port, 4711);
});

test('K1 the door learns how many were taken up, before it has sent all that it may', async (t) => {
  const { clock, doors, served } = await begin();
  for (let id = 1; id <= requestsAheadMax; id += 1) doors[0]?.say(request(id));
  await clock.advance(10);
  t.is(served.length, requestsAheadMax);
  const taken = (doors[0]?.orders ?? []).reduce(
    (sum, order) => sum + (order[0] === 'taken' ? order[1] : 0),
    0,
  );
  t.is(taken, requestsAheadMax);
});

test('an answer goes out in order, and what is written to who has left does not', async (t) => {
  const { clock, doors, served } = await begin();
  doors[0]?.say(['carrier', 1, { remoteAddress: '192.0.2.7', peer: undefined, trust: 1 }]);
  doors[0]?.say(request(7));
  const [exchange] = served;
  t.like(exchange, { method: 'GET', target: '/x', headers: { accept: 'json' }, body: undefined });
  t.is(exchange?.carrier.remoteAddress, '192.0.2.7');
  exchange?.writeHead(200, { etag: 'e' }, false);
  exchange?.writeHead(500, {}, false);
  exchange?.answer.write(Buffer.from('one'));
  exchange?.answer.end(Buffer.from('two'));
  exchange?.answer.write(Buffer.from('three'));
  await clock.advance(0);
  t.deepEqual(doors[0]?.said.slice(-3), ['head', 'write one', 'end two']);
  doors[0]?.say(request(8));
  doors[0]?.say(['closed', 8]);
  t.true(served[1]?.isLeft());
  served[1]?.writeHead(200, {}, false);
  served[1]?.answer.end(Buffer.from('late'));
  await clock.advance(0);
  t.is(doors[0]?.said.at(-1), 'end two');
});

test('who writes much waits until the door has sent it', async (t) => {
  const { doors, served } = await begin();
  doors[0]?.say(request(7));
  const answer = served[0]?.answer;
  let isDrained = false;
  answer?.once('drain', () => (isDrained = true));
  t.true(answer?.write(Buffer.alloc(1_000)));
  t.false(answer?.write(Buffer.alloc(20_000)));
  doors[0]?.say(['sent', 7, 1_000]);
  t.like(answer, { writableLength: 20_000, writableNeedDrain: true });
  t.false(isDrained);
  doors[0]?.say(['sent', 7, 20_000]);
  t.like(answer, { writableLength: 0, writableNeedDrain: false });
  t.true(isDrained);
});

test('K2 what is read of a body makes room for as much', async (t) => {
  const { clock, doors, served } = await begin();
  doors[0]?.say(request(7, true));
  const body = served[0]?.body;
  const read: Buffer[] = [];
  doors[0]?.say(['body', 7], new Uint8Array(30_000));
  await clock.advance(0);
  t.false(
    doors[0]?.orders.some(([kind]) => kind === 'read'),
    'nobody has read it',
  );
  body?.on('data', (chunk: Buffer) => void read.push(chunk));
  await nextTurn();
  doors[0]?.say(['body', 7], new Uint8Array(5));
  doors[0]?.say(['bodyEnd', 7]);
  await nextTurn();
  await clock.advance(0);
  t.is(Buffer.concat(read).length, 30_005);
  t.true(body?.readableEnded);
  t.deepEqual(doors[0]?.orders.filter(([kind]) => kind === 'read').at(0), ['read', 7, 30_000]);
});

test('a client that leaves in the middle of its body ends the reading of it', async (t) => {
  const { doors, served } = await begin();
  doors[0]?.say(request(7, true));
  let isClosed = false;
  served[0]?.body?.once('close', () => (isClosed = true));
  doors[0]?.say(['body', 7], new Uint8Array(10));
  doors[0]?.say(['closed', 7]);
  await nextTurn();
  t.true(isClosed);
});
