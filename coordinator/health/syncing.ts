// Asks agents for their full state where a report is known to be incomplete.
// Input: marks of (cluster, report). Output: sync requests, a bounded number at once, and for
// each stream with growing pauses, so that a stream that never agrees costs little.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ReportKind, SyncRequest } from '../../common/model/telemetry.ts';
import { requestSubject } from '../../common/pure/partition.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';

const requestTimeoutMs = 1000;
/** Requests under way over all clusters: each is answered by pages of up to 256 KB. */
const requestsMax = 16;
const pauseFirstMs = 500;
const pauseMaxMs = 30_000;
/** A stream at peace for this long starts from the first pause again. */
const forgetMs = 60_000;

export interface Syncing {
  want(cluster: ClusterName, report: ReportKind): void;
  forget(cluster: ClusterName): void;
  stop(): Promise<void>;
}

export function createSyncing(options: {
  readonly federation: string;
  readonly bus: TelemetryBus;
  readonly encodeSyncRequest: (request: SyncRequest) => Uint8Array;
  readonly stillWanted: (cluster: ClusterName, report: ReportKind) => boolean;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}): Syncing {
  const { federation, bus, encodeSyncRequest, stillWanted, clock, log, metrics } = options;
  const asked = new Map<string, { readonly atMs: number; readonly pauseMs: number }>();

  const pauseAfter = (id: string, nowMs: number): number => {
    const last = asked.get(id);
    if (last === undefined || nowMs - last.atMs > forgetMs) return pauseFirstMs;
    return Math.min(pauseMaxMs, last.pauseMs * 2);
  };

  const run = async (id: string): Promise<{ readonly againAfterMs: number } | undefined> => {
    const [report, cluster] = splitId(id);
    if (!stillWanted(cluster, report)) return undefined;
    const nowMs = clock.monotonicMs();
    const last = asked.get(id);
    const waitMs = last === undefined ? 0 : last.atMs + last.pauseMs - nowMs;
    if (waitMs > 0) return { againAfterMs: Math.ceil(waitMs) };
    const pauseMs = pauseAfter(id, nowMs);
    asked.set(id, { atMs: nowMs, pauseMs });
    metrics.count('mesh_health_sync_requests_total', { report });
    try {
      const subject = requestSubject(federation, 'sync', cluster);
      await bus.request(subject, encodeSyncRequest({ report }), requestTimeoutMs);
    } catch (error) {
      log.debug('sync request failed', { cluster, report, error: describeError(error) });
    }
    return { againAfterMs: pauseMs };
  };

  const loop = createLoop<string>({
    name: 'health-sync',
    run,
    clock,
    chance: options.chance,
    log,
    concurrency: requestsMax,
  });

  return {
    want: (cluster, report) => loop.mark(toId(cluster, report)),
    forget: (cluster) => {
      asked.delete(toId(cluster, 'health'));
      asked.delete(toId(cluster, 'ingress'));
    },
    stop: () => loop.stop(),
  };
}

function toId(cluster: ClusterName, report: ReportKind): string {
  return `${report}/${cluster}`;
}

function splitId(id: string): readonly [ReportKind, ClusterName] {
  const slash = id.indexOf('/');
  // Made by toId, so both parts are what they claim.
  return [id.slice(0, slash) as ReportKind, id.slice(slash + 1) as ClusterName];
}
