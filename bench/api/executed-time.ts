// What a thread executed in each of its long turns: from where its core was looked at, many times a
// millisecond (perf-record(1), the kernel's cpu-clock). A virtual machine may stand still for longer than
// any bound, and no account of its kernel has that time: the thread ran on, as far as it knows. But nobody
// looks at a core meanwhile, so a turn that was executed has as many samples as its time, and one of
// which the host took a part has fewer.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { sleep, systemClock } from '../../common/runtime/clock.ts';
import type { BenchContext } from '../context.ts';

/** Shorter turns are not written down. */
export const longTurnMs = 6;
const samplesPerSecond = 4_000;
/** Who may not look, or looks at nobody, ends at once. */
const startMs = 500;

export interface LongTurn {
  readonly thread: string;
  /** The kernel's number of it. */
  readonly tid: number;
  /** CLOCK_MONOTONIC. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** As `mesh_event_loop_turn_cpu_seconds`. */
  readonly cpuMs: number;
  /** As `mesh_event_loop_turn_own_cpu_seconds`. */
  readonly ownMs: number;
}

export interface ExecutedTurn extends LongTurn {
  /** Of `cpuMs`: within a fraction of a millisecond. */
  readonly executedMs: number;
}

export interface ExecutedTime {
  /** For the coordinator's start. */
  readonly nodeArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** From now on its threads are looked at. False where perf is missing, or may not. */
  watch(pid: number): Promise<boolean>;
  /** All long turns since; ends it. */
  take(): Promise<readonly ExecutedTurn[]>;
}

export function openExecutedTime({ dir, lifecycle }: BenchContext): ExecutedTime {
  const turnsPath = join(dir, 'turns.jsonl');
  const samplesPath = join(dir, 'perf.data');
  const preload = join(import.meta.dirname, 'turn-record.js');
  let perf: ChildProcess | undefined;
  let gone: Promise<false> = Promise.resolve(false);
  lifecycle.onClose({
    name: 'perf',
    close: () => {
      perf?.kill('SIGKILL');
      return Promise.resolve();
    },
  });
  return {
    nodeArgs: ['--import', pathToFileURL(preload).href],
    env: { BENCH_TURNS_PATH: turnsPath },
    watch: async (pid) => {
      const how = ['-e', 'cpu-clock', '-F', String(samplesPerSecond), '-k', 'CLOCK_MONOTONIC'];
      const args = ['record', '-q', ...how, '-p', String(pid), '-o', samplesPath];
      const started = spawn('perf', args, { stdio: 'ignore' });
      gone = new Promise((resolve) => {
        started.once('error', () => resolve(false));
        started.once('exit', () => resolve(false));
      });
      const isThere = await Promise.race([gone, sleep(systemClock, startMs).then(() => true)]);
      if (isThere) perf = started;
      return isThere;
    },
    take: async () => {
      if (perf === undefined || !existsSync(turnsPath)) return [];
      perf.kill('SIGINT');
      await gone;
      perf = undefined;
      const lines = readFileSync(turnsPath, 'utf8').trimEnd().split('\n');
      const turns = lines.map((line) => JSON.parse(line) as LongTurn); // turn-record.ts
      return toExecuted(turns, readSamples(samplesPath));
    },
  };
}

export interface Sample {
  readonly tid: number;
  /** CLOCK_MONOTONIC. */
  readonly atMs: number;
}

async function* readSamples(path: string): AsyncGenerator<Sample> {
  const script = spawn('perf', ['script', '-F', 'tid,time', '-i', path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: script.stdout })) {
    const [, tid, seconds] = /^\s*(\d+)\s+([\d.]+):/.exec(line) ?? [];
    if (seconds !== undefined) yield { tid: Number(tid), atMs: Number(seconds) * 1000 };
  }
}

/** Pure but for its input. Samples come in any order. */
export async function toExecuted(
  turns: readonly LongTurn[],
  samples: AsyncIterable<Sample> | Iterable<Sample>,
): Promise<readonly ExecutedTurn[]> {
  const counts = new Map(turns.map((turn) => [turn, 0]));
  const ofThread = new Map<number, LongTurn[]>();
  for (const turn of turns.toSorted((one, other) => one.fromMs - other.fromMs)) {
    const known = ofThread.get(turn.tid);
    if (known === undefined) ofThread.set(turn.tid, [turn]);
    else known.push(turn);
  }
  for await (const { tid, atMs } of samples) {
    const turn = turnAt(ofThread.get(tid) ?? [], atMs);
    if (turn !== undefined) counts.set(turn, (counts.get(turn) ?? 0) + 1);
  }
  return turns.map((turn) => ({
    ...turn,
    executedMs: Math.min(turn.cpuMs, ((counts.get(turn) ?? 0) * 1000) / samplesPerSecond),
  }));
}

/** Turns of one thread do not overlap: by halves. */
function turnAt(turns: readonly LongTurn[], atMs: number): LongTurn | undefined {
  let [from, until] = [0, turns.length];
  while (from < until) {
    const middle = (from + until) >>> 1;
    if ((turns[middle]?.untilMs ?? 0) < atMs) from = middle + 1;
    else until = middle;
  }
  const turn = turns[from];
  return turn !== undefined && turn.fromMs <= atMs ? turn : undefined;
}
