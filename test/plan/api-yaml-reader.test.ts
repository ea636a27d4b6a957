// The queue before the YAML thread, with a thread that does what the test says.

import test from 'ava';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { answerYaml } from '../../coordinator/api/yaml/yaml-messages.ts';
import {
  createYamlReader,
  idleMs,
  readMs,
  waitingMax,
  type StartYamlThread,
} from '../../coordinator/api/yaml/yaml-reader.ts';
import { createManualClock } from '../support/manual-clock.ts';

interface FakeThread {
  readonly texts: string[];
  isEnded: boolean;
  readonly to: Parameters<StartYamlThread>[0];
  /** Reads the text that was sent last. */
  answer(): void;
}

function createFixture(canStart = () => true) {
  const clock = createManualClock();
  const threads: FakeThread[] = [];
  const start: StartYamlThread = (to) => {
    if (!canStart()) throw new Error('no more threads');
    const thread: FakeThread = {
      texts: [],
      isEnded: false,
      to,
      answer: () => to.onAnswer(answerYaml(thread.texts.at(-1) ?? '')),
    };
    threads.push(thread);
    return {
      send: (text) => void thread.texts.push(text),
      end: () => {
        thread.isEnded = true;
        return Promise.resolve();
      },
    };
  };
  const reader = createYamlReader({ start, clock, log: silentLog, metrics: silentMetrics });
  return { clock, threads, reader };
}

test('Y1 texts are read one at a time, in order, by one thread that the first one starts', async (t) => {
  const { threads, reader } = createFixture();
  t.is(threads.length, 0);
  const [one, two] = [reader.read('a: 1'), reader.read('b: 2')];
  const [thread] = threads;
  t.deepEqual(thread?.texts, ['a: 1']);
  thread?.answer();
  t.deepEqual(await one, { value: { a: 1 }, duplicates: [] });
  thread?.answer();
  t.deepEqual(await two, { value: { b: 2 }, duplicates: [] });
  t.is(threads.length, 1);
});

test('errors are those of the parser', async (t) => {
  const { threads, reader } = createFixture();
  const broken = t.throwsAsync(reader.read('a: ['), { name: 'YamlSyntaxError' });
  threads[0]?.answer();
  t.regex((await broken)?.message ?? '', /^yaml: line 1/);
  const many = t.throwsAsync(reader.read('k: v\n'.repeat(3_000)), { name: 'ApiError' });
  threads[0]?.answer();
  t.regex((await many)?.message ?? '', /limit of YAML is 2500 keys and values; send JSON/);
});

test('Y1 a full queue is 429 with a time to come again, and goes on when there is room', async (t) => {
  const { threads, reader } = createFixture();
  const reading = Array.from({ length: waitingMax + 1 }, () => reader.read('a: 1'));
  const refused = await t.throwsAsync(reader.read('a: 1'), { name: 'ApiError' });
  t.like(refused, { code: 429, retryAfterSeconds: 1 });
  threads[0]?.answer();
  await reading[0];
  const later = reader.read('a: 2');
  for (let text = 0; text <= waitingMax; text += 1) threads[0]?.answer();
  t.deepEqual((await later).value, { a: 2 });
  t.is((await Promise.all(reading)).length, waitingMax + 1);
});

test('Y2 a text that takes too long is 504, its thread is ended, those who wait get a new one', async (t) => {
  const { clock, threads, reader } = createFixture();
  const [slow, next] = [reader.read('slow: 1'), reader.read('next: 1')];
  const late = t.throwsAsync(slow, { message: /YAML was not read within 5s; send JSON/ });
  await clock.advance(readMs - 1);
  t.is(threads.length, 1);
  await clock.advance(1);
  t.like(await late, { code: 504 });
  t.true(threads[0]?.isEnded);
  t.deepEqual(threads[1]?.texts, ['next: 1']);
  threads[0]?.answer(); // too late: nobody listens to it
  threads[0]?.to.onLoss('fault', new Error('exit 1'));
  threads[1]?.answer();
  t.deepEqual((await next).value, { next: 1 });
});

test('Y2 a text that ends the thread is refused alone: 413 for memory, 500 for a fault', async (t) => {
  const { threads, reader } = createFixture();
  const reading = ['big: 1', 'odd: 1', 'good: 1'].map((text) => reader.read(text));
  const [big, odd] = reading.slice(0, 2).map((each) => t.throwsAsync(each, { name: 'ApiError' }));
  threads[0]?.to.onLoss('memory', new Error('out of memory'));
  t.like(await big, { code: 413 });
  threads[1]?.to.onLoss('fault', new Error('exit 1'));
  t.like(await odd, { code: 500 });
  threads[2]?.answer();
  t.deepEqual((await reading[2])?.value, { good: 1 });
});

test('Y2 a thread that cannot be started costs the request that needs it; the next tries again', async (t) => {
  let isFull = true;
  const { threads, reader } = createFixture(() => !isFull);
  t.like(await t.throwsAsync(reader.read('a: 1')), { code: 500 });
  isFull = false;
  const reading = reader.read('a: 1');
  threads[0]?.answer();
  t.deepEqual((await reading).value, { a: 1 });
});

test('a thread that rests is ended, and started by the next text', async (t) => {
  const { clock, threads, reader } = createFixture();
  const reading = reader.read('a: 1');
  threads[0]?.answer();
  await reading;
  await clock.advance(idleMs - 1);
  t.false(threads[0]?.isEnded);
  const again = reader.read('a: 2');
  threads[0]?.answer();
  await again;
  await clock.advance(idleMs);
  t.true(threads[0]?.isEnded);
  const last = reader.read('a: 3');
  threads[1]?.answer();
  t.deepEqual((await last).value, { a: 3 });
});

test('Y3 closing refuses what waits, ends the thread, and leaves no timer', async (t) => {
  const { clock, threads, reader } = createFixture();
  const reading = [reader.read('a: 1'), reader.read('a: 2')];
  const refused = Promise.all(reading.map((each) => t.throwsAsync(each, { name: 'ApiError' })));
  await reader.close();
  for (const error of await refused) t.like(error, { code: 503 });
  t.true(threads[0]?.isEnded);
  t.like(await t.throwsAsync(reader.read('a: 3')), { code: 503 });
  await clock.advance(10 * idleMs);
  t.is(threads.length, 1);
});
