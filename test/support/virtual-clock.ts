// A clock whose time moves only when a test says so. Timers fire in order of due time, then of
// creation; between two firings all pending promises are drained, so that a run is a function of
// its inputs alone.

import type { Clock, Timer } from '../../common/runtime/clock.ts';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

export interface VirtualClock extends Clock {
  /** Moves time forward, firing what becomes due on the way. */
  advance(ms: number): Promise<void>;
  /** Advances in steps until `isTrue`, at most `withinMs`; false when it never was. */
  advanceUntil(isTrue: () => boolean, withinMs: number): Promise<boolean>;
  /** Fires what is due now and drains promises; time does not move. */
  settle(): Promise<void>;
  /** Timers that wait. */
  pending(): number;
}

/** Wall time starts at 2026-01-01T00:00:00Z, monotonic time at 0. */
export function createVirtualClock(startMs = 1_767_225_600_000): VirtualClock {
  const heap: Entry[] = [];
  let elapsed = 0;
  let order = 0;

  const add = (delayMs: number, run: () => void): Timer => {
    const entry = {
      at: elapsed + Math.max(0, delayMs),
      order: (order += 1),
      run,
      isCancelled: false,
    };
    push(heap, entry);
    return { cancel: () => void (entry.isCancelled = true) };
  };

  const runUntil = async (limit: number): Promise<void> => {
    await drain();
    for (let next = heap[0]; next !== undefined && next.at <= limit; next = heap[0]) {
      pop(heap);
      if (next.isCancelled) continue;
      elapsed = Math.max(elapsed, next.at);
      next.run();
      await drain();
    }
    elapsed = Math.max(elapsed, limit);
  };

  return {
    now: () => startMs + Math.floor(elapsed),
    monotonicMs: () => elapsed,
    after: add,
    soon: (run) => add(0, run),
    advance: (ms) => runUntil(elapsed + ms),
    settle: () => runUntil(elapsed),
    advanceUntil: async (isTrue, withinMs) => {
      const limit = elapsed + withinMs;
      await runUntil(elapsed);
      while (!isTrue()) {
        while (heap[0]?.isCancelled === true) pop(heap);
        const next = heap[0]?.at ?? Infinity;
        if (next > limit) {
          await runUntil(limit);
          return isTrue();
        }
        await runUntil(next);
      }
      return true;
    },
    pending: () => heap.filter(({ isCancelled }) => !isCancelled).length,
  };
}

/** Lets every promise chain run to where it waits for a timer of ours. */
function drain(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  heap.push(entry);
  let index = heap.length - 1;
  while (index > 0) {
    const parent = (index - 1) >>> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(entry, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const [left, right] = [2 * index + 1, 2 * index + 2];
    let least = last;
    let at = index;
    for (const child of [left, right]) {
      const entry = heap[child];
      if (entry !== undefined && isBefore(entry, least)) {
        least = entry;
        at = child;
      }
    }
    heap[index] = least;
    if (at === index) return;
    index = at;
  }
}
