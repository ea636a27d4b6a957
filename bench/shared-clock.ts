// Time that several processes of one machine can compare: CLOCK_MONOTONIC, the same for all since
// boot. A Clock's monotonicMs counts from each process's own start.

/** Milliseconds since boot, to the microsecond. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
