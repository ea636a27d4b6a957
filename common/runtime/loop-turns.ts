// The turns of this thread's event loop, each as it ends. Adapter (timers, perf_hooks).
//
// An immediate that is not referenced does not keep the loop from sleeping, and is called in every turn:
// behind what came in, before what rested. So nothing is sampled, and nobody is woken up.

import { performance } from 'node:perf_hooks';

export interface LoopTurn {
  /** As Clock.monotonicMs; when the turn before it ended. */
  readonly startMs: number;
  readonly endMs: number;
  /** Without the time that the loop slept. */
  readonly busyMs: number;
}

/** Returns what ends it. */
export function watchTurns(onTurn: (turn: LoopTurn) => void): () => void {
  let startMs = performance.now();
  let sleptMs = performance.nodeTiming.idleTime;
  let isOver = false;
  const wait = (): void => void setImmediate(end).unref();
  const end = (): void => {
    if (isOver) return;
    const endMs = performance.now();
    const untilMs = performance.nodeTiming.idleTime;
    onTurn({ startMs, endMs, busyMs: Math.max(0, endMs - startMs - (untilMs - sleptMs)) });
    startMs = endMs;
    sleptMs = untilMs;
    wait();
  };
  wait();
  return () => {
    isOver = true;
  };
}
