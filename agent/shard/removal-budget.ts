// I13: at most N removals in any minute, so that a coordinator gone mad can be stopped in time.
//
//   B1. A removal counts from when it is about to be asked for until a minute after its answer, or
//       after the end of its deadline: the API server may carry it out at any time between.
//   B2. One that the API server refused does not count.
//   B3. What a former life removed lately counts as if it were now: no wall clock is believed.
//   B4. Notes for the next life are written one after another, each with what counts by then: a
//       smaller one that comes late would forget the rest.

import type { Clock } from '../../common/runtime/clock.ts';
import type { Assignment } from './assignment.ts';

export interface RemovalBudget {
  left(): number;
  /** Within a minute, those on their way included. */
  count(): number;
  spend(): Spending;
  /** B3. */
  assume(count: number): void;
  /** Milliseconds until one more is allowed, at least one; undefined: never without confirmation. */
  untilNextMs(): number | undefined;
}

/** One removal on its way; it is told once how that ended. */
export interface Spending {
  /** Also when nobody knows. */
  done(): void;
  undone(): void;
}

const windowMs = 60_000;

export function createRemovalBudget(clock: Clock, perMinute: number): RemovalBudget {
  /** When each ended; Infinity: it is on its way. */
  let spent: readonly { readonly endedMs: number }[] = [];
  const countNow = (): number => {
    const sinceMs = clock.monotonicMs() - windowMs;
    spent = spent.filter(({ endedMs }) => endedMs > sinceMs);
    return spent.length;
  };
  return {
    count: countNow,
    left: () => perMinute - countNow(),
    spend: () => {
      const entry = { endedMs: Infinity };
      spent = [...spent, entry];
      return {
        done: () => {
          entry.endedMs = clock.monotonicMs();
        },
        undone: () => {
          spent = spent.filter((other) => other !== entry);
        },
      };
    },
    assume: (count) => {
      const endedMs = clock.monotonicMs();
      spent = [...spent, ...Array.from({ length: count }, () => ({ endedMs }))];
    },
    untilNextMs: () => {
      if (perMinute === 0) return undefined;
      const nowMs = clock.monotonicMs();
      const firstMs = Math.min(nowMs, ...spent.map(({ endedMs }) => endedMs));
      return Math.max(1, firstMs + windowMs - nowMs);
    },
  };
}

/** Writes how many count now; resolves when that is durable (B4). */
export function createRemovalNotes(options: {
  readonly assignment: Pick<Assignment, 'noteRemovals'>;
  readonly budget: RemovalBudget;
  readonly clock: Clock;
}): () => Promise<void> {
  const { assignment, budget, clock } = options;
  let last: Promise<void> = Promise.resolve();
  return () => {
    const next = last.then(() =>
      assignment.noteRemovals({ count: budget.count(), atMs: clock.now() }),
    );
    last = next.catch(() => undefined); // its owner is told
    return next;
  };
}
