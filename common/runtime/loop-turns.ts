// The turns of this thread's event loop, each as it ends. Adapter (timers, perf_hooks, proc(5)).
//
// An immediate that is not referenced does not keep the loop from sleeping, and is called in every turn:
// behind what came in, before what rested. So nothing is sampled, and nobody is woken up.

import { performance } from 'node:perf_hooks';
import { openThreadTimes, type ThreadTimes } from './thread-cpu.ts';

export interface LoopTurn {
  /** As Clock.monotonicMs; when the turn before it ended. */
  readonly startMs: number;
  readonly endMs: number;
  /** Without the time that the loop slept. */
  readonly busyMs: number;
  /** What the thread ran and waited in it, and to wake up before it; undefined where the kernel does not say. */
  readonly times?: ThreadTimes | undefined;
}

/** Returns what ends it. */
export function watchTurns(onTurn: (turn: LoopTurn) => void): () => void {
  const readTimes = openThreadTimes();
  let from = stamp(readTimes);
  let isOver = false;
  const wait = (): void => void setImmediate(end).unref();
  const end = (): void => {
    if (isOver) return;
    const until = stamp(readTimes);
    onTurn(toTurn(from, until));
    from = until;
    wait();
  };
  wait();
  return () => {
    isOver = true;
  };
}

interface Stamp {
  readonly atMs: number;
  readonly sleptMs: number;
  readonly times: ThreadTimes | undefined;
}

// Who asks the kernel is often put behind others as the answer comes: it would have waited before the time
// is told, and in the next turn by the clock.
const togetherMs = 0.2;
const attemptsMax = 5;

function stamp(readTimes: (() => ThreadTimes) | undefined): Stamp {
  for (let attempt = 1; ; attempt += 1) {
    const fromMs = performance.now();
    const times = readTimes?.();
    const atMs = performance.now();
    if (atMs - fromMs > togetherMs && attempt < attemptsMax) continue;
    return { atMs, sleptMs: performance.nodeTiming.idleTime, times };
  }
}

function toTurn(from: Stamp, until: Stamp): LoopTurn {
  const sleptMs = until.sleptMs - from.sleptMs;
  return {
    startMs: from.atMs,
    endMs: until.atMs,
    busyMs: Math.max(0, until.atMs - from.atMs - sleptMs),
    times:
      from.times === undefined || until.times === undefined
        ? undefined
        : {
            ranMs: until.times.ranMs - from.times.ranMs,
            waitedMs: until.times.waitedMs - from.times.waitedMs,
          },
  };
}
