import test from 'ava';
import { createLoop } from '../../common/runtime/loop.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

/** One key at a time, each for a second. */
function openLoop() {
  const clock = createVirtualClock();
  const runs: string[] = [];
  const loop = createLoop<string>({
    name: 'test',
    clock,
    chance: createSeededChance('loop'),
    log: silentLog,
    concurrency: 1,
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
