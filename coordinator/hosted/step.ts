// How long an agent that ended waits for its next start. Pure.
//
//   S1. One that ends at once again waits longer each time; one that lived for a while starts anew.

export interface EndInput {
  /** Ends in a row before this one. */
  readonly failures: number;
  readonly ranMs: number;
  /** 0 to 1. */
  readonly fraction: number;
}

const firstMs = 500;
const longestMs = 60_000;
const livedMs = 60_000;

export function stepEnd({ failures, ranMs, fraction }: EndInput): {
  readonly failures: number;
  readonly delayMs: number;
} {
  const before = ranMs >= livedMs ? 0 : failures;
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(before, 10));
  return { failures: before + 1, delayMs: Math.round(ceiling * (0.5 + fraction / 2)) };
}
