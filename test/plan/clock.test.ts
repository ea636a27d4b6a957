import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';

test('a delay beyond what a timer of Node holds is a long one, not a millisecond', async (t) => {
  let isEarly = false;
  // What a client of a watch may ask for: timeoutSeconds=99999999999.
  const timer = systemClock.after(99_999_999_999_000, () => {
    isEarly = true;
  });
  await new Promise<void>((resolve) => {
    const keep = setInterval(() => undefined, 1_000);
    systemClock.after(20, () => {
      clearInterval(keep);
      resolve();
    });
  });
  timer.cancel();
  t.false(isEarly);
});
