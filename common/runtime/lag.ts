// How long the turns of the event loop are: a timer that is due every 10 ms is late by what was
// running instead of it. No turn may take more than 10 ms (I11), or heartbeats, probes and other
// people's requests wait. A thread that does nothing is asked ten times a second only: to wake it
// up a hundred times costs some 2 % of a core on a virtual machine. The first long turn after a
// rest may so be missed, those that follow it are not.
//
//   mesh_event_loop_turn_seconds       histogram of how late it was
//   mesh_event_loop_turn_cpu_seconds   the same without what a busy machine adds: no more than the
//                                      thread was on a core since the timer before
//   mesh_event_loop_turn_max_seconds   the latest in the last minute

import type { Clock, Timer } from './clock.ts';
import type { Metrics } from './metrics.ts';

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
  clock,
  metrics,
  cpuMs = () => undefined,
}: {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** How long this thread has run; undefined where that is not known. */
  readonly cpuMs?: () => number | undefined;
}): LagMeter {
  let maxMs = 0;
  let windowEndMs = clock.monotonicMs() + windowMs;
  let timer: Timer;
  const wait = (forMs: number): void => {
    const dueMs = clock.monotonicMs() + forMs;
    const startMs = cpuMs();
    timer = clock.after(forMs, () => {
      const nowMs = clock.monotonicMs();
      const lateMs = Math.max(0, nowMs - dueMs);
      tell(lateMs, nowMs);
      if (startMs === undefined) return wait(everyMs);
      const ranMs = (cpuMs() ?? startMs) - startMs;
      tellCpu(Math.min(lateMs, ranMs));
      wait(ranMs < restShare * (forMs + lateMs) ? restMs : everyMs);
    });
  };
  const tellCpu = (ms: number): void => {
    metrics.observe('mesh_event_loop_turn_cpu_seconds', ms / 1000, {}, lagBucketsSeconds);
  };
  const tell = (lateMs: number, nowMs: number): void => {
    metrics.observe('mesh_event_loop_turn_seconds', lateMs / 1000, {}, lagBucketsSeconds);
    if (lateMs > maxMs || nowMs >= windowEndMs) {
      maxMs = nowMs >= windowEndMs ? lateMs : Math.max(maxMs, lateMs);
      metrics.gauge('mesh_event_loop_turn_max_seconds', maxMs / 1000);
    }
    if (nowMs >= windowEndMs) windowEndMs = nowMs + windowMs;
  };
  wait(everyMs);
  return { maxMs: () => maxMs, stop: () => timer.cancel() };
}
