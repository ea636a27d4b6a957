// When what was written of an answer counts as taken. In between a watch waits; if it did not, it
// would ask again in every turn of the event loop.

import { Writable } from 'node:stream';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import type { Exchange } from '../../coordinator/api/https/https-exchange.ts';
import { openWatch } from '../../coordinator/api/https/https-answer.ts';
import type { BodySink } from '../../coordinator/api/machinery/api.ts';

/** A stream whose client takes nothing until it is told to. */
function begin() {
  let take = (): void => undefined;
  const answer = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      take = () => done();
    },
  });
  const exchange = { answer, writeHead: () => undefined, flushHead: () => undefined };
  const response = { status: 200, headers: {}, body: { start: () => undefined } };
  const sink = openWatch(exchange as unknown as Exchange, response);
  return { answer, sink, take: () => take() };
}

async function isTaken(sink: BodySink): Promise<boolean> {
  let isOver = false;
  void sink.drained().then(() => (isOver = true));
  await new Promise((resolve) => systemClock.soon(() => resolve(undefined)));
  return isOver;
}

test('a stream of Node’s takes parts as one write', async (t) => {
  const { answer, sink } = begin();
  sink.writeParts?.([Buffer.from('ev'), Buffer.from('ent')]);
  t.is(answer.writableLength, 5);
});

test('nothing written is taken', async (t) => {
  t.true(await isTaken(begin().sink));
});

test('what was written is taken when the client takes it', async (t) => {
  const { sink, take } = begin();
  sink.write(Buffer.from('event'));
  t.false(await isTaken(sink));
  take();
  t.true(await isTaken(sink));
});

test('what was written to a stream that ends is not taken before it is', async (t) => {
  const { answer, sink } = begin();
  sink.write(Buffer.from('event'));
  answer.end(); // as node does with a stream that its client has reset
  t.false(await isTaken(sink));
  answer.destroy();
  t.true(await isTaken(sink));
});
