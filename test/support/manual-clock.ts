// A clock that moves only when told to. Timers run in order of their due time; between two of
// them pending promises are given the turns they need.

import type { Clock, Timer } from '../../common/runtime/clock.ts';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export interface ManualClock extends Clock {
  /** Runs everything that falls due within `ms`, and what that causes. */
  advance(ms: number): Promise<void>;
}

export function createManualClock(startMs = 1_700_000_000_000): ManualClock {
  const entries = new Set<Entry>();
  let nowMs = 0;
  let order = 0;
  const after = (delayMs: number, run: () => void): Timer => {
    order += 1;
    const entry = { atMs: nowMs + Math.max(0, delayMs), order, run };
    entries.add(entry);
    return { cancel: () => void entries.delete(entry) };
  };
  const nextDue = (untilMs: number): Entry | undefined => {
    let next: Entry | undefined;
    for (const entry of entries) {
      if (entry.atMs > untilMs) continue;
      if (
        next === undefined ||
        entry.atMs < next.atMs ||
        (entry.atMs === next.atMs && entry.order < next.order)
      ) {
        next = entry;
      }
    }
    return next;
  };
  return {
    now: () => startMs + nowMs,
    monotonicMs: () => nowMs,
    after,
    soon: (run) => after(0, run),
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      await settle();
      for (let entry = nextDue(untilMs); entry !== undefined; entry = nextDue(untilMs)) {
        entries.delete(entry);
        nowMs = Math.max(nowMs, entry.atMs);
        entry.run();
        await settle();
      }
      nowMs = untilMs;
    },
  };
}

// Chains of promises in the code under test are short; no real time passes here.
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}
