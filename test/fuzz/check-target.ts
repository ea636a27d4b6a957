// A fuzz target as an ava test: for some seconds, with a seed of its own in each run of CI.

import type { ExecutionContext } from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { formatFailure, runTarget } from './run-target.ts';
import type { FuzzTarget } from './target.ts';

// Shrinking a failing case takes as long again.
const reserveMs = 60_000;

/** ISTHMUS_FUZZ_SEED repeats a run. */
export async function checkTarget(
  t: ExecutionContext,
  target: FuzzTarget,
  seconds: number,
): Promise<void> {
  const seed = Number(process.env['ISTHMUS_FUZZ_SEED'] ?? Math.floor(systemClock.now() % 2 ** 31));
  t.timeout(seconds * 2000 + reserveMs);
  t.log(`seed ${seed}`);
  const { runs, failures } = await runTarget(target, {
    seconds,
    seed,
    onProgress: (line) => t.log(line),
  });
  t.deepEqual(failures.map(formatFailure), []);
  t.true(runs > 0);
}
