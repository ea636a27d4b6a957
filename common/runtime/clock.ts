// Time. The only file that may touch Date, timers and process.hrtime; all else takes a Clock,
// so that the whole mesh can run under a virtual one (test/sim).

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, epoch milliseconds. For display and for certificates only. */
  now(): number;
  /** Never goes back; for every duration and deadline. Milliseconds, any origin. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. A timer does not keep the process alive by itself. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` at the next turn of the event loop, after pending promises and I/O. */
  soon(run: () => void): Timer;
}

/** Resolves after `delayMs`, or rejects with the signal's reason when that fires first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** RFC 3339 with seconds, the form of metav1.Time. */
export function toTimestamp(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 with six digits of fractions, the form of metav1.MicroTime. */
export function toMicroTimestamp(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}

/** Epoch milliseconds of an RFC 3339 text, or undefined. */
export function parseTimestamp(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** For libraries that want a Date. */
export function toDate(epochMs: number): Date {
  return new Date(epochMs);
}

/**
 * Keeps the process alive until cancelled. Timers of a Clock do not, so a program that waits for
 * one and for nothing else would end in the middle of its start.
 */
export function keepProcessAlive(): Timer {
  const handle = setInterval(() => undefined, 2 ** 30);
  return { cancel: () => clearInterval(handle) };
}

// Node takes a longer delay for one of a millisecond.
const delayMsMax = 2 ** 31 - 1;

function startTimer(delayMs: number, run: () => void): Timer {
  let leftMs = delayMs;
  let handle: NodeJS.Timeout | undefined;
  const arm = (): void => {
    const nextMs = Math.min(leftMs, delayMsMax);
    leftMs -= nextMs;
    handle = setTimeout(leftMs > 0 ? arm : run, nextMs);
    handle.unref();
  };
  arm();
  return { cancel: () => clearTimeout(handle) };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: startTimer,
  soon: (run) => {
    const handle = setImmediate(run);
    return { cancel: () => clearImmediate(handle) };
  },
};
