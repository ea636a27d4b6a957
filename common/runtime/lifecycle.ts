// How a program ends: on a signal it closes what it opened, last opened first, each step with a
// time limit, and exits 0. A second signal, a second or more later, ends it at once. A programmer
// error ends it with 70.

import { keepProcessAlive, systemClock, type Clock } from './clock.ts';
import { describeError, type Log } from './log.ts';

export interface Closing {
  readonly name: string;
  readonly close: () => Promise<void>;
}

export interface Lifecycle {
  /** Adds something to close at the end. */
  onClose(closing: Closing): void;
  /** Closes everything now; used when starting fails half-way. */
  close(): Promise<void>;
}

// Longer than any single close needs; shorter than Kubernetes' 30 s grace period for all of them.
const closeStepMs = 5_000;
// npm, timeout and some supervisors send one signal to the process and again to its group: that
// is one wish, and a program that left at once would leave its children behind.
const echoMs = 1_000;

export function createLifecycle(options: { readonly clock: Clock; readonly log: Log }): Lifecycle {
  const { clock, log } = options;
  const closings: Closing[] = [];
  const close = async (): Promise<void> => {
    for (const { name, close: closeOne } of closings.splice(0).reverse()) {
      await Promise.race([
        closeOne().catch((error: unknown) => {
          log.warn('closing failed', { part: name, error: describeError(error) });
        }),
        new Promise<void>((resolve) => {
          clock.after(closeStepMs, () => resolve());
        }),
      ]);
    }
  };
  return { onClose: (closing) => void closings.push(closing), close };
}

/**
 * The process lives until SIGTERM, SIGINT or a programmer error; then it ends as said above.
 * SIGHUP ends it too, or runs `reload` where there is one, as daemons do.
 */
export function endOnSignals(lifecycle: Lifecycle, log: Log, reload?: () => void): void {
  keepProcessAlive();
  let endingSinceMs: number | undefined;
  const end = (signal: string): void => {
    const nowMs = systemClock.monotonicMs();
    if (endingSinceMs !== undefined) {
      if (nowMs - endingSinceMs >= echoMs) process.exit(130);
      return;
    }
    endingSinceMs = nowMs;
    log.info('stopping', { signal });
    void lifecycle.close().finally(() => process.exit(0));
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  process.on('SIGHUP', reload ?? (() => end('SIGHUP')));
  const crash = (error: unknown): void => {
    log.error('programmer error: exiting', {
      error: describeError(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    process.exit(70); // EX_SOFTWARE
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
