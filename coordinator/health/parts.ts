// The parts of the health stage and how they wake each other: no decision is made here.
// Input: the ports of loop.ts. Output: the parts. Next: judges.ts, then each part's own file.

import type { ClusterVerdict, ShardVerdict } from '../../common/model/health.ts';
import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { TelemetryMessage } from '../../common/model/telemetry.ts';
import type { HealthView } from '../../common/model/views.ts';
import { Quota } from '../../common/runtime/quota.ts';
import { recordAgentEvent } from './agent-events.ts';
import { createBaseline, type Baseline } from './baseline.ts';
import { wireCodec } from './codec.ts';
import { createIntake, type Intake } from './intake.ts';
import { buildJudges, type Judges } from './judges.ts';
import type { HealthOptions } from './options.ts';
import { createPeers, isSameForPeers, type Peers } from './peers.ts';
import { createSyncing, type Syncing } from './syncing.ts';

export interface Parts extends Judges {
  readonly view: HealthView;
  readonly peers: Peers;
  readonly baseline: Baseline;
  readonly intake: Intake;
  readonly syncing: Syncing;
  /** The Cluster is gone. */
  forget(cluster: ClusterName): void;
  /** Something about a cluster's Session changed. */
  onSession(cluster: ClusterName): void;
  /** Lets every cluster be looked at from vantage points that came since the last call. */
  takeVantageChange(): void;
}

// Each is an object of the log, and there is room for 10,000 of all clusters (I10).
const eventsOfCluster = { max: 120, windowMs: 60_000 };

// For each vantage point: a thousand that come back one after another are news for every cluster a
// few times, not a thousand times.
const vantageRestMs = 5;

export function buildParts(options: HealthOptions): Parts {
  const { placement, sessions, bus, config, clock, chance, log, metrics } = options;
  const runtime = { clock, chance, log, metrics };
  const { federation, addressRules: rules } = config;
  const codec = options.codec ?? wireCodec;
  const listeners = new Set<Parameters<HealthView['subscribe']>[0]>();
  /** Whose egress is known, so that it can be a vantage point. */
  const connected = new Set<ClusterName>();
  const events = new Quota<ClusterName>(clock, eventsOfCluster);
  let isVantageDue = false;
  let vantagesTakenMs = Number.NEGATIVE_INFINITY;

  const notify = (cluster: ClusterName, key: ServiceKey | undefined): void => {
    for (const listener of listeners) listener({ cluster, key });
  };

  const onCluster = (after: ClusterVerdict, before: ClusterVerdict): void => {
    const { cluster, life } = after;
    if (life === 'live' || life === 'pending') suspicions.clear(cluster);
    else suspicions.suspect(cluster);
    graces.note(after);
    if (isVantage(after) && !isVantage(before)) isVantageDue = true;
    if (life !== before.life) shards.markCluster(cluster);
    notify(cluster, undefined);
  };

  const onShard = (after: ShardVerdict | undefined, before: ShardVerdict | undefined): void => {
    const verdict = after ?? before;
    if (verdict === undefined) return;
    const { cluster, key } = verdict;
    if (after?.state === 'healthy' || before?.state === 'healthy') baseline.mark(cluster);
    notify(cluster, key);
    if (!isSameForPeers(before, after)) peers.changed(cluster, key);
  };

  const onMessage = (message: TelemetryMessage): void => {
    const entry = table.entry(message.cluster);
    if (entry === undefined) {
      metrics.count('mesh_health_messages_dropped_total', { why: 'unregistered' }); // K3
      return;
    }
    const outcome = entry.reports.fold(message);
    metrics.count('mesh_health_messages_total', { kind: message.kind });
    if (outcome.kind === 'older') return;
    if (message.kind === 'event') {
      if (events.take(message.cluster)) recordAgentEvent(message, options);
      else metrics.count('mesh_health_messages_dropped_total', { why: 'events' });
    }
    if (outcome.isProofOfLife) entry.heartbeatMs = clock.monotonicMs();
    const { life, telemetry } = entry.verdict;
    const isSettled = life === 'live' && telemetry === 'fresh' && entry.reports.isApiFresh();
    if (!isSettled) table.judge(message.cluster);
    if (outcome.isNewlyComplete) shards.markCluster(message.cluster);
    for (const key of outcome.changed) shards.mark(message.cluster, key);
    for (const report of entry.reports.wantedSyncs()) syncing.want(message.cluster, report);
  };

  const judges = buildJudges(options, { onCluster, onShard });
  const { table, shards, suspicions, graces, topologies, topology, wantedPorts, reach } = judges;
  const baseline = createBaseline({
    ...runtime,
    reach,
    probing: judges.probing,
    targets: (cluster) =>
      table.entry(cluster)?.verdict.life === 'live' ? judges.targets(cluster) : undefined,
    vantages: judges.vantages.forBaseline,
  });
  const syncing = createSyncing({
    ...runtime,
    federation,
    bus,
    encodeSyncRequest: codec.encodeSyncRequest,
    stillWanted: (cluster, report) => table.entry(cluster)?.reports.wantsSync(report) ?? false,
  });
  const peers = createPeers({
    placement,
    topology,
    rules,
    wantedPorts,
    verdict: shards.get,
    clusters: () => topologies.keys(),
  });
  const intake = createIntake({ ...runtime, onMessage, decode: codec.decodeReport });

  const onSession = (cluster: ClusterName): void => {
    table.judge(cluster);
    if (sessions.session(cluster)?.isConnected !== true) {
      connected.delete(cluster);
    } else if (!connected.has(cluster)) {
      connected.add(cluster);
      isVantageDue = true;
    }
  };

  const takeVantageChange = (): void => {
    const nowMs = clock.monotonicMs();
    if (!isVantageDue || nowMs - vantagesTakenMs < vantageRestMs * connected.size) return;
    isVantageDue = false;
    vantagesTakenMs = nowMs;
    for (const { name } of table.entries()) baseline.mark(name);
  };

  const forget = (cluster: ClusterName): void => {
    suspicions.clear(cluster);
    graces.forget(cluster);
    connected.delete(cluster);
    table.remove(cluster);
    topologies.delete(cluster);
    shards.forgetCluster(cluster);
    reach.forgetCluster(cluster);
    reach.forgetVantage(`agent:${cluster}`);
    syncing.forget(cluster);
    notify(cluster, undefined);
  };

  const view: HealthView = {
    cluster: (cluster) => table.entry(cluster)?.verdict,
    shard: shards.get,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };

  return {
    ...judges,
    view,
    peers,
    baseline,
    intake,
    syncing,
    forget,
    onSession,
    takeVantageChange,
  };
}

function isVantage({ life, telemetry }: ClusterVerdict): boolean {
  return life === 'live' && telemetry === 'fresh';
}
