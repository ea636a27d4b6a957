// What the two threads say to each other: whole, in order, few mails, and short ones.

import test from 'ava';
import { Outbox, MailReader, type Mail } from '../../coordinator/api/https/door-mail.ts';
import { toHeaderText, toLines, toRecord } from '../../coordinator/api/https/header-text.ts';
import { itemsPerTurnMax, MailQueue } from '../../coordinator/api/https/mail-queue.ts';
import { TurnTime } from '../../common/runtime/turn-time.ts';
import { createManualClock } from '../support/manual-clock.ts';

type Said = readonly [item: string, bytes: string | undefined];

function begin(turns: 1 | 2 = 1) {
  const clock = createManualClock();
  const mails: Mail<string>[] = [];
  const post = (mail: Mail<string>, transfer: readonly ArrayBuffer[]): void => {
    mails.push(structuredClone(mail, { transfer: [...transfer] }));
  };
  const outbox = new Outbox<string>({ postMessage: post }, clock, turns);
  const heard = (): readonly Said[] => mails.flatMap(readAll);
  return { clock, mails, outbox, heard };
}

function readAll(mail: Mail<string>): readonly Said[] {
  const said: Said[] = [];
  const reader = new MailReader(mail);
  while (!reader.isRead) reader.read((item, bytes) => said.push([item, bytes?.toString('latin1')]));
  return said;
}

test('M1 what is said within a turn is one mail, in order and with its bytes', async (t) => {
  const { clock, mails, outbox, heard } = begin();
  outbox.push('a');
  outbox.push('b', Buffer.from('of b'));
  outbox.push('c', Buffer.from(''));
  outbox.push('d', Buffer.from('of d').subarray(0, 2));
  t.is(mails.length, 0);
  await clock.advance(0);
  t.is(mails.length, 1);
  t.deepEqual(heard(), [
    ['a', undefined],
    ['b', 'of b'],
    ['c', ''],
    ['d', 'of'],
  ]);
});

test('M1 what is said later comes later', async (t) => {
  const { clock, outbox, heard } = begin();
  outbox.push('a');
  await clock.advance(0);
  outbox.pushLazily('b');
  outbox.push('c');
  await clock.advance(0);
  t.deepEqual(
    heard().map(([item]) => item),
    ['a', 'b', 'c'],
  );
});

test('M2 a mail has 64 items at the most, or 128 KiB and what went over', async (t) => {
  const { clock, mails, outbox, heard } = begin();
  for (let at = 0; at < 150; at += 1) outbox.push(String(at));
  await clock.advance(0);
  t.deepEqual(
    mails.map(({ items }) => items.length),
    [64, 64, 22],
  );
  for (let at = 0; at < 3; at += 1) outbox.push('long', Buffer.alloc(100_000));
  await clock.advance(0);
  t.deepEqual(
    mails.slice(3).map(({ items }) => items.length),
    [2, 1],
  );
  t.is(heard().length, 153);
});

test('parts of bytes are one piece where they arrive', async (t) => {
  const { clock, outbox, heard } = begin();
  outbox.push('a', [Buffer.from('one, '), Buffer.from('two, '), Buffer.from('three')]);
  outbox.push('b', Buffer.from('whole'));
  outbox.push('c', []);
  await clock.advance(0);
  t.deepEqual(heard(), [
    ['a', 'one, two, three'],
    ['b', 'whole'],
    ['c', ''],
  ]);
});

test('M3 bytes that are said to many travel once', async (t) => {
  const { clock, mails, outbox, heard } = begin();
  const event = Buffer.from('an event');
  for (let at = 0; at < 20; at += 1) outbox.push(String(at), event);
  await clock.advance(0);
  t.is(mails[0]?.bytes?.byteLength, event.length);
  t.true(heard().every(([, bytes]) => bytes === 'an event'));
});

test('M4 what nobody waits for goes with what somebody does, or a little later', async (t) => {
  const { clock, mails, outbox } = begin();
  outbox.pushLazily('a');
  await clock.advance(1);
  t.is(mails.length, 0);
  outbox.push('b');
  await clock.advance(0);
  t.deepEqual(mails[0]?.items, ['a', 'b']);
  outbox.pushLazily('c');
  await clock.advance(2);
  t.deepEqual(mails[1]?.items, ['c']);
  t.is(mails.length, 2);
});

test('a mail is read as the turn has time for it, and no part of it is lost', async (t) => {
  const clock = createManualClock();
  const read: string[] = [];
  const time = new TurnTime(clock);
  const queue = new MailQueue<string>(clock, { time, untilMs: 0 }, (item) => void read.push(item));
  const mail = (...items: readonly string[]): Mail<string> => ({
    items,
    bytes: undefined,
    spans: [],
  });
  queue.add(mail('a', 'b'));
  t.deepEqual(read, ['a'], 'one in any case');
  queue.add(mail('c'));
  t.deepEqual(read, ['a'], 'it waits behind the other');
  await clock.advance(0);
  t.deepEqual(read, ['a', 'b', 'c']);
});

test('Q1 Q2 of many items a number is read in a turn, and none on its other side', (t) => {
  const turn: (() => void)[] = [];
  const soon = (run: () => void): { cancel(): void } => {
    turn.push(run);
    return { cancel: () => undefined };
  };
  const next = (): void => {
    for (const run of turn.splice(0)) run();
  };
  const clock = { soon, monotonicMs: () => 0 };
  const share = { time: new TurnTime(clock), untilMs: 1 };
  const read: number[] = [];
  const queue = new MailQueue<number>(clock, share, (item) => void read.push(item));
  const items = Array.from({ length: 2.5 * itemsPerTurnMax }, (_, index) => index);
  for (let at = 0; at < items.length; at += 64)
    queue.add({ items: items.slice(at, at + 64), bytes: undefined, spans: [] });
  const counts = [read.length];
  for (let count = 0; count < 3; count += 1) {
    next();
    counts.push(read.length);
  }
  t.deepEqual(counts, [itemsPerTurnMax, itemsPerTurnMax, 2 * itemsPerTurnMax, items.length]);
  t.deepEqual(read, items);
  next();
  t.is(turn.length, 0, 'nobody is woken up for nothing');
});

test('headers are the same after the way, and nothing in one makes another', (t) => {
  const headers = { accept: 'a, b', empty: '', warning: ['299 - "a"', '299 - "b"'] };
  const lines = toLines(toHeaderText(headers));
  t.is(lines.join('|'), 'accept|a, b|empty||warning|299 - "a"|warning|299 - "b"');
  t.deepEqual(toRecord(lines.slice(0, 4)), { accept: 'a, b', empty: '' });
  t.deepEqual(toLines(toHeaderText({})), []);
  t.throws(() => toHeaderText({ warning: 'x\0set-cookie\0y' }), { message: /NUL/ });
});
