// How long turns of the event loop are, and whose: waits for a core, our code, collections.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { watchGcPauses, type GcPause } from '../../common/runtime/gc-pauses.ts';
import { startLagMeter, turnChannel, type ToldTurn } from '../../common/runtime/lag.ts';
import { watchTurns, type LoopTurn } from '../../common/runtime/loop-turns.ts';
import { openThreadTimes, threadCpuMs, type ThreadTimes } from '../../common/runtime/thread-cpu.ts';
import { createMetrics } from '../../common/runtime/metrics.ts';

/** Turns that are told by hand: each slept, and then was busy. */
function createTurns() {
  let nowMs = 1_000;
  let onTurn: (turn: LoopTurn) => void = () => undefined;
  const world = {
    nowMs: () => nowMs,
    isWatched: true,
    watchTurns: (listener: (turn: LoopTurn) => void) => {
      onTurn = listener;
      return () => void (world.isWatched = false);
    },
    turn: (busyMs: number, sleptMs = 0, times?: ThreadTimes): void => {
      const startMs = nowMs;
      nowMs += sleptMs + busyMs;
      onTurn({ startMs, endMs: nowMs, busyMs, times });
    },
    /** All of it on a core. */
    run: (busyMs: number): void => world.turn(busyMs, 0, { ranMs: busyMs, waitedMs: 0 }),
  };
  return world;
}

test('I11 the lag meter tells how long each turn was, and the longest of a minute', async (t) => {
  const { turn, watchTurns } = createTurns();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  const meter = startLagMeter({ thread: 'main', metrics, watchTurns });
  turn(1.9, 500);
  t.is(meter.maxMs(), 1.9);
  turn(11, 40);
  turn(2);
  t.is(meter.maxMs(), 11);
  const text = await metrics.expose();
  t.regex(text, /^mesh_event_loop_turn_max_seconds\{thread="main"\} 0\.011$/m);
  t.regex(text, /^mesh_event_loop_turn_seconds_bucket\{le="0\.01",thread="main"\} 1$/m);
  t.regex(text, /^mesh_event_loop_turn_seconds_bucket\{le="0\.012",thread="main"\} 2$/m);
  t.regex(text, /^mesh_event_loop_turn_seconds_count\{thread="main"\} 2$/m);
  turn(0.5, 60_000);
  t.is(meter.maxMs(), 0.5);
});

test('the lag meter leaves out what the thread waited for a core, and tells what it was blocked for', async (t) => {
  const { turn, watchTurns } = createTurns();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  startLagMeter({ thread: 'main', metrics, watchTurns });
  const cpu = /^mesh_event_loop_turn_cpu_seconds_sum\{thread="main"\} (\S+)$/m;
  let told = 0;
  const rows: readonly (readonly [string, number, number, number, number, number])[] = [
    // what, slept, busy, of it ran, waited, told
    ['it ran', 0, 25, 25, 0, 25],
    ['it waited for a core', 0, 25, 20, 5, 20],
    ['it was blocked', 0, 25, 5, 0, 25],
    ['it was blocked, and waited for a core', 0, 25, 5, 8, 17],
    ['it waited for a core before it woke up', 30, 25, 25, 8, 25],
    ['it waited for a core behind a long sleep', 30, 25, 5, 20, 5],
    ['what it ran to fall asleep and to wake up is not in the turn', 30, 3, 3.1, 0, 3],
    ['too short to be told', 9, 1.9, 1, 9, 0],
  ];
  for (const [what, sleptMs, busyMs, ranMs, waitedMs, toldMs] of rows) {
    turn(busyMs, sleptMs, { ranMs, waitedMs });
    told += toldMs;
    const sum = Number(cpu.exec(await metrics.expose())?.[1]) * 1000;
    t.is(Math.round(sum * 10) / 10, told, what);
  }
});

test('a thread knows how long it ran, and how long it waited for a core, or that nobody says', (t) => {
  const times = openThreadTimes();
  if (times === undefined) {
    t.is(threadCpuMs(), undefined);
    return;
  }
  const tries = 40;
  let whole = 0;
  for (let each = 0; each < tries; each += 1) {
    const fromMs = systemClock.monotonicMs();
    const from = times();
    while (systemClock.monotonicMs() < fromMs + 1.3); // below a tick of any kernel
    const until = times();
    const passedMs = systemClock.monotonicMs() - fromMs;
    const [ranMs, waitedMs] = [until.ranMs - from.ranMs, until.waitedMs - from.waitedMs];
    t.true(waitedMs >= 0 && ranMs >= 0);
    t.true(ranMs + waitedMs <= passedMs, `${ranMs} and ${waitedMs} of ${passedMs}`);
    if (ranMs + waitedMs > passedMs - 0.3) whole += 1;
  }
  // It may be put behind others between a clock and what it reads beside it; a virtual machine may stand still.
  t.true(whole >= tries / 2, `${whole} of ${tries}`);
});

test('the lag meter tells apart our code and the collection of garbage', async (t) => {
  const world = createTurns();
  const { run, watchTurns } = world;
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  let onPause: (pause: GcPause) => void = () => undefined;
  let isWatched = true;
  const meter = startLagMeter({
    thread: 'main',
    metrics,
    watchTurns,
    watchGc: (listener) => {
      onPause = listener;
      return () => void (isWatched = false);
    },
  });
  const startMs = world.nowMs();
  run(25); // on a core all the time
  run(0.1);
  // Told afterwards: two that began or ended within the turn, and one of before.
  onPause({ startMs: startMs - 8, durationMs: 3, kind: 'incremental' });
  onPause({ startMs: startMs - 2, durationMs: 5, kind: 'minor' });
  onPause({ startMs: startMs + 10, durationMs: 12, kind: 'major' });
  for (let each = 0; each < 3; each += 1) run(0.1);
  const text = await metrics.expose();
  t.regex(text, /^mesh_event_loop_turn_cpu_seconds_sum\{thread="main"\} 0\.025$/m);
  t.regex(text, /^mesh_event_loop_turn_own_cpu_seconds_sum\{thread="main"\} 0\.01$/m);
  t.regex(text, /^mesh_event_loop_gc_pause_seconds_sum\{thread="main",kind="major"\} 0\.012$/m);
  meter.stop();
  t.false(isWatched);
  t.false(world.isWatched);
});

test('who listens to the channel of turns is told of each by itself', (t) => {
  const { run, watchTurns, nowMs } = createTurns();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  startLagMeter({ thread: 'told', metrics, watchTurns });
  const told: ToldTurn[] = [];
  const listen = (message: unknown): void => {
    const turn = message as ToldTurn; // of this channel
    if (turn.thread === 'told') told.push(turn); // other tests have meters as well
  };
  subscribe(turnChannel, listen);
  t.teardown(() => unsubscribe(turnChannel, listen));
  const startMs = nowMs();
  run(12);
  const endMs = nowMs();
  for (let each = 0; each < 4; each += 1) run(0.1);
  t.deepEqual(told, [{ thread: 'told', startMs, endMs, cpuMs: 12, ownMs: 12 }]);
});

test('a turn that comes after a thousand collections still knows its own', async (t) => {
  const world = createTurns();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  let onPause: (pause: GcPause) => void = () => undefined;
  startLagMeter({
    thread: 'main',
    metrics,
    watchTurns: world.watchTurns,
    watchGc: (listener) => {
      onPause = listener;
      return () => undefined;
    },
  });
  for (let each = 0; each < 1_500; each += 1) {
    onPause({ startMs: world.nowMs(), durationMs: 1, kind: 'minor' });
    world.run(1);
  }
  onPause({ startMs: world.nowMs(), durationMs: 6, kind: 'major' });
  world.run(10);
  for (let each = 0; each < 4; each += 1) world.run(0.1);
  const text = await metrics.expose();
  t.regex(text, /^mesh_event_loop_turn_own_cpu_seconds_sum\{thread="main"\} 0\.004$/m);
});

test('every turn of this loop is seen, with what it was busy and without what it slept', async (t) => {
  const turns: LoopTurn[] = [];
  const unwatch = watchTurns((turn) => void turns.push(turn));
  const next = (): Promise<void> => new Promise((resolve) => void systemClock.soon(resolve));
  await next();
  const fromMs = systemClock.monotonicMs();
  while (systemClock.monotonicMs() < fromMs + 20);
  const untilMs = systemClock.monotonicMs();
  await next();
  await next();
  const busy = turns.find(({ startMs, endMs }) => startMs <= fromMs && endMs >= untilMs);
  t.true(busy !== undefined && busy.busyMs >= 20, JSON.stringify(turns));
  // What others do in this thread may take a part of it, or all.
  const sleepMs = 50;
  let sleptMs = 0;
  for (let attempt = 0; attempt < 20 && sleptMs < sleepMs / 2; attempt += 1) {
    turns.length = 0;
    const awake = createServer().listen(0, '127.0.0.1'); // a timer alone lets the process end
    await new Promise<void>((resolve) => void systemClock.after(sleepMs, resolve));
    awake.close();
    await next();
    await next();
    sleptMs = turns.reduce((sum, { startMs, endMs, busyMs }) => sum + endMs - startMs - busyMs, 0);
  }
  t.true(sleptMs >= sleepMs / 2, JSON.stringify(turns));
  unwatch();
  turns.length = 0;
  await next();
  await next();
  t.deepEqual(turns, []);
});

test('pauses of the collector are told with their kind, by the clock of everything else', async (t) => {
  const fromMs = systemClock.monotonicMs();
  const pauses: GcPause[] = [];
  const unwatch = watchGcPauses((pause) => void pauses.push(pause));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  for (let turn = 0; turn < 1_000 && pauses.length === 0; turn += 1)
    await new Promise<void>((resolve) => void systemClock.soon(resolve));
  unwatch();
  const major = pauses.find(({ kind }) => kind === 'major');
  t.true(major !== undefined && major.durationMs > 0);
  t.true(major !== undefined && major.startMs >= fromMs);
  t.true(major !== undefined && major.startMs <= systemClock.monotonicMs());
});
