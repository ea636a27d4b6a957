// How much of what a connection is to send is under way at once, and what that costs others.

import test from 'ava';
import { TurnTime } from '../../common/runtime/turn-time.ts';
import {
  SendGate,
  stalledMs,
  underWayBytesMax,
} from '../../coordinator/api/https/door/send-gate.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

function begin(untilMs = 1) {
  const clock = createVirtualClock();
  const gate = new SendGate(clock, { time: new TurnTime(clock), untilMs });
  const done: string[] = [];
  const underWay = new Map<string, () => void>();
  /** Sends, now or later, and is under way until it is told to be sent. */
  const send = (name: string, bytes = underWayBytesMax): void => {
    const act = (): void => {
      const count = gate.begin(bytes);
      done.push(name);
      underWay.set(name, () => gate.end(count, bytes));
    };
    if (gate.isShut()) gate.wait(act);
    else act();
  };
  const sent = (name: string): void => underWay.get(name)?.();
  return { clock, gate, done, send, sent };
}

test('S1 more than is under way waits, in order, and goes on as that is sent', async (t) => {
  const { clock, done, send, sent } = begin();
  send('a', underWayBytesMax / 2);
  send('b', underWayBytesMax / 2);
  send('c', 10);
  send('d', underWayBytesMax);
  send('e', 10);
  t.deepEqual(done, ['a', 'b']);
  sent('b');
  await clock.settle();
  t.deepEqual(done, ['a', 'b', 'c', 'd']);
  sent('a');
  await clock.settle();
  t.is(done.at(-1), 'd', 'd alone is as much as may be');
  sent('d');
  await clock.settle();
  t.deepEqual(done, ['a', 'b', 'c', 'd', 'e']);
});

test('S3 who comes while others wait does not overtake them', async (t) => {
  const { clock, done, send, sent } = begin();
  send('a');
  send('b');
  sent('a');
  send('c', 1); // there is room, and b is not sent yet
  t.deepEqual(done, ['a']);
  await clock.settle();
  t.deepEqual(done, ['a', 'b']);
  sent('b');
  await clock.settle();
  t.deepEqual(done, ['a', 'b', 'c']);
});

test('S3 in a turn whose time is used up one is taken up, the others later', async (t) => {
  const { clock, done, send, sent } = begin(0);
  send('a');
  for (const name of ['b', 'c', 'd']) send(name, 1);
  sent('a');
  const turns: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    clock.soon(() => turns.push(done.length));
    await clock.settle();
  }
  t.deepEqual(done, ['a', 'b', 'c', 'd']);
  t.is(turns[0], 2);
});

test('S2 what is never sent keeps the others for a moment, and its end changes nothing then', async (t) => {
  const { clock, done, send, sent } = begin();
  send('stalled');
  send('b');
  await clock.advance(stalledMs - 1);
  t.deepEqual(done, ['stalled']);
  await clock.advance(1);
  t.deepEqual(done, ['stalled', 'b']);
  send('c'); // twice as much may be under way
  send('d');
  sent('stalled'); // not counted any more
  await clock.settle();
  t.deepEqual(done, ['stalled', 'b', 'c']);
  sent('b'); // something is sent: as much as before
  await clock.settle();
  t.deepEqual(done, ['stalled', 'b', 'c']);
  sent('c');
  await clock.settle();
  t.deepEqual(done, ['stalled', 'b', 'c', 'd']);
  await clock.advance(10 * stalledMs);
  t.is(clock.pending(), 0);
});

test('S2 a hundred that are never sent keep who comes behind them less than a second', async (t) => {
  const { clock, done, send } = begin(Infinity);
  for (let each = 0; each < 100; each += 1) send(`stalled ${each}`);
  send('awake', 1);
  await clock.advance(7 * stalledMs);
  t.is(done.at(-1), 'awake');
});

test('S2 while something is sent, nobody is taken for stalled', async (t) => {
  const { clock, done, send, sent } = begin();
  send('slow', underWayBytesMax - 1);
  for (const name of ['a', 'b', 'c', 'd']) send(name, underWayBytesMax);
  for (const [name, next] of ['ab', 'bc', 'cd']) {
    await clock.advance(stalledMs - 1);
    t.is(done.at(-1), name);
    sent(name ?? '');
    await clock.settle();
    t.is(done.at(-1), next);
  }
});

test('a gate whose connection is gone keeps nothing', async (t) => {
  const { clock, gate, done, send, sent } = begin();
  send('a');
  send('b');
  gate.close();
  sent('a');
  await clock.advance(10 * stalledMs);
  t.deepEqual(done, ['a']);
  t.is(clock.pending(), 0);
});
