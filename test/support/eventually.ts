// Waits for the world to be as a test wants it, with a bound.

import { setTimeout as wait } from 'node:timers/promises';
import { systemClock as clock } from '../../common/runtime/clock.ts';

const lookAgainMs = 50;

/** Looks until there is no fault; throws with the last faults when the time is up. */
export async function eventually(
  withinMs: number,
  look: () => Promise<readonly string[]>,
  everyMs = lookAgainMs,
): Promise<void> {
  const start = clock.monotonicMs();
  for (;;) {
    const faults = await look().catch((error: unknown) => [String(error)]);
    if (faults.length === 0) return;
    if (clock.monotonicMs() - start > withinMs)
      throw new Error(`still not so after ${withinMs} ms: ${faults.join('; ')}`);
    await wait(everyMs); // keeps the test alive, as the clock's timers do not
  }
}
