// Whether a thread still answers its owner. Ten seconds: a thread whose turns stay below 10 ms is never
// silent for so long. Counted in pings, so that a process that was stopped as a whole does not find
// its threads dead.

import type { Clock, Timer } from './clock.ts';

const pingMs = 2_000;
const missedMax = 5;

export interface ThreadHeart {
  /** It has answered a ping. */
  heard(): void;
  stop(): void;
}

/** Pings at once and every two seconds. */
export function watchHeart({
  clock,
  ping,
  onSilent,
}: {
  readonly clock: Clock;
  readonly ping: () => void;
  /** Once; the watch is over then. */
  readonly onSilent: (silentMs: number) => void;
}): ThreadHeart {
  let missed = 0;
  let timer: Timer | undefined;
  const beat = (): void => {
    if (missed >= missedMax) return onSilent(missed * pingMs);
    missed += 1;
    ping();
    timer = clock.after(pingMs, beat);
  };
  beat();
  return {
    heard: () => {
      missed = 0;
    },
    stop: () => timer?.cancel(),
  };
}
