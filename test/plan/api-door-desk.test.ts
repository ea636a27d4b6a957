// The door's side of the exchanges that are open: who is handed over, how much of a body is, and that
// orders for who has left do nothing.

import { EventEmitter } from 'node:events';
import { PassThrough, Writable, type Readable } from 'node:stream';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { TurnTime } from '../../common/runtime/turn-time.ts';
import { MailReader, Outbox, type Mail } from '../../coordinator/api/https/door-mail.ts';
import {
  bodyAheadBytes,
  requestsAheadMax,
  type Report,
} from '../../coordinator/api/https/door-messages.ts';
import { Desk } from '../../coordinator/api/https/door/desk.ts';
import type { NativeExchange } from '../../coordinator/api/https/door/native-exchange.ts';
import { underWayBytesMax } from '../../coordinator/api/https/door/send-gate.ts';
import { toHeaderText } from '../../coordinator/api/https/header-text.ts';
import { eventually } from '../support/eventually.ts';

const waitMs = 20_000;

class FakeExchange implements NativeExchange {
  readonly method = 'GET';
  readonly target = '/x';
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly version = 2;
  readonly carrier = Object.assign(new EventEmitter(), { destroyed: false });
  readonly body: Readable | undefined;
  readonly done: string[] = [];
  readonly answer = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      this.done.push(`write ${chunk.toString()}`);
      done();
    },
  });

  constructor(body?: Readable, headers: Readonly<Record<string, string>> = {}) {
    this.body = body;
    this.headers = headers;
    this.rawHeaders = Object.entries(headers).flat();
  }

  socket(): undefined {
    return undefined;
  }

  writeHead(status: number, headers: readonly string[]): void {
    if (status === 0) throw new Error('not a status');
    this.done.push([status, ...headers].join(' '));
  }

  flushHead(): void {
    this.done.push('flushHead');
  }

  endWhenSent(): void {
    this.done.push('endWhenSent');
  }

  abandon(): void {
    this.done.push('abandon');
    this.answer.destroy();
  }
}

function begin() {
  const reports: Report[] = [];
  const postMessage = (mail: Mail<Report>): void => {
    const reader = new MailReader(mail);
    while (!reader.isRead) reader.read((report) => void reports.push(report));
  };
  const faults: string[] = [];
  const outbox = new Outbox<Report>({ postMessage }, systemClock);
  const desk = new Desk({
    outbox,
    onFault: (fault) => void faults.push(fault),
    clock: systemClock,
    sendShare: { time: new TurnTime(systemClock), untilMs: 1 },
  });
  const idsOf = (kind: Report[0]): readonly number[] => {
    outbox.flush();
    return reports.filter((report) => report[0] === kind).map((report) => Number(report[1]));
  };
  return { desk, faults, reports, idsOf };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => systemClock.soon(resolve));
}

test('K1 few are handed over at once; who leaves while he waits is not', async (t) => {
  const { desk, idsOf } = begin();
  const exchanges = Array.from({ length: requestsAheadMax + 3 }, () => new FakeExchange());
  for (const exchange of exchanges) desk.open(exchange);
  t.is(idsOf('request').length, requestsAheadMax);
  exchanges.at(-3)?.answer.destroy();
  await nextTurn();
  desk.follow(['taken', 1], undefined);
  t.is(idsOf('request').length, requestsAheadMax + 1);
  desk.follow(['taken', 16], undefined);
  t.is(idsOf('request').length, requestsAheadMax + 2);
  t.deepEqual(idsOf('closed'), [], 'nothing was said of him');
});

test('who is on a connection that is closed is not handed over', (t) => {
  const { desk, idsOf } = begin();
  const exchange = new FakeExchange();
  exchange.carrier.destroyed = true;
  desk.open(exchange);
  t.deepEqual(idsOf('request'), []);
  t.deepEqual(exchange.done, ['abandon']);
});

test('a connection is told of once, and its end', (t) => {
  const { desk, idsOf } = begin();
  const [first, second] = [new FakeExchange(), new FakeExchange()];
  desk.open(first);
  desk.open(Object.assign(second, { carrier: first.carrier }));
  t.deepEqual(idsOf('carrier'), [1]);
  first.carrier.emit('close');
  t.deepEqual(idsOf('carrierGone'), [1]);
});

test('lines come along only where somebody is impersonated', (t) => {
  const { desk, reports, idsOf } = begin();
  desk.open(new FakeExchange(undefined, { accept: 'x' }));
  desk.open(new FakeExchange(undefined, { 'impersonate-user': 'bob' }));
  t.is(idsOf('request').length, 2);
  const requests = reports.filter((report) => report[0] === 'request');
  t.deepEqual(
    requests.map((report) => report[8]),
    [undefined, ['impersonate-user', 'bob']],
  );
});

test('K2 so much of a body comes by itself, the rest when it is asked for', async (t) => {
  const { desk, idsOf } = begin();
  const body = new PassThrough({ highWaterMark: 1 << 20 });
  desk.open(new FakeExchange(body));
  for (let sent = 0; sent < 3 * bodyAheadBytes; sent += 1 << 14) body.write(Buffer.alloc(1 << 14));
  body.end();
  await nextTurn();
  t.is(idsOf('body').length, bodyAheadBytes / (1 << 14));
  t.deepEqual(idsOf('bodyEnd'), []);
  const [id = 0] = idsOf('request');
  desk.follow(['read', id, 3 * bodyAheadBytes], undefined);
  await nextTurn();
  t.is(idsOf('body').length, (3 * bodyAheadBytes) / (1 << 14));
  t.deepEqual(idsOf('bodyEnd'), [id]);
});

test('K3 an answer is written as it was ordered; orders for who has left do nothing', async (t) => {
  const { desk, idsOf } = begin();
  const exchange = new FakeExchange();
  desk.open(exchange);
  const [id = 0] = idsOf('request');
  desk.follow(['head', id, 200, toHeaderText({ etag: 'e' }), false], undefined);
  desk.follow(['write', id], Buffer.from('one'));
  desk.follow(['end', id], Buffer.from('two'));
  desk.follow(['write', id], Buffer.from('late'));
  await nextTurn();
  t.deepEqual(exchange.done, ['200 etag e', 'write one', 'write two']);
  t.deepEqual(idsOf('sent'), [id]);
  t.deepEqual(idsOf('closed'), [id]);
  desk.follow(['head', id, 500, '', false], undefined);
  desk.follow(['abandon', id], undefined);
  t.is(exchange.done.length, 3);
});

test('K4 what is written behind much that is under way waits, in order; to give up does not', async (t) => {
  const { desk, idsOf } = begin();
  const exchange = new FakeExchange();
  const other = Object.assign(new FakeExchange(), { carrier: exchange.carrier });
  const elsewhere = new FakeExchange();
  const taken: (() => void)[] = [];
  exchange.answer._write = (chunk: Buffer, _encoding, done) => {
    exchange.done.push(`write ${chunk.length}`);
    taken.push(done);
  };
  for (const each of [exchange, other, elsewhere]) desk.open(each);
  const [one = 0, two = 0, three = 0] = idsOf('request');
  desk.follow(['write', one], Buffer.alloc(underWayBytesMax));
  desk.follow(['write', two], Buffer.from('a'));
  desk.follow(['end', two], Buffer.from('b'));
  desk.follow(['endWhenSent', two], undefined);
  desk.follow(['write', three], Buffer.from('c'));
  await nextTurn();
  t.deepEqual(exchange.done, [`write ${underWayBytesMax}`]);
  t.deepEqual(other.done, []);
  t.deepEqual(elsewhere.done, ['write c']);
  taken[0]?.();
  await eventually(waitMs, () => Promise.resolve(other.done.length === 3 ? [] : ['waits']));
  t.deepEqual(other.done, ['write a', 'write b', 'endWhenSent']);
  desk.follow(['write', one], Buffer.alloc(underWayBytesMax));
  desk.follow(['write', one], Buffer.from('d'));
  desk.follow(['abandon', one], undefined);
  await nextTurn();
  t.deepEqual(exchange.done.slice(1), [`write ${underWayBytesMax}`, 'abandon']);
});

test('headers that would become others on their way end their own exchange only', (t) => {
  const { desk, faults, idsOf } = begin();
  const exchange = new FakeExchange(undefined, { accept: 'x\0authorization\0Bearer y' });
  desk.open(exchange);
  desk.open(new FakeExchange());
  t.deepEqual(faults, ['exchange']);
  t.deepEqual(exchange.done, ['abandon']);
  t.is(idsOf('request').length, 1);
});

test('what Node refuses to send is counted, and its exchange broken off', (t) => {
  const { desk, faults, idsOf } = begin();
  const exchange = new FakeExchange();
  desk.open(exchange);
  desk.follow(['head', idsOf('request')[0] ?? 0, 0, '', false], undefined);
  t.deepEqual(faults, ['exchange']);
  t.deepEqual(exchange.done, ['abandon']);
});
