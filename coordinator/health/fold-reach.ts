// Which vantage point reached which ingress, and when: the memory that makes a failed probe count.
// Input: probe results. Output: time of the last success, and how often it failed since.
//
//   R1. Bounded: one entry per cluster, target and vantage point; entries of targets that are no
//       longer probed are dropped by `retain`.
// Next: plan-baseline.ts, step-suspicion.ts.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ProbeTarget } from '../../common/model/telemetry.ts';

/** DESIGN 8: a failed probe counts only from where that same ingress was reached this lately. */
export const reachCountsMs = 600_000;

export interface ReachEntry {
  readonly lastOkMs: number | undefined;
  readonly lastTryMs: number;
  readonly failures: number;
}

export function toTargetKey(target: ProbeTarget): string {
  return `${target.address}|${target.port}|${target.method}`;
}

export class Reach {
  readonly #clusters = new Map<ClusterName, Map<string, Map<string, ReachEntry>>>();

  entry(cluster: ClusterName, targetKey: string, vantageId: string): ReachEntry | undefined {
    return this.#clusters.get(cluster)?.get(targetKey)?.get(vantageId);
  }

  /** True when a failure from there, now, counts. */
  counts(
    cluster: ClusterName,
    targetKey: string,
    at: { readonly vantageId: string; readonly nowMs: number },
  ): boolean {
    const lastOkMs = this.entry(cluster, targetKey, at.vantageId)?.lastOkMs;
    return lastOkMs !== undefined && at.nowMs - lastOkMs <= reachCountsMs;
  }

  record(
    cluster: ClusterName,
    targetKey: string,
    result: { readonly vantageId: string; readonly ok: boolean; readonly nowMs: number },
  ): void {
    const { vantageId, ok, nowMs } = result;
    const vantages = this.#vantagesOf(cluster, targetKey);
    const before = vantages.get(vantageId);
    vantages.set(vantageId, {
      lastOkMs: ok ? nowMs : before?.lastOkMs,
      lastTryMs: nowMs,
      failures: ok ? 0 : (before?.failures ?? 0) + 1,
    });
  }

  /** What a vantage point itself remembers; it outlives the coordinator that asked it before. */
  learn(
    cluster: ClusterName,
    targetKey: string,
    known: { readonly vantageId: string; readonly lastOkMs: number },
  ): void {
    const before = this.entry(cluster, targetKey, known.vantageId);
    if (before?.lastOkMs !== undefined && before.lastOkMs >= known.lastOkMs) return;
    this.#vantagesOf(cluster, targetKey).set(known.vantageId, {
      lastOkMs: known.lastOkMs,
      lastTryMs: before?.lastTryMs ?? known.lastOkMs,
      failures: before?.failures ?? 0,
    });
  }

  #vantagesOf(cluster: ClusterName, targetKey: string): Map<string, ReachEntry> {
    const targets = this.#clusters.get(cluster) ?? new Map<string, Map<string, ReachEntry>>();
    this.#clusters.set(cluster, targets);
    const vantages = targets.get(targetKey) ?? new Map<string, ReachEntry>();
    targets.set(targetKey, vantages);
    return vantages;
  }

  /** R1. Forgets what is older than counts and stands for no target in `targetKeys` any more. */
  retain(cluster: ClusterName, targetKeys: ReadonlySet<string>): void {
    const targets = this.#clusters.get(cluster);
    if (targets === undefined) return;
    for (const key of targets.keys()) if (!targetKeys.has(key)) targets.delete(key);
    if (targets.size === 0) this.#clusters.delete(cluster);
  }

  /** The vantage point is gone. */
  forgetVantage(vantageId: string): void {
    for (const targets of this.#clusters.values()) {
      for (const vantages of targets.values()) vantages.delete(vantageId);
    }
  }

  forgetCluster(cluster: ClusterName): void {
    this.#clusters.delete(cluster);
  }
}
