// When an agent takes a stream for dead (W1 to W3 of patience.ts).

import test from 'ava';
import { openingMs, Patience } from '../../agent/session/patience.ts';
import { createManualClock } from '../support/manual-clock.ts';

function open() {
  const clock = createManualClock();
  const silences: number[] = [];
  return { clock, silences, patience: new Patience(clock, (ms) => void silences.push(ms)) };
}

test('eight seconds of silence end a stream, a word in time does not', async (t) => {
  const { clock, silences, patience } = open();
  patience.begin(0);
  await clock.advance(7_999);
  patience.heard();
  await clock.advance(7_999);
  t.deepEqual(silences, []);
  await clock.advance(1);
  t.deepEqual(silences, [8_000]);
});

test('a stream that is being opened is given longer after each failure, within a bound', (t) => {
  t.is(openingMs(0), 8_000);
  for (let failures = 0; failures < 50; failures += 1) {
    t.true(openingMs(failures + 1) >= openingMs(failures));
    t.true(openingMs(failures) <= 30_000);
  }
  t.true(openingMs(4) > 25_000);
});

test('what came while the process stood still is read before silence is judged', async (t) => {
  const { clock, silences, patience } = open();
  patience.begin(0);
  // The timer is late; the message that lay in the socket is read right after it.
  clock.after(8_000, () => void clock.soon(() => patience.heard()));
  await clock.advance(8_100);
  t.deepEqual(silences, []);
  await clock.advance(8_000);
  t.deepEqual(silences, [8_000]);
});

test('nothing is judged any more once it is over', async (t) => {
  const { clock, silences, patience } = open();
  patience.begin(0);
  patience.cancel();
  await clock.advance(60_000);
  t.deepEqual(silences, []);
});
