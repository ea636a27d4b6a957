// All who work in a turn of the event loop share the time of it.

import test from 'ava';
import { restOf } from '../../common/runtime/rest.ts';
import { RunTurns } from '../../common/runtime/run-turns.ts';
import { paceTurns } from '../../common/runtime/turn-pace.ts';
import { turnTimeOf } from '../../common/runtime/turn-time.ts';
import { Turns } from '../../coordinator/api/machinery/watch/watch-turns.ts';
import { createLoopClock } from '../support/loop-clock.ts';

const stepMs = 0.25;

test('T1 a turn in which requests, writes, loops and watches have much to do is not the sum of their times', async (t) => {
  const { clock, work, turn, settle, isIdle } = createLoopClock();
  const done = { requests: 0, writes: 0, runs: 0, watches: 0 };
  const each = 40;
  const serve = paceTurns<number>(
    clock,
    () => {
      done.requests += 1;
      work(stepMs);
    },
    { time: turnTimeOf(clock), untilMs: 2 },
  );
  const rest = restOf(clock);
  const write = async (): Promise<void> => {
    await rest();
    work(stepMs);
    done.writes += 1;
  };
  const runs = new RunTurns(clock);
  const watches = new Turns(clock);
  for (let one = 0; one < each; one += 1) {
    watches.add({
      run: () => {
        work(stepMs);
        done.watches += 1;
        return false;
      },
    });
    serve(one);
    runs.ask(() => {
      work(stepMs);
      done.runs += 1;
      return false;
    });
  }
  const writes = Array.from({ length: each }, write);
  await settle();
  const turns: number[] = [];
  while (!isIdle()) turns.push(await turn());
  await Promise.all(writes);
  t.deepEqual(done, { requests: each, writes: each, runs: each, watches: each });
  t.true(Math.max(...turns) <= 4, String(turns)); // 5 where each has a time of its own
});

test('T2 who finds the turn used up by others has a part of it all the same', async (t) => {
  const { clock, work, turn, isIdle } = createLoopClock();
  const hog = (): void => {
    turnTimeOf(clock).usedMs();
    work(5); // more than there is, in each turn
    if (count < 20) clock.soon(hog);
  };
  let count = 0;
  const runs = new RunTurns(clock);
  hog();
  runs.ask(() => {
    work(stepMs);
    count += 1;
    return count < 20;
  });
  let turns = 0;
  for (; !isIdle() && turns < 100; turns += 1) await turn();
  t.is(count, 20);
  t.true(turns >= 10 && turns <= 25, String(turns));
});

test('T3 the promises that follow a run at once are in the time of the turn', async (t) => {
  const { clock, work, turn, isIdle } = createLoopClock();
  const runs = new RunTurns(clock);
  let count = 0;
  for (let loop = 0; loop < 20; loop += 1) {
    runs.ask(() => {
      void Promise.resolve().then(() => {
        work(0.6);
        count += 1;
      });
      return false;
    });
  }
  const turns: number[] = [];
  while (!isIdle()) turns.push(await turn());
  t.is(count, 20);
  t.true(Math.max(...turns) < 1.6, String(turns));
});
