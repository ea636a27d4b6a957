// `npm run bench -- lag`: how long the turns of a coordinator's event loop are, by its own metric,
// while it is asked for everything that could take long (lag-phases.ts). Beside each phase stands
// how late the timer of an idle process was in the same seconds: what the machine itself adds.
//
// On a machine that is busy with other things the thread waits for a core in the middle of a turn.
// So the bound is held against the metric that leaves that out, once with the pauses in which V8
// collected garbage and once without: only what remains then is our code's. A pause is wall time, as
// V8 tells no other. In life the clients are on other machines: here they give way (low-priority.ts),
// or the helpers that V8 waits for in a pause would wait for them.
//
// What a virtual machine stood still is in no account of its kernel, so it is in these metrics too. Where perf is
// there and may look (root, or kernel.perf_event_paranoid below 2), the long turns are told once more by what their
// thread executed (executed-time.ts): a phase that only the machine took over the bound is told as that.
//
// Metrics have buckets, so their numbers are upper bounds: `8` says that all were 8 ms or less.

import { fork } from 'node:child_process';
import { sleep, systemClock } from '../../common/runtime/clock.ts';
import type { BenchContext } from '../context.ts';
import { giveWay } from '../low-priority.ts';
import { noteConditions, type Report } from '../report.ts';
import { toNumberSetting, type BenchDefinition } from '../settings.ts';
import { sharedMs } from '../shared-clock.ts';
import { summarize } from '../statistics.ts';
import { openExecutedTime } from './executed-time.ts';
import { openHttp2Pool, type Http2Pool } from './http2-pool.ts';
import { lagPhases } from './lag-phases.ts';
import { toTable, type Phase } from './lag-table.ts';
import { readTurns, summarizeThread } from './lag-turns.ts';
import { startOurs } from './target.ts';

export const lag: BenchDefinition = {
  name: 'lag',
  summary: 'How long the turns of the event loop are, under load and under hostile bodies.',
  settings: [
    toNumberSetting('services', 10_000, [100, 50_000], 'Services that are listed and watched.'),
  ],
  measure: (values, context) => measureLag(values.number('services') ?? 0, context), // has a default
};

const sessions = 4;
// The door tells of its turns once a second, a thread what was its own code a few turns later.
const settleMs = 1_300;

async function measureLag(services: number, context: BenchContext): Promise<Report> {
  const { say, lifecycle } = context;
  const conditions = noteConditions(systemClock);
  say('starting a coordinator and an idle process');
  const idle = startProbe(context);
  const executed = openExecutedTime(context);
  const { credentials, admin, pids } = await startOurs(context, executed);
  const isLookedAt = await executed.watch(pids[0] ?? 0);
  if (!isLookedAt) say('perf is not there or may not look: what turns executed will not be told');
  giveWay();
  const pool = await openHttp2Pool(credentials, sessions);
  lifecycle.onClose({ name: 'connections', close: () => pool.close() });
  const body = JSON.stringify({ metadata: { name: 'held' } });
  await pool.request({ method: 'POST', path: '/api/v1/namespaces', body });
  const open = (count: number): Promise<Http2Pool> => openHttp2Pool(credentials, count);
  const phases: Phase[] = [];
  for (const { name, run } of lagPhases) {
    say(name);
    const before = await readTurns(admin);
    await idle.take();
    const fromMs = sharedMs();
    await run({ pool, open, services });
    await sleep(systemClock, settleMs);
    const untilMs = sharedMs();
    const others = summarize(await idle.take());
    const after = await readTurns(admin);
    phases.push({
      name,
      fromMs,
      untilMs,
      main: summarizeThread(before.main, after.main),
      door: summarizeThread(before.door, after.door),
      idle: others,
    });
  }
  if (isLookedAt) say('counting what was executed');
  const turns = isLookedAt ? await executed.take() : undefined;
  const { grid, facts } = toTable(phases, turns);
  return {
    bench: lag.name,
    settings: { services },
    conditions: conditions(),
    measures: [],
    grid,
    facts,
  };
}

interface Probe {
  /** Milliseconds, since it was last asked. */
  take(): Promise<readonly number[]>;
}

function startProbe({ lifecycle }: BenchContext): Probe {
  const child = fork(new URL('./lag-probe.js', import.meta.url));
  lifecycle.onClose({
    name: 'idle process',
    close: () => {
      child.kill();
      return Promise.resolve();
    },
  });
  return {
    take: () =>
      new Promise((resolve) => {
        child.once('message', (values) => resolve(values as readonly number[])); // lag-probe.ts
        child.send('take');
      }),
  };
}
