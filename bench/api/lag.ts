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
// Metrics have buckets, so their numbers are upper bounds: `8` says that all were 8 ms or less.

import { fork } from 'node:child_process';
import { sleep, systemClock } from '../../common/runtime/clock.ts';
import type { GcKind } from '../../common/runtime/gc-pauses.ts';
import { lagBucketsSeconds } from '../../common/runtime/lag.ts';
import type { BenchContext } from '../context.ts';
import { giveWay } from '../low-priority.ts';
import { noteConditions, type Grid, type Report } from '../report.ts';
import { toNumberSetting, type BenchDefinition } from '../settings.ts';
import { summarize, type Summary } from '../statistics.ts';
import { openHttp2Pool, type Http2Pool } from './http2-pool.ts';
import { lagPhases } from './lag-phases.ts';
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
const goalMs = 10; // I11
// The door tells of its turns once a second, a thread what was its own code a few turns later.
const settleMs = 1_300;

async function measureLag(services: number, context: BenchContext): Promise<Report> {
  const { say, lifecycle } = context;
  const conditions = noteConditions(systemClock);
  say('starting a coordinator and an idle process');
  const idle = startProbe(context);
  const { credentials, admin } = await startOurs(context);
  giveWay();
  const pool = await openHttp2Pool(credentials, sessions);
  lifecycle.onClose({ name: 'connections', close: () => pool.close() });
  const body = JSON.stringify({ metadata: { name: 'held' } });
  await pool.request({ method: 'POST', path: '/api/v1/namespaces', body });
  const open = (count: number): Promise<Http2Pool> => openHttp2Pool(credentials, count);
  const phases: Phase[] = [];
  for (const { name, run } of lagPhases) {
    say(name);
    const [before, beforeDoor] = await readTurns(admin);
    await idle.take();
    await run({ pool, open, services });
    await sleep(systemClock, settleMs);
    const others = summarize(await idle.take());
    const [after, afterDoor] = await readTurns(admin);
    const turnsOf = (metric: keyof Turns): Summary | undefined =>
      summarizeTurns(before[metric], after[metric]);
    const doorOf = (metric: keyof Turns): Summary | undefined =>
      summarizeTurns(beforeDoor[metric], afterDoor[metric]);
    phases.push({
      name,
      cpu: turnsOf('cpu'),
      own: turnsOf('own'),
      doorCpu: doorOf('cpu'),
      doorOwn: doorOf('own'),
      doorMajor: doorOf('major'),
      minor: turnsOf('minor'),
      major: turnsOf('major'),
      wall: turnsOf('all'),
      idle: others,
    });
  }
  return {
    bench: lag.name,
    settings: { services },
    conditions: conditions(),
    measures: [],
    grid: toGrid(phases),
    facts: {
      'phases over 10 ms': phases.filter(({ cpu }) => isOver(cpu)).length,
      'phases over 10 ms by our own code': phases.filter(({ own }) => isOver(own)).length,
      'phases over 10 ms at the door': phases.filter(({ doorCpu }) => isOver(doorCpu)).length,
      'phases over 10 ms at the door by its own code': phases.filter(({ doorOwn }) =>
        isOver(doorOwn),
      ).length,
    },
  };
}

interface Phase {
  readonly name: string;
  /** Turns by CPU, with collections and without. */
  readonly cpu: Summary | undefined;
  readonly own: Summary | undefined;
  /** The same of the thread that has the connections. */
  readonly doorCpu: Summary | undefined;
  readonly doorOwn: Summary | undefined;
  readonly doorMajor: Summary | undefined;
  /** Collections. */
  readonly minor: Summary | undefined;
  readonly major: Summary | undefined;
  /** Turns with waits for a core, ours and those of a process that does nothing. */
  readonly wall: Summary | undefined;
  readonly idle: Summary | undefined;
}

function isOver(summary: Summary | undefined): boolean {
  return summary !== undefined && summary.max > goalMs;
}

function judge(
  own: readonly (Summary | undefined)[],
  cpu: readonly (Summary | undefined)[],
): string {
  if (own.some(isOver)) return 'MISSED';
  return cpu.some(isOver) ? 'missed by collecting' : 'met';
}

function toGrid(phases: readonly Phase[]): Grid {
  const maxOf = (summary: Summary | undefined): number | string =>
    summary === undefined ? '-' : Math.round(summary.max * 10) / 10;
  return {
    head: [
      'milliseconds',
      'turns',
      'CPU p90',
      'CPU max',
      'own max',
      'young GC',
      'old GC',
      'door CPU max',
      'own max',
      'old GC',
      'wall max',
      'idle process',
      `max ${goalMs}`,
    ],
    rows: phases.map(
      ({ name, cpu, own, minor, major, doorCpu, doorOwn, doorMajor, wall, idle }) => [
        name,
        cpu?.count ?? 0,
        cpu?.p90 ?? '-',
        maxOf(cpu),
        maxOf(own),
        maxOf(minor),
        maxOf(major),
        maxOf(doorCpu),
        maxOf(doorOwn),
        maxOf(doorMajor),
        maxOf(wall),
        maxOf(idle),
        judge([own, doorOwn], [cpu, doorCpu]),
      ],
    ),
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

/** By bucket, each with those of the lower ones, as Prometheus counts; the last is all. */
interface Turns {
  readonly all: readonly number[];
  readonly cpu: readonly number[];
  readonly own: readonly number[];
  /** Collections. */
  readonly minor: readonly number[];
  readonly major: readonly number[];
}

/** Of the main thread and of the door. */
async function readTurns(admin: string): Promise<readonly [Turns, Turns]> {
  const response = await fetch(`${admin}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  return [readThread(text, 'main'), readThread(text, 'door')];
}

function readThread(text: string, thread: string): Turns {
  const read = (metric: string, labels = ''): readonly number[] =>
    [...lagBucketsSeconds.map(String), '+Inf'].map((bound) => {
      const line = `${metric}_bucket{le="${bound}",thread="${thread}"${labels}} `;
      const at = text.indexOf(line);
      return at < 0 ? 0 : Number.parseFloat(text.slice(at + line.length));
    });
  const pauses = (kind: GcKind): readonly number[] =>
    read('mesh_event_loop_gc_pause_seconds', `,kind="${kind}"`);
  const incremental = pauses('incremental');
  return {
    all: read('mesh_event_loop_turn_seconds'),
    cpu: read('mesh_event_loop_turn_cpu_seconds'),
    own: read('mesh_event_loop_turn_own_cpu_seconds'),
    minor: pauses('minor'),
    major: pauses('major').map((count, index) => count + (incremental[index] ?? 0)),
  };
}

/** Every timer as late as its bucket allows. */
function summarizeTurns(before: readonly number[], after: readonly number[]): Summary | undefined {
  const values: number[] = [];
  let lower = 0;
  after.forEach((count, index) => {
    const upTo = count - (before[index] ?? 0);
    const ms = (lagBucketsSeconds[index] ?? Number.POSITIVE_INFINITY) * 1000;
    for (let each = lower; each < upTo; each += 1) values.push(ms);
    lower = upTo;
  });
  return summarize(values);
}
