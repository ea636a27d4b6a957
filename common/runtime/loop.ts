// A level-triggered loop: it is woken with keys, never told what changed. Due keys are collected
// and worked off one at a time per key, some keys at once; a key that fails comes back with
// backoff; a key marked while it runs runs again. Work is proportional to the keys marked.
//
//   L1. One key never runs twice at once.
//   L2. A mark made during or before a run is never lost.
//   L3. A failing key delays no other key.
//   L4. What is urgent waits for what runs, never for what is due.
//   L5. A key rests after its run where the loop says so (key-rest.ts): a Service of a thousand shards
//       of which each changes by itself is not planned a thousand times.
//   L6. Runs of all loops begin for a millisecond of a turn; the rest begins in the next (run-turns.ts).

import type { Clock, Timer } from './clock.ts';
import type { Chance } from './chance.ts';
import { describeError, type Log } from './log.ts';
import { InvariantError } from '../pure/errors.ts';
import { KeyRests, type RestBounds } from './key-rest.ts';
import { runTurnsOf } from './run-turns.ts';

export interface LoopOptions<Key extends string> {
  readonly name: string;
  /** Reads the whole truth about `key`, plans, audits, acts. A returned delay runs it again then. */
  readonly run: (key: Key) => Promise<{ readonly againAfterMs: number } | undefined>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** Keys worked on at once. Default 8. */
  readonly concurrency?: number;
  /** First and longest wait after a failure. Defaults 200 and 30,000. */
  readonly backoffMinMs?: number;
  readonly backoffMaxMs?: number;
  /** L5. Default: none. */
  readonly rest?: RestBounds;
}

export interface Loop<Key extends string> {
  mark(key: Key): void;
  /** Marks ahead of all that is due and was not marked so (L4). */
  markFirst(key: Key): void;
  /** Marks after `delayMs`; an earlier due time wins. */
  markAfter(key: Key, delayMs: number): void;
  /** Keys waiting or running. */
  depth(): number;
  /** Resolves when nothing is due or running; delayed keys are not waited for. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function createLoop<Key extends string>(options: LoopOptions<Key>): Loop<Key> {
  const { clock, chance, log, run } = options;
  const concurrency = options.concurrency ?? 8;
  const backoffMinMs = options.backoffMinMs ?? 200;
  const backoffMaxMs = options.backoffMaxMs ?? 30_000;
  const due = new Set<Key>();
  const urgent = new Set<Key>();
  const running = new Set<Key>();
  const delayed = new Map<Key, { readonly at: number; readonly timer: Timer }>();
  const failures = new Map<Key, number>();
  const idleWaiters: (() => void)[] = [];
  const rests = new KeyRests<Key>(clock, options.rest, (key, isUrgent) =>
    isUrgent ? markFirst(key) : mark(key),
  );
  const turns = runTurnsOf(clock);
  let isStopped = false;

  const schedule = (): void => {
    if (!isStopped) turns.ask(beginOne);
  };

  const beginOne = (): boolean => {
    const key = nextOf(urgent) ?? nextOf(due);
    if (key !== undefined) {
      urgent.delete(key);
      due.delete(key);
      running.add(key);
      void runOne(key);
    }
    settle();
    return key !== undefined && due.size > 0 && running.size < concurrency;
  };

  const nextOf = (keys: ReadonlySet<Key>): Key | undefined => {
    if (running.size >= concurrency) return undefined;
    for (const key of keys) {
      if (!running.has(key)) return key; // L1; runOne looks again when it ends (L2)
    }
    return undefined;
  };

  const runOne = async (key: Key): Promise<void> => {
    const startMs = clock.monotonicMs();
    try {
      const result = await run(key);
      failures.delete(key);
      if (result !== undefined) markAfter(key, result.againAfterMs);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      const ceiling = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(count - 1, 20));
      const delayMs = Math.round(ceiling * (0.5 + chance.fraction() / 2));
      log.warn('loop run failed', {
        loop: options.name,
        key,
        delayMs,
        error: describeError(error),
      });
      markAfter(key, delayMs);
    } finally {
      running.delete(key);
      if (rests.begin(key, clock.monotonicMs() - startMs) && due.delete(key)) {
        rests.holds(key, urgent.delete(key)); // marked while it ran
      }
      if (due.size > 0) schedule();
      settle();
    }
  };

  const settle = (): void => {
    if (isIdle()) for (const wake of idleWaiters.splice(0)) wake();
  };

  const isIdle = (): boolean => due.size === 0 && running.size === 0 && rests.owed === 0;

  const mark = (key: Key): void => {
    if (isStopped) return;
    delayed.get(key)?.timer.cancel();
    delayed.delete(key);
    if (rests.holds(key, false)) return;
    due.add(key);
    schedule();
  };

  const markFirst = (key: Key): void => {
    if (isStopped) return;
    if (!rests.holds(key, true)) urgent.add(key);
    mark(key);
  };

  const markAfter = (key: Key, delayMs: number): void => {
    if (isStopped || due.has(key)) return;
    const at = clock.monotonicMs() + delayMs;
    const known = delayed.get(key);
    if (known !== undefined && known.at <= at) return;
    known?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      delayed.delete(key);
      mark(key);
    });
    delayed.set(key, { at, timer });
  };

  const idle = (): Promise<void> =>
    isIdle() ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve));

  return {
    mark,
    markFirst,
    markAfter,
    depth: () => due.size + running.size + delayed.size + rests.owed,
    idle,
    stop: async () => {
      isStopped = true;
      due.clear();
      urgent.clear();
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      rests.stop();
      await idle();
    },
  };
}
