// Baseline probes: which vantage point probes which target of a healthy cluster now, so that in
// trouble its failures count.
// Input: targets, vantage points, what was reached when. Output: orders, and when to look again.
//
//   B1. A pair never tried is due at once; a reached one sparsely; a failed one with backoff.
//   B2. Every pair is tried again well before its last success stops counting.
// Next: step-suspicion.ts.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ProbeTarget } from '../../common/model/telemetry.ts';
import { invariant } from '../../common/pure/errors.ts';
import { reachCountsMs, toTargetKey, type Reach, type ReachEntry } from './fold-reach.ts';
import type { Vantage } from './plan-vantage.ts';

/** Sparse, and twice within the time in which a success counts, jitter included. */
export const baselineEveryMs = 240_000;
const jitterPart = 0.2;
const retryFirstMs = 2000;
const retryMaxMs = 60_000;

invariant(
  2 * baselineEveryMs * (1 + jitterPart) <= reachCountsMs,
  'a lost baseline probe must not lose the proof', // B2
);

export interface ProbeOrder {
  readonly cluster: ClusterName;
  readonly vantage: Vantage;
  readonly targets: readonly ProbeTarget[];
}

export interface BaselinePlan {
  readonly orders: readonly ProbeOrder[];
  readonly againAfterMs: number | undefined;
}

export function planBaseline(input: {
  readonly cluster: ClusterName;
  readonly targets: readonly ProbeTarget[];
  readonly vantages: readonly Vantage[];
  readonly reach: Reach;
  readonly nowMs: number;
  /** At least 0, below 1. */
  readonly jitter: number;
}): BaselinePlan {
  const { cluster, targets, vantages, reach, nowMs } = input;
  const orders: ProbeOrder[] = [];
  let againAfterMs: number | undefined;
  for (const vantage of vantages) {
    const due: ProbeTarget[] = [];
    for (const target of targets) {
      const waitMs = waitOf(reach.entry(cluster, toTargetKey(target), vantage.id), input);
      if (waitMs <= 0) due.push(target);
      else againAfterMs = Math.min(againAfterMs ?? waitMs, waitMs);
    }
    if (due.length > 0) orders.push({ cluster, vantage, targets: due });
  }
  if (orders.length > 0) againAfterMs = Math.min(againAfterMs ?? retryFirstMs, retryFirstMs);
  return { orders, againAfterMs };

  function waitOf(
    entry: ReachEntry | undefined,
    at: { readonly nowMs: number; readonly jitter: number },
  ): number {
    if (entry === undefined) return 0;
    const everyMs =
      entry.failures === 0
        ? baselineEveryMs * (1 + (at.jitter - 0.5) * 2 * jitterPart)
        : Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(entry.failures - 1, 10));
    return Math.ceil(entry.lastTryMs + everyMs - nowMs);
  }
}
