// What a fuzz target is, and what all of them hold the product to: a case ends in a value or in a
// declared refusal, within a bound of processor time, and leaves Object.prototype as it was.
//
// Next file to read: run-target.ts.

import type fc from 'fast-check';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';

export interface FuzzTarget {
  readonly name: string;
  /** The laws to check, in turn; each gets its part of the time. */
  readonly laws: readonly FuzzLaw[];
}

export interface FuzzLaw {
  readonly title: string;
  readonly property: fc.IAsyncPropertyWithHooks<unknown> | fc.IPropertyWithHooks<unknown>;
}

export function law<T>(
  title: string,
  property: fc.IAsyncPropertyWithHooks<T> | fc.IPropertyWithHooks<T>,
): FuzzLaw {
  // A property is run with what its own arbitraries make, whatever that is.
  return { title, property: property as unknown as FuzzLaw['property'] };
}

/** A body of 3 MiB may take a second; the cases here are small. Generous, for two busy cores. */
export const caseCpuMsMax = 500;

/** Runs one case; undefined stands for a refusal. Throws for whatever a client must never see. */
export function attempt<T>(
  run: () => T,
  isRefusal: (error: unknown) => boolean = isDeclared,
): T | undefined {
  const before = process.cpuUsage();
  try {
    return run();
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  } finally {
    checkCpu(before);
    checkPrototypes();
  }
}

export function checkCpu(before: NodeJS.CpuUsage): void {
  const { user } = process.cpuUsage(before);
  if (user / 1000 > caseCpuMsMax) throw new Error(`one case took ${user / 1000} ms of a processor`);
}

/** Of every refusal the code is an HTTP status and the message says something. */
export function isDeclared(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const { code, message, status } = error.status;
  return code >= 400 && code < 600 && status === 'Failure' && (message ?? '') !== '';
}

const cleanKeys = new Map(
  [Object.prototype, Array.prototype].map((each) => [each, Reflect.ownKeys(each).length]),
);

export function checkPrototypes(): void {
  for (const [prototype, count] of cleanKeys) {
    if (Reflect.ownKeys(prototype).length !== count) throw new Error('a prototype was polluted');
  }
}
