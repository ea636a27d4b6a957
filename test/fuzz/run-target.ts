// Runs a fuzz target for a number of seconds with a seed that repeats it, and says what failed.
//
// Input: target, seconds, seed. Output: a report; a failing case has its seed and path.

import fc from 'fast-check';
import { systemClock } from '../../common/runtime/clock.ts';
import type { FuzzLaw, FuzzTarget } from './target.ts';

export interface FuzzRequest {
  readonly seconds: number;
  readonly seed: number;
  /** Of a failing case, as its report names it (`law/path`): only that case is run. */
  readonly path?: string | undefined;
  readonly onProgress?: (line: string) => void;
}

export interface FuzzFailure {
  readonly target: string;
  readonly law: string;
  readonly seed: number;
  /** The law's place among its target's, and fast-check's path in it. */
  readonly path: string;
  /** The smallest case found. */
  readonly example: string;
  readonly error: string;
}

export interface FuzzReport {
  readonly runs: number;
  readonly failures: readonly FuzzFailure[];
}

/** A failing case gets as long again to shrink. */
export async function runTarget(target: FuzzTarget, request: FuzzRequest): Promise<FuzzReport> {
  const perLawMs = (request.seconds * 1000) / target.laws.length;
  const failures: FuzzFailure[] = [];
  let runs = 0;
  const [only, path] = request.path?.split('/') ?? [];
  for (const [index, law] of target.laws.entries()) {
    if (only !== undefined && Number(only) !== index) continue;
    const startMs = systemClock.monotonicMs();
    const details = await checkLaw(law, { seed: request.seed, path }, perLawMs);
    runs += details.numRuns;
    const seconds = ((systemClock.monotonicMs() - startMs) / 1000).toFixed(1);
    request.onProgress?.(`${target.name}: ${law.title}: ${details.numRuns} cases in ${seconds} s`);
    if (!details.failed || details.counterexample === null) continue;
    failures.push({
      target: target.name,
      law: law.title,
      seed: details.seed,
      path: `${index}/${details.counterexamplePath ?? ''}`,
      example: fc.stringify(details.counterexample),
      error: describe(details.errorInstance),
    });
  }
  return { runs, failures };
}

async function checkLaw(
  { property }: FuzzLaw,
  { seed, path }: { readonly seed: number; readonly path: string | undefined },
  withinMs: number,
): Promise<fc.RunDetails<unknown>> {
  const options: fc.Parameters<unknown> = {
    seed,
    // Time ends a run, not the number of cases.
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: withinMs,
    markInterruptAsFailure: false,
    ...(path === undefined ? {} : { path, numRuns: 1 }),
  };
  const details = await fc.check(property, options);
  if (!details.failed || path !== undefined) return details;
  // The time was for cases, and shrinking needs its own.
  const shrunk = await fc.check(property, {
    ...options,
    path: firstOf(details.counterexamplePath),
    numRuns: 1,
    interruptAfterTimeLimit: withinMs + 5_000,
  });
  return { ...shrunk, numRuns: details.numRuns };
}

/** The case as it was found, before it shrank. */
function firstOf(path: string | null): string {
  return (path ?? '0').split(':', 1)[0] ?? '0';
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export function formatFailure(failure: FuzzFailure): string {
  return [
    `${failure.target}: ${failure.law}`,
    `replay: npm run fuzz -- --target ${failure.target} --seed ${failure.seed} --path ${failure.path}`,
    `case: ${failure.example}`,
    failure.error,
  ].join('\n');
}
