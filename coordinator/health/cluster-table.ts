// The verdicts on all member clusters, judged when a proof of life comes or is missing.
// Input: Clusters, heartbeats, Session traffic, findings. Output: verdicts and their changes.
//
//   K1. Proof of life is the newest of heartbeat and Session traffic; what was recorded counts
//       its silence from our own warm start plus a grace for agents to reconnect.
//   K2. Time in which we ourselves stood still is no silence.
//   K3. A cluster without a Cluster object has no verdict, whatever it reports (I8).

import type { ClusterVerdict } from '../../common/model/health.ts';
import type { ClusterName } from '../../common/model/ids.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import type { SessionView } from '../../common/model/views.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { doubtVerdict } from './audit.ts';
import { ClusterReports } from './fold.ts';
import type { LagMeter } from './lag.ts';
import { recordedCluster } from './recorded.ts';
import { stepCluster, type ClusterFacts, type Finding } from './step-cluster.ts';
import { noSelfSuspicion, stepSelfSuspicion, type SelfSuspicion } from './step-self-suspicion.ts';

export interface ClusterEntry {
  readonly name: ClusterName;
  readonly reports: ClusterReports;
  verdict: ClusterVerdict;
  /** Monotonic. */
  heartbeatMs: number | undefined;
  /** Monotonic; undefined while there is proof of life. */
  silentSinceMs: number | undefined;
}

export interface ClusterTable {
  entry(cluster: ClusterName): ClusterEntry | undefined;
  entries(): Iterable<ClusterEntry>;
  put(cluster: ClusterName, object: Cluster): void;
  remove(cluster: ClusterName): void;
  /** Judges the cluster by what is known now. */
  judge(cluster: ClusterName): void;
  /** Judges those whose silence may have begun, but none whose messages still wait to be folded. */
  judgeOverdue(isWaiting: (cluster: ClusterName) => boolean): void;
  suspectsItself(cluster: ClusterName): boolean;
  isTelemetryFresh(entry: ClusterEntry): boolean;
}

export function createClusterTable(options: {
  readonly sessions: SessionView;
  readonly finding: (cluster: ClusterName) => Finding;
  readonly onChange: (after: ClusterVerdict, before: ClusterVerdict) => void;
  readonly lag: LagMeter;
  readonly silenceMs: number;
  /** Monotonic: silence of what was only recorded counts from here. */
  readonly warmMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}): ClusterTable {
  const { sessions, finding, onChange, lag, silenceMs, warmMs, clock, log, metrics } = options;
  const entries = new Map<ClusterName, ClusterEntry>();
  let selfSuspicion: SelfSuspicion = noSelfSuspicion;

  const isOlderThanSilence = (atMs: number, nowMs: number): boolean =>
    nowMs - atMs >= silenceMs && nowMs - atMs - lag.lagSince(atMs) >= silenceMs; // K2

  const isTelemetryFresh = ({ heartbeatMs }: ClusterEntry): boolean =>
    heartbeatMs !== undefined && !isOlderThanSilence(heartbeatMs, clock.monotonicMs());

  const factsOf = (entry: ClusterEntry): ClusterFacts => {
    const nowMs = clock.monotonicMs();
    const sessionMs = sessions.session(entry.name)?.lastMessageMonotonicMs;
    const proofMs = latest(entry.heartbeatMs, sessionMs); // K1
    return {
      isSilent: isOlderThanSilence(proofMs ?? warmMs, nowMs),
      isHeard: proofMs !== undefined,
      isTelemetryFresh: isTelemetryFresh(entry),
      isApiFresh: entry.reports.isApiFresh(),
      isReportFresh: entry.reports.isSynced(),
      finding: finding(entry.name),
      lastProofOfLifeMs: proofMs === undefined ? undefined : clock.now() - (nowMs - proofMs),
      nowMs: clock.now(),
    };
  };

  const judge = (cluster: ClusterName): void => {
    const entry = entries.get(cluster);
    if (entry === undefined) return;
    const before = entry.verdict;
    const facts = factsOf(entry);
    noteSilence(entry, facts.isSilent);
    const after = stepCluster(before, facts);
    const doubt = doubtVerdict(before, after, facts.finding);
    if (doubt !== undefined) {
      log.error('verdict on a cluster refused by audit', { cluster, doubt });
      metrics.count('mesh_health_audit_refusals_total');
      return;
    }
    entry.verdict = after;
    if (isSame(before, after)) return;
    if (before.life !== after.life) {
      const { life, reason } = after;
      log.info('cluster verdict changed', { cluster, life, reason });
      metrics.count('mesh_health_cluster_transitions_total', { to: life });
    }
    onChange(after, before);
  };

  const noteSilence = (entry: ClusterEntry, isSilent: boolean): void => {
    if (isSilent === (entry.silentSinceMs !== undefined)) return;
    entry.silentSinceMs = isSilent ? clock.monotonicMs() : undefined;
    const silentSinceMs = new Map<ClusterName, number>();
    let clusters = 0;
    for (const { name, silentSinceMs: sinceMs, verdict } of entries.values()) {
      if (verdict.life === 'pending') continue;
      clusters += 1;
      if (sinceMs !== undefined) silentSinceMs.set(name, sinceMs);
    }
    const before = selfSuspicion;
    selfSuspicion = stepSelfSuspicion(before, { silentSinceMs, clusters });
    if (before.group.size === 0 && selfSuspicion.group.size > 0) {
      log.warn('many clusters fell silent at once: the coordinator suspects itself', {
        clusters: selfSuspicion.group.size,
      });
    }
    metrics.gauge('mesh_health_self_suspicion_clusters', selfSuspicion.group.size);
  };

  const judgeOverdue = (isWaiting: (cluster: ClusterName) => boolean): void => {
    const nowMs = clock.monotonicMs();
    for (const entry of entries.values()) {
      if (!isSettled(entry, nowMs) && !isWaiting(entry.name)) judge(entry.name);
    }
  };

  /** Live for a reason that has not run out: nothing to judge, and cheap to see. */
  const isSettled = ({ name, heartbeatMs, verdict }: ClusterEntry, nowMs: number): boolean => {
    if (verdict.life !== 'live') return false;
    if (heartbeatMs !== undefined && !isOlderThanSilence(heartbeatMs, nowMs)) {
      return verdict.telemetry === 'fresh';
    }
    const sessionMs = sessions.session(name)?.lastMessageMonotonicMs;
    const isSessionRecent = sessionMs !== undefined && !isOlderThanSilence(sessionMs, nowMs);
    return verdict.telemetry === 'stale' && isSessionRecent;
  };

  return {
    entry: (cluster) => entries.get(cluster),
    entries: () => entries.values(),
    put: (cluster, object) => {
      if (entries.has(cluster)) return;
      entries.set(cluster, {
        name: cluster,
        reports: new ClusterReports(),
        verdict: recordedCluster(cluster, object, clock.now()),
        heartbeatMs: undefined,
        silentSinceMs: undefined,
      });
    },
    remove: (cluster) => entries.delete(cluster),
    judge,
    judgeOverdue,
    suspectsItself: (cluster) => selfSuspicion.group.has(cluster),
    isTelemetryFresh,
  };
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}

function isSame(a: ClusterVerdict, b: ClusterVerdict): boolean {
  return (
    a.life === b.life &&
    a.telemetry === b.telemetry &&
    a.reason === b.reason &&
    a.message === b.message
  );
}
