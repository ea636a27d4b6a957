// How HTTP/2 reads a connection: in slices, each in its turn.

import test from 'ava';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { Http2Carrier } from '../../coordinator/api/https/https-carrier.ts';

/** The network's side of a connection; writes are done when the test says so. */
class FakeTls extends Duplex {
  readonly written: Buffer[] = [];
  readonly pending: (() => void)[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    this.pending.push(done);
  }
}

function open() {
  const tls = new FakeTls();
  const acts: (() => void)[] = [];
  const ends: (() => void)[] = [];
  const carrier = new Http2Carrier(tls as unknown as TLSSocket, {
    read: (act) => void acts.push(act),
    end: (act) => void ends.push(act),
  });
  const read: Buffer[] = [];
  carrier.on('data', (chunk: Buffer) => read.push(chunk));
  carrier.on('error', () => undefined);
  return { tls, acts, ends, carrier, read };
}

/** Lets streams tell what they have to. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test('K1 K2 what came is handed on in slices, whole and in order, and nothing more is read meanwhile', async (t) => {
  const { tls, acts, read } = open();
  const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251));
  tls.push(bytes);
  await settle();
  tls.push(Buffer.from('later'));
  await settle();
  t.is(read.length, 0);
  let turns = 0;
  for (let act = acts.shift(); act !== undefined; act = acts.shift()) {
    const before = read.length;
    act();
    turns += 1;
    await settle();
    t.true(read.length <= before + 1, 'one slice a turn');
    t.true((read.at(-1)?.length ?? 0) <= 2_048);
    if (turns === 2) t.true(tls.isPaused(), 'K2');
  }
  t.deepEqual(Buffer.concat(read), Buffer.concat([bytes, Buffer.from('later')]));
  t.is(turns, 6);
  t.false(tls.isPaused());
});

test('K2 what HTTP/2 does not take is not read', async (t) => {
  const { tls, acts, carrier, read } = open();
  carrier.pause();
  for (let part = 0; part < 8; part += 1) {
    tls.push(Buffer.alloc(2_048, part));
    await settle();
    for (const act of acts.splice(0)) act();
    await settle();
  }
  t.true(tls.isPaused());
  t.true(carrier.readableLength <= 3 * 2_048);
  carrier.resume();
  for (let turn = 0; turn < 40; turn += 1) {
    await settle();
    for (const act of acts.splice(0)) act();
  }
  t.is(Buffer.concat(read).length, 8 * 2_048);
});

test('K3 a write is done when the connection says so, and those that wait are one', async (t) => {
  const { tls, carrier } = open();
  let done = 0;
  for (const text of ['a', 'b', 'c']) carrier.write(text, () => (done += 1));
  await settle();
  t.deepEqual(tls.written.map(String), ['a']);
  t.is(done, 0);
  tls.pending.shift()?.();
  await settle();
  t.deepEqual(tls.written.map(String), ['a', 'bc']);
  t.is(done, 1);
  tls.pending.shift()?.();
  await settle();
  t.is(done, 3);
});

test('K4 whose client leaves is destroyed in its turn, with what waited', async (t) => {
  const { tls, acts, ends, carrier, read } = open();
  tls.push(Buffer.alloc(5_000));
  tls.push(null);
  await settle();
  for (let act = acts.shift(); act !== undefined; act = acts.shift()) {
    act();
    await settle();
  }
  t.is(Buffer.concat(read).length, 5_000, 'what came before the end is read');
  t.false(carrier.destroyed);
  for (const end of ends.splice(0)) end();
  await settle();
  t.deepEqual([carrier.destroyed, tls.destroyed], [true, true]);
});

test('an end of ours is the end of the connection, once all is written', async (t) => {
  const { tls, carrier } = open();
  carrier.end('last words');
  await settle();
  t.false(tls.writableEnded);
  tls.pending.shift()?.();
  await settle();
  t.deepEqual([tls.written.map(String), tls.writableEnded], [['last words'], true]);
});
