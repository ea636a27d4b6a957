// How long the turns of the event loop are: a timer that is due every 10 ms is late by what was
// running instead of it. No turn may take more than 10 ms (I11), or heartbeats, probes and other
// people's requests wait. A thread that does nothing is asked ten times a second only: to wake it
// up a hundred times costs some 2 % of a core on a virtual machine. The first long turn after a
// rest may so be missed, those that follow it are not.
//
//   mesh_event_loop_turn_seconds       histogram of how late it was
//   mesh_event_loop_turn_cpu_seconds   the same without what a busy machine adds: as much of it as
//                                      the thread, of the time in which it could run, did run
//   mesh_event_loop_turn_own_cpu_seconds   of that, what our code ran: without the pauses in which
//                                      V8 collected garbage
//   mesh_event_loop_gc_pause_seconds   those pauses, each by kind
//   mesh_event_loop_turn_max_seconds   the latest in the last minute
//
// Each by thread: `main`, and `door` which has the API's connections.

import type { Clock, Timer } from './clock.ts';
import type { GcPause } from './gc-pauses.ts';
import type { Metrics } from './metrics.ts';
import type { ThreadTimes } from './thread-cpu.ts';

/** Every turn that is too long meets one. */
const everyMs = 10;
const restMs = 100;
/** Of its time that a thread ran; below it rests. */
const restShare = 0.1;
const windowMs = 60_000;
/** Close to each other around the bound. */
export const lagBucketsSeconds: readonly number[] = [
  0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.012, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1,
  2, 5,
];

export interface LagMeter {
  /** Milliseconds; of the window that runs. */
  maxMs(): number;
  stop(): void;
}

export function startLagMeter({
  thread,
  clock,
  metrics,
  times = () => undefined,
  watchGc = () => () => undefined,
}: {
  /** Its name, a label of all metrics. */
  readonly thread: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Of this thread; undefined where they are not known. */
  readonly times?: () => ThreadTimes | undefined;
  /** Tells of pauses some time after them, and returns what ends it. */
  readonly watchGc?: (onPause: (pause: GcPause) => void) => () => void;
}): LagMeter {
  let maxMs = 0;
  let windowEndMs = clock.monotonicMs() + windowMs;
  let timer: Timer;
  const own = createOwnMeter(metrics, thread);
  const unwatch = watchGc(own.note);
  const wait = (forMs: number): void => {
    const dueMs = clock.monotonicMs() + forMs;
    const start = times();
    timer = clock.after(forMs, () => {
      const nowMs = clock.monotonicMs();
      const lateMs = Math.max(0, nowMs - dueMs);
      tell(lateMs, nowMs);
      const end = times();
      if (start === undefined || end === undefined) return wait(everyMs);
      const ranMs = end.ranMs - start.ranMs;
      const cpuMs = onCore(lateMs, { ranMs, waitedMs: end.waitedMs - start.waitedMs });
      tellCpu(cpuMs);
      own.turn({ fromMs: dueMs, toMs: nowMs, cpuMs });
      wait(ranMs < restShare * (forMs + lateMs) ? restMs : everyMs);
    });
  };
  const tellCpu = (ms: number): void => {
    metrics.observe('mesh_event_loop_turn_cpu_seconds', ms / 1000, { thread }, lagBucketsSeconds);
  };
  const tell = (lateMs: number, nowMs: number): void => {
    metrics.observe('mesh_event_loop_turn_seconds', lateMs / 1000, { thread }, lagBucketsSeconds);
    if (lateMs > maxMs || nowMs >= windowEndMs) {
      maxMs = nowMs >= windowEndMs ? lateMs : Math.max(maxMs, lateMs);
      metrics.gauge('mesh_event_loop_turn_max_seconds', maxMs / 1000, { thread });
    }
    if (nowMs >= windowEndMs) windowEndMs = nowMs + windowMs;
  };
  wait(everyMs);
  const stop = (): void => {
    timer.cancel();
    unwatch();
  };
  return { maxMs: () => maxMs, stop };
}

/**
 * Of `lateMs`. When in that time a thread waited for a core is not known, so its waits are spread
 * over all the time in which it could run.
 */
function onCore(lateMs: number, { ranMs, waitedMs }: ThreadTimes): number {
  if (ranMs <= 0) return 0;
  return Math.min(ranMs, (lateMs * ranMs) / (ranMs + waitedMs));
}

interface Turn {
  readonly fromMs: number;
  readonly toMs: number;
  readonly cpuMs: number;
}

/** Between two timers, and a thread that does nothing but collect. */
const pausesMax = 1_000;

/** A turn is told when the next one comes: by then its pauses are known. */
function createOwnMeter(metrics: Metrics, thread: string) {
  let pauses: GcPause[] = [];
  let last: Turn | undefined;
  const pausedMs = ({ fromMs, toMs }: Turn): number =>
    pauses.reduce((sum, { startMs, durationMs }) => {
      const inside = Math.min(toMs, startMs + durationMs) - Math.max(fromMs, startMs);
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
      if (pauses.length < pausesMax) pauses.push(pause);
    },
    turn: (turn: Turn): void => {
      if (last !== undefined) {
        const ownMs = Math.max(0, last.cpuMs - pausedMs(last));
        const name = 'mesh_event_loop_turn_own_cpu_seconds';
        metrics.observe(name, ownMs / 1000, { thread }, lagBucketsSeconds);
      }
      last = turn;
      pauses = pauses.filter(({ startMs, durationMs }) => startMs + durationMs > turn.fromMs);
    },
  };
}
