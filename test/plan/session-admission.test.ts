// Who is let in when many come at once (A1 to A4 of admission.ts), and what an agent makes of a hint.

import test from 'ava';
import { planRetry } from '../../agent/session/step.ts';
import { Admission, type AdmissionBounds } from '../../coordinator/session/admission.ts';
import type { Refusal } from '../../coordinator/session/mesh-port.ts';
import { createManualClock } from '../support/manual-clock.ts';

const bounds: AdmissionBounds = {
  atOnce: 2,
  waitingMax: 6,
  ofOriginMax: 4,
  patienceMs: 60_000,
};
const tookMs = 100;

/** Each work takes 100 ms. */
function open(given: Partial<AdmissionBounds> = {}) {
  const clock = createManualClock();
  const admission = new Admission({ ...bounds, ...given }, clock);
  const begun: string[] = [];
  const refused: Refusal[] = [];
  let [running, most] = [0, 0];
  const come = (name: string, options: { origin?: string; isGone?: () => boolean } = {}) => {
    const { origin = name, isGone = () => false } = options;
    return admission
      .pass({ origin, isGone }, async () => {
        begun.push(name);
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => void clock.after(tookMs, resolve));
        running -= 1;
        return name;
      })
      .then((outcome) => {
        if (typeof outcome === 'object') refused.push(outcome);
        return outcome;
      });
  };
  return { clock, admission, begun, refused, come, most: () => most };
}

test('I11 few are let in at once, the others in the order of their coming', async (t) => {
  const { clock, begun, come, most } = open();
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => come(name));
  t.deepEqual(begun, ['a', 'b']);
  await clock.advance(3 * tookMs);
  t.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd', 'e']);
  t.is(most(), 2);
});

test('one that fails makes room as well', async (t) => {
  const { admission, come, clock } = open({ atOnce: 1 });
  const visitor = { origin: 'x', isGone: () => false };
  const failed = admission.pass(visitor, () => Promise.reject(new Error('no store')));
  await t.throwsAsync(failed, { message: 'no store' });
  const next = come('next');
  await clock.advance(tookMs);
  t.is(await next, 'next');
});

test('origins take turns: one that sends many delays another by one', async (t) => {
  const { clock, begun, come } = open({ atOnce: 1 });
  for (const name of ['m1', 'm2', 'm3', 'm4']) void come(name, { origin: 'many' });
  void come('other');
  await clock.advance(5 * tookMs);
  t.deepEqual(begun, ['m1', 'm2', 'other', 'm3', 'm4']);
});

test('I11 the queue has an end, and so has the part of one origin', async (t) => {
  const { come, refused, clock } = open({ atOnce: 1, ofOriginMax: 2 });
  for (const name of ['m1', 'm2', 'm3', 'm4']) void come(name, { origin: 'many' });
  await clock.advance(0);
  t.is(refused.length, 1, 'one is served, two wait');
  for (const name of ['a', 'b', 'c', 'd', 'e']) void come(name);
  await clock.advance(0);
  t.is(refused.length, 2, 'six wait');
  t.deepEqual(
    new Set(refused.map(({ reason, retry }) => `${reason} ${retry}`)),
    new Set(['Busy true']),
  );
});

test('no work is wasted on who has given up, and his place is free', async (t) => {
  const { clock, begun, come, refused, admission } = open({ atOnce: 1, ofOriginMax: 1 });
  void come('first');
  let isGone = false;
  const gone = come('old', { origin: 'one', isGone: () => isGone });
  isGone = true;
  const again = come('new', { origin: 'one' });
  t.is(await gone, undefined);
  t.is(admission.waiting, 1);
  await clock.advance(2 * tookMs);
  t.is(await again, 'new');
  t.deepEqual(begun, ['first', 'new']);
  t.deepEqual(refused, []);
});

test('who would wait too long is told to come again, each at a time of his own', async (t) => {
  const { clock, come, refused } = open({ atOnce: 1, waitingMax: 1_000, patienceMs: 1_000 });
  for (let index = 0; index < 10; index += 1) {
    void come(`warm ${index}`); // how long one takes is known then
    await clock.advance(tookMs);
  }
  for (let index = 0; index < 200; index += 1) void come(`c${index}`);
  await clock.advance(0);
  const hints = refused.map(({ retryAfterMs = 0 }) => retryAfterMs);
  t.true(hints.length > 150 && hints.length < 195, String(hints.length));
  t.true(hints.every((hint) => hint >= 1_000 && hint <= 60_000));
  // A hundred seconds of work for ten a second are not all asked for in the same second.
  const spread = new Set(hints.map((hint) => Math.floor(hint / 1_000)));
  t.true(spread.size >= 10, [...spread].join());
  t.true((hints.at(-1) ?? 0) > (hints[0] ?? 0));
});

test('1,000 that come at once are in after little more than the work takes, with few second tries', async (t) => {
  const { clock, come } = open({ atOnce: 8, waitingMax: 512, ofOriginMax: 256, patienceMs: 5_000 });
  let [isIn, tries] = [0, 0];
  const agent = async (index: number): Promise<void> => {
    for (let failures = 1; ; failures += 1) {
      tries += 1;
      const outcome = await come(`agent ${index}`, { origin: `10.0.0.${index % 50}` });
      if (typeof outcome === 'string') return void (isIn += 1);
      const fraction = ((index * 7919) % 1_000) / 1_000;
      const afterMs = outcome?.retryAfterMs;
      const delayMs = planRetry({ failures, retry: true, fraction, afterMs });
      await new Promise<void>((resolve) => void clock.after(delayMs, resolve));
    }
  };
  for (let index = 0; index < 1_000; index += 1) void agent(index);
  await clock.advance(30_000); // the work alone: 12.5 s
  t.is(isIn, 1_000);
  t.true(tries < 2_500, String(tries));
});

test('an agent comes no earlier than it was told, and never stays away for more than minutes', (t) => {
  const wait = (afterMs: number, fraction: number): number =>
    planRetry({ failures: 9, retry: true, afterMs, fraction });
  for (const fraction of [0, 0.5, 1]) {
    t.true(wait(4_000, fraction) >= 4_000 && wait(4_000, fraction) <= 5_000);
    t.true(wait(1e12, fraction) <= 375_000);
  }
  t.true(wait(4_000, 1) > wait(4_000, 0));
});
