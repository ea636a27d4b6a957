import test from 'ava';
import type { RestBounds } from '../../common/runtime/key-rest.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

/** One key at a time, each for a second. */
function openLoop(rest?: RestBounds) {
  const clock = createVirtualClock();
  const runs: string[] = [];
  const loop = createLoop<string>({
    name: 'test',
    clock,
    chance: createSeededChance('loop'),
    log: silentLog,
    concurrency: 1,
    ...(rest === undefined ? {} : { rest }),
    run: (key) => {
      runs.push(key);
      return new Promise((resolve) => clock.after(1000, () => resolve(undefined)));
    },
  });
  return { clock, loop, runs };
}

test('L4 what is urgent waits for what runs, and for nothing that is due', async (t) => {
  const { clock, loop, runs } = openLoop();
  for (let at = 0; at < 1000; at += 1) loop.mark(`edit-${at}`);
  await clock.advance(1500);
  loop.markFirst('dead');
  await clock.advance(1000);
  t.deepEqual(runs, ['edit-0', 'edit-1', 'dead']);
});

test('L4 what was due and becomes urgent runs once', async (t) => {
  const { clock, loop, runs } = openLoop();
  for (const key of ['a', 'b', 'c', 'd']) loop.mark(key);
  await clock.settle();
  loop.markFirst('d');
  loop.mark('d');
  await clock.advance(10_000);
  t.deepEqual(runs, ['a', 'd', 'b', 'c']);
  t.is(loop.depth(), 0);
});

test('L2 a key that is marked urgent while it runs runs again, once', async (t) => {
  const { clock, loop, runs } = openLoop();
  for (const key of ['a', 'b']) loop.mark(key);
  await clock.settle();
  loop.markFirst('a');
  await clock.advance(10_000);
  t.deepEqual(runs, ['a', 'a', 'b']);
});

test('L5 a key rests after its run, and all marks of that time are one run', async (t) => {
  const { clock, loop, runs } = openLoop({ times: 4, maxMs: 10_000 });
  loop.mark('a'); // quiet before: at once
  await clock.advance(500);
  loop.mark('a'); // while it runs
  await clock.advance(1_000);
  for (let at = 0; at < 100; at += 1) loop.mark('a'); // while it rests
  t.is(loop.depth(), 1);
  await clock.advance(3_499);
  t.deepEqual(runs, ['a']);
  await clock.advance(1);
  t.deepEqual(runs, ['a', 'a']);
  await clock.advance(10_000);
  t.deepEqual(runs, ['a', 'a']);
  t.is(loop.depth(), 0);
});

test('L5 a key that rests delays no other, and is urgent afterwards when it was marked so', async (t) => {
  const { clock, loop, runs } = openLoop({ times: 4, maxMs: 2_000 });
  loop.mark('a');
  await clock.advance(1_000);
  loop.markFirst('a');
  for (const key of ['b', 'c', 'd', 'e', 'f']) loop.mark(key);
  await clock.advance(3_900);
  t.deepEqual(runs, ['a', 'b', 'c', 'a', 'd']); // after two seconds, ahead of d
});

test('L5 a loop with a key that waits for its rest is not idle, and ends at once', async (t) => {
  const { clock, loop, runs } = openLoop({ times: 4, maxMs: 10_000 });
  loop.mark('a');
  await clock.advance(1_000);
  loop.mark('a');
  let isIdle = false;
  const idle = loop.idle().then(() => (isIdle = true));
  await clock.advance(4_500);
  t.false(isIdle);
  await clock.advance(1_000);
  await idle;
  t.deepEqual(runs, ['a', 'a']);
  loop.mark('a');
  await loop.stop();
  t.is(clock.pending(), 0);
  t.deepEqual(runs, ['a', 'a']);
});
