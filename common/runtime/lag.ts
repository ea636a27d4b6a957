// How long the turns of the event loop are. No turn may take more than 10 ms (I11), or heartbeats,
// probes and other people's requests wait. Every turn is measured, from where one sleeps or rests
// until the next; those of less than 2 ms are not told.
//
//   mesh_event_loop_turn_seconds       histogram of how long it was
//   mesh_event_loop_turn_cpu_seconds   the same without what a busy machine adds: what the thread ran, and
//                                      what it was blocked for beyond its waits for a core
//   mesh_event_loop_turn_own_cpu_seconds   of that, what our code ran at most: without the pauses in
//                                      which V8 collected garbage, less what the turn waited for a core
//   mesh_event_loop_gc_pause_seconds   those pauses, each by kind
//   mesh_event_loop_turn_max_seconds   the longest in the last minute
//
// Each by thread: `main`, and `door` which has the API's connections. Who wants to know of a single turn listens
// to the diagnostics channel `isthmus.event-loop.turn` (node:diagnostics_channel).

import { channel } from 'node:diagnostics_channel';
import type { GcPause } from './gc-pauses.ts';
import type { LoopTurn } from './loop-turns.ts';
import type { Metrics } from './metrics.ts';
import type { ThreadTimes } from './thread-cpu.ts';

/** Most turns are shorter, and to tell of one costs microseconds. */
const toldFromMs = 2;
const windowMs = 60_000;
/** Close to each other around the bound. */
export const lagBucketsSeconds: readonly number[] = [
  0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.012, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5,
];

/** Messages are ToldTurn; nothing is made while nobody listens. */
export const turnChannel = 'isthmus.event-loop.turn';

export interface ToldTurn {
  readonly thread: string;
  /** As Clock.monotonicMs. */
  readonly startMs: number;
  readonly endMs: number;
  /** As mesh_event_loop_turn_cpu_seconds, and of it by our own code. */
  readonly cpuMs: number;
  readonly ownMs: number;
}

export interface LagMeter {
  /** Milliseconds; of the window that runs. */
  maxMs(): number;
  stop(): void;
}

export interface LagPorts {
  /** Its name, a label of all metrics. */
  readonly thread: string;
  readonly metrics: Metrics;
  /** Calls with each turn as it ends, and returns what ends that. */
  readonly watchTurns: (onTurn: (turn: LoopTurn) => void) => () => void;
  /** Tells of pauses some turns after them, and returns what ends it. */
  readonly watchGc?: (onPause: (pause: GcPause) => void) => () => void;
}

export function startLagMeter({ thread, metrics, watchTurns, ...ports }: LagPorts): LagMeter {
  let maxMs = 0;
  let windowEndMs: number | undefined;
  const own = createOwnMeter(metrics, thread);
  const tell = (what: string, ms: number): void => {
    const name = `mesh_event_loop_${what}_seconds`;
    metrics.observe(name, ms / 1000, { thread }, lagBucketsSeconds);
  };
  const noteMax = ({ endMs, busyMs }: LoopTurn): void => {
    windowEndMs ??= endMs + windowMs;
    const isOver = endMs >= windowEndMs;
    if (!isOver && busyMs <= maxMs) return;
    if (isOver) windowEndMs = endMs + windowMs;
    maxMs = busyMs;
    metrics.gauge('mesh_event_loop_turn_max_seconds', maxMs / 1000, { thread });
  };
  const unwatch = ports.watchGc?.(own.note);
  const leave = watchTurns((turn) => {
    noteMax(turn);
    own.tellDue();
    const { busyMs, times } = turn;
    if (busyMs < toldFromMs) return;
    tell('turn', busyMs);
    if (times === undefined) return;
    const cpuMs = toCpuMs(busyMs, times);
    tell('turn_cpu', cpuMs);
    own.turn(turn, cpuMs);
  });
  const stop = (): void => {
    leave();
    unwatch?.();
  };
  return { maxMs: () => maxMs, stop };
}

/**
 * What it ran is exact. Of what it waited for a core some may have been while it woke up, before the turn:
 * as much of a time in which it was blocked - by the disk, by a lock - is not told then.
 */
function toCpuMs(busyMs: number, { ranMs, waitedMs }: ThreadTimes): number {
  return Math.min(busyMs, Math.max(ranMs, busyMs - waitedMs));
}

/** Node tells of a pause up to so many turns after it. */
const untilTold = 4;
/** That may belong to a turn which is not told yet. */
const pausesMax = 1_000;

interface Waiting {
  readonly turn: LoopTurn;
  readonly cpuMs: number;
  turnsLeft: number;
}

/** A turn is told when its pauses are known. */
function createOwnMeter(metrics: Metrics, thread: string) {
  const told = channel(turnChannel);
  let pauses: GcPause[] = [];
  const waiting: Waiting[] = []; // as many as untilTold
  const pausedMs = ({ startMs: fromMs, endMs }: LoopTurn): number =>
    pauses.reduce((sum, { startMs, durationMs }) => {
      const inside = Math.min(endMs, startMs + durationMs) - Math.max(fromMs, startMs);
      return sum + Math.max(0, inside);
    }, 0);
  return {
    note: (pause: GcPause): void => {
      const { kind, durationMs } = pause;
      const seconds = durationMs / 1000;
      metrics.observe(
        'mesh_event_loop_gc_pause_seconds',
        seconds,
        { thread, kind },
        lagBucketsSeconds,
      );
      if (pauses.length === pausesMax) pauses.shift(); // no turn of theirs was told
      pauses.push(pause);
    },
    turn: (turn: LoopTurn, cpuMs: number): void => {
      waiting.push({ turn, cpuMs, turnsLeft: untilTold });
    },
    /** Once in each turn. */
    tellDue: (): void => {
      const [first] = waiting;
      if (first === undefined) return;
      for (const each of waiting) each.turnsLeft -= 1;
      if (first.turnsLeft > 0) return;
      waiting.shift();
      const { turn, cpuMs } = first;
      const waitedMs = turn.busyMs - cpuMs; // in its pauses, perhaps
      const ownMs = Math.max(0, cpuMs - Math.max(0, pausedMs(turn) - waitedMs));
      const name = 'mesh_event_loop_turn_own_cpu_seconds';
      metrics.observe(name, ownMs / 1000, { thread }, lagBucketsSeconds);
      if (told.hasSubscribers) {
        const { startMs, endMs } = turn;
        told.publish({ thread, startMs, endMs, cpuMs, ownMs } satisfies ToldTurn);
      }
      pauses = pauses.filter(({ startMs, durationMs }) => startMs + durationMs > turn.endMs);
    },
  };
}
