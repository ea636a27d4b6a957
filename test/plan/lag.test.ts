// How long turns of the event loop are, and whose: waits for a core, our code, collections.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { watchGcPauses, type GcPause } from '../../common/runtime/gc-pauses.ts';
import { startLagMeter } from '../../common/runtime/lag.ts';
import { createMetrics, silentMetrics } from '../../common/runtime/metrics.ts';
import { createManualClock } from '../support/api-fixture.ts';

test('I11 the lag meter tells how late a turn made it, and the latest of a minute', async (t) => {
  const clock = createManualClock();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  const meter = startLagMeter({ thread: 'main', clock, metrics });
  clock.advance(10);
  clock.advance(35); // a turn of 25 ms more than it was due after
  t.is(meter.maxMs(), 25);
  const text = await metrics.expose();
  t.regex(text, /^mesh_event_loop_turn_max_seconds\{thread="main"\} 0\.025$/m);
  t.regex(text, /^mesh_event_loop_turn_seconds_bucket\{le="0\.02",thread="main"\} 1$/m);
  t.regex(text, /^mesh_event_loop_turn_seconds_bucket\{le="0\.05",thread="main"\} 2$/m);
  for (let step = 0; step < 6_001; step += 1) clock.advance(10);
  t.is(meter.maxMs(), 0);
  meter.stop();
  clock.advance(1_000);
  t.is(meter.maxMs(), 0);
});

test('the lag meter tells apart what the thread did and what it waited for a core', async (t) => {
  const clock = createManualClock();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  let [ranMs, waitedMs] = [100, 50];
  const meter = startLagMeter({
    thread: 'main',
    clock,
    metrics,
    times: () => ({ ranMs, waitedMs }),
  });
  const cpu = /^mesh_event_loop_turn_cpu_seconds_sum\{thread="main"\} (\S+)$/m;
  const cpuSeconds = async (): Promise<number> => Number(cpu.exec(await metrics.expose())?.[1]);
  ranMs += 8;
  clock.advance(35); // late by 25 ms; it ran for 8 and slept
  t.regex(await metrics.expose(), /^mesh_event_loop_turn_seconds_sum\{thread="main"\} 0\.025$/m);
  t.is(await cpuSeconds(), 0.008);
  ranMs += 20;
  waitedMs += 5;
  clock.advance(35); // it slept until it was due, and then could run for 25
  t.is(await cpuSeconds(), 0.028);
  ranMs += 28;
  waitedMs += 7;
  clock.advance(35); // it could run all the time, and did for four fifths of it
  t.is(await cpuSeconds(), 0.048);
  meter.stop();
});

test('the lag meter tells apart our code and the collection of garbage', async (t) => {
  const clock = createManualClock();
  const metrics = createMetrics({ withProcess: false, clock: systemClock });
  const startMs = clock.monotonicMs();
  let ranMs = 0;
  let onPause: (pause: GcPause) => void = () => undefined;
  let isWatched = true;
  const meter = startLagMeter({
    thread: 'main',
    clock,
    metrics,
    times: () => ({ ranMs, waitedMs: 0 }),
    watchGc: (listener) => {
      onPause = listener;
      return () => void (isWatched = false);
    },
  });
  ranMs += 30;
  clock.advance(35); // late by 25 ms, on a core all the time
  // Told afterwards: two that began or ended within the turn, and one of before.
  onPause({ startMs: startMs + 2, durationMs: 3, kind: 'incremental' });
  onPause({ startMs: startMs + 8, durationMs: 5, kind: 'minor' });
  onPause({ startMs: startMs + 20, durationMs: 12, kind: 'major' });
  clock.advance(10);
  const text = await metrics.expose();
  t.regex(text, /^mesh_event_loop_turn_cpu_seconds_sum\{thread="main"\} 0\.025$/m);
  t.regex(text, /^mesh_event_loop_turn_own_cpu_seconds_sum\{thread="main"\} 0\.01$/m);
  t.regex(text, /^mesh_event_loop_gc_pause_seconds_sum\{thread="main",kind="major"\} 0\.012$/m);
  meter.stop();
  t.false(isWatched);
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

test('the lag meter wakes a thread that rests ten times a second, one that works a hundred', (t) => {
  const clock = createManualClock();
  let [ranMs, wakes] = [0, 0];
  const metrics = { ...silentMetrics, observe: () => void (wakes += 1) };
  const meter = startLagMeter({
    thread: 'main',
    clock,
    metrics,
    times: () => ({ ranMs, waitedMs: 0 }),
  });
  const second = (cpuMs: number): number => {
    const before = wakes;
    for (let at = 0; at < 100; at += 1) {
      ranMs += cpuMs;
      clock.advance(10);
    }
    return (wakes - before) / 3; // three histograms
  };
  second(0);
  t.is(second(0), 10);
  second(5);
  t.is(second(5), 100);
  meter.stop();
});
