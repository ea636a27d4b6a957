// How long the turns of the event loop are: a timer that is due every 20 ms is late by what was
// running instead of it. No turn may take more than 10 ms (I11), or heartbeats, probes and other
// people's requests wait.
//
//   mesh_event_loop_turn_seconds       histogram of how late it was
//   mesh_event_loop_turn_max_seconds   the latest in the last minute

import type { Clock, Timer } from './clock.ts';
import type { Metrics } from './metrics.ts';

/** Often enough to meet most long turns; 50 wake-ups a second cost about 0.1 % of a core. */
const everyMs = 20;
const windowMs = 60_000;
const secondsBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];

export interface LagMeter {
  /** Milliseconds; of the window that runs. */
  maxMs(): number;
  stop(): void;
}

export function startLagMeter({
  clock,
  metrics,
}: {
  readonly clock: Clock;
  readonly metrics: Metrics;
}): LagMeter {
  let maxMs = 0;
  let windowEndMs = clock.monotonicMs() + windowMs;
  let timer: Timer;
  const wait = (): void => {
    const dueMs = clock.monotonicMs() + everyMs;
    timer = clock.after(everyMs, () => {
      const nowMs = clock.monotonicMs();
      tell(Math.max(0, nowMs - dueMs), nowMs);
      wait();
    });
  };
  const tell = (lateMs: number, nowMs: number): void => {
    metrics.observe('mesh_event_loop_turn_seconds', lateMs / 1000, {}, secondsBuckets);
    if (lateMs > maxMs || nowMs >= windowEndMs) {
      maxMs = nowMs >= windowEndMs ? lateMs : Math.max(maxMs, lateMs);
      metrics.gauge('mesh_event_loop_turn_max_seconds', maxMs / 1000);
    }
    if (nowMs >= windowEndMs) windowEndMs = nowMs + windowMs;
  };
  wait();
  return { maxMs: () => maxMs, stop: () => timer.cancel() };
}
