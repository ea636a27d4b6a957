// Whether memory stays flat: one server, many random requests, the heap after garbage collection
// before and after. Needs node --expose-gc.

import fc from 'fast-check';
import { keepProcessAlive } from '../../common/runtime/clock.ts';
import { exchanges } from './exchange.ts';
import { createFuzzWorld } from './fuzz-world.ts';
import { runCase } from './http-target.ts';

export interface HeapReport {
  readonly requests: number;
  readonly firstMiB: number;
  readonly lastMiB: number;
}

/** The first tenth fills caches and windows, and does not count. Throws what a case finds. */
export async function measureHeap(options: {
  readonly requests: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}): Promise<HeapReport> {
  const world = await createFuzzWorld();
  const alive = keepProcessAlive();
  const steps = exchanges(25);
  let firstMiB = 0;
  try {
    let requests = 0;
    for (let at = 0; requests < options.requests; at += 1) {
      const [made = []] = fc.sample(steps, { seed: options.seed + at, numRuns: 1 });
      await runCase(world, made);
      requests += made.length;
      if (firstMiB === 0 && requests > options.requests / 10) firstMiB = heapMiB();
      if (at % 400 === 0) options.onProgress?.(`${requests} requests, ${heapMiB()} MiB`);
    }
    return { requests, firstMiB, lastMiB: heapMiB() };
  } finally {
    await world.close();
    alive.cancel();
  }
}

function heapMiB(): number {
  if (global.gc === undefined) throw new Error('run node with --expose-gc');
  global.gc();
  global.gc();
  return Math.round((process.memoryUsage().heapUsed / (1 << 20)) * 10) / 10;
}
