// How a request's body is read to its end: what is long is joined in a turn of its own.

import { PassThrough } from 'node:stream';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createTurns } from '../../common/runtime/turn-pace.ts';
import { readBody, type Exchange } from '../../coordinator/api/https/https-exchange.ts';

const bytesMax = 3 << 20;

function begin(headers: Readonly<Record<string, string>> = {}) {
  const turns: (() => void)[] = [];
  const body = new PassThrough({ highWaterMark: 8 << 20 });
  const ownTurn = createTurns({
    soon: (act) => {
      turns.push(act);
      return { cancel: () => undefined };
    },
  });
  const read = (of = body): Promise<unknown> =>
    Promise.resolve(readBody({ body: of, headers } as unknown as Exchange, bytesMax, ownTurn));
  /** Runs what waits for the next turn, and then what is ready at once. */
  const turn = async (): Promise<void> => {
    turns.splice(0).forEach((act) => act());
    await settle();
  };
  return { body, read, turn, turns };
}

// The streams of node take some turns of the real loop to tell of an end.
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
}

function watch(promise: Promise<unknown>): { value: unknown } {
  const seen: { value: unknown } = { value: undefined };
  void promise.then((value) => (seen.value = value));
  return seen;
}

test('a short body is there in the turn in which it ends', async (t) => {
  const { body, read, turns } = begin();
  const seen = watch(read());
  body.write('{"a":');
  body.end('1}');
  await settle();
  t.is(String(seen.value), '{"a":1}');
  t.is(turns.length, 0);
});

test('a long body is joined in a turn of its own, and used in the next', async (t) => {
  const { body, read, turn } = begin();
  const seen = watch(read());
  for (let chunk = 0; chunk < 20; chunk += 1) body.write(Buffer.alloc(16 << 10, 97 + chunk));
  body.end();
  await settle();
  t.is(seen.value, undefined);
  await turn();
  t.is(seen.value, undefined);
  await turn();
  t.true(seen.value instanceof Buffer);
  const bytes = seen.value as Buffer; // just seen
  t.is(bytes.length, 320 << 10);
  t.is(bytes.at(-1), 97 + 19);
});

test('of two long bodies that end together each has its own turns', async (t) => {
  const { body, read, turn } = begin();
  const other = new PassThrough({ highWaterMark: 8 << 20 });
  const seen = [watch(read()), watch(read(other))];
  for (const each of [body, other]) each.end(Buffer.alloc(300 << 10, 97));
  await settle();
  const ready: number[] = [];
  for (let step = 0; step < 4; step += 1) {
    await turn();
    ready.push(seen.filter(({ value }) => value !== undefined).length);
  }
  t.deepEqual(ready, [0, 0, 1, 2]);
});

test('a long body that has ended is whole, though its client leaves before its turn', async (t) => {
  const { body, read, turn } = begin();
  const seen = watch(read());
  body.end(Buffer.alloc(300 << 10, 97));
  await settle();
  body.destroy();
  await settle();
  t.is(seen.value, undefined);
  await turn();
  await turn();
  t.true(seen.value instanceof Buffer);
});

test('a client that leaves before the end is gone; what is too long is refused at once', async (t) => {
  const left = begin();
  const gone = watch(left.read());
  left.body.write('{');
  await settle();
  left.body.destroy();
  await settle();
  t.is(gone.value, 'gone');
  const long = begin();
  const large = watch(long.read());
  for (let chunk = 0; chunk < 4; chunk += 1) long.body.write(Buffer.alloc(1 << 20));
  await settle();
  t.is(large.value, 'large');
  t.is(await begin({ 'content-length': String(bytesMax + 1) }).read(), 'large');
});
