// The parts of the health stage and how they wake each other: no decision is made here.
// Input: the ports of loop.ts. Output: the parts. Next: each part's own file.

import type { ClusterVerdict, ShardVerdict } from '../../common/model/health.ts';
import {
  splitServiceKey,
  toLogKey,
  type ClusterName,
  type ServiceKey,
} from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import type { AgentEvent, ProbeTarget, TelemetryMessage } from '../../common/model/telemetry.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { Topology } from '../../common/model/topology.ts';
import type { HealthView } from '../../common/model/views.ts';
import { createBaseline, type Baseline } from './baseline.ts';
import { createClusterTable, type ClusterTable } from './cluster-table.ts';
import { wireCodec } from './codec.ts';
import { Reach } from './fold-reach.ts';
import { createIntake, type Intake } from './intake.ts';
import { LagMeter } from './lag.ts';
import type { HealthOptions } from './loop.ts';
import { createPeers, type Peers } from './peers.ts';
import { planTargets, type ProbedShard } from './plan-targets.ts';
import { createPolicies, type Policies } from './policies.ts';
import { createProbing } from './probing.ts';
import {
  createShardTable,
  type KnownShard,
  type ShardSurroundings,
  type ShardTable,
} from './shard-table.ts';
import { createSuspicions, type Suspicions } from './suspicions.ts';
import { createSyncing, type Syncing } from './syncing.ts';
import { createVantages } from './vantages.ts';

/** Without proof of life for this long, a cluster is silent: three heartbeats. */
const silenceDefaultMs = 3000;
/** Agents have this long to come back after our own start before silence is counted. */
const warmStartDefaultMs = 10_000;
const silenceGraceDefaultMs = 60_000;
const unknownTopology: Topology = { zones: [], region: undefined, provider: undefined };

export interface Parts {
  readonly view: HealthView;
  readonly peers: Peers;
  readonly table: ClusterTable;
  readonly shards: ShardTable;
  readonly suspicions: Suspicions;
  readonly baseline: Baseline;
  readonly intake: Intake;
  readonly syncing: Syncing;
  readonly policies: Policies;
  readonly lag: LagMeter;
  readonly topologies: Map<ClusterName, Topology>;
  /** The Cluster is gone. */
  forget(cluster: ClusterName): void;
  /** Something about a cluster's Session changed. */
  onSession(cluster: ClusterName): void;
  /** Lets every cluster be looked at from vantage points that came since the last call. */
  takeVantageChange(): void;
  /** Judges shards whose silence grace has passed. */
  takeGraces(): void;
}

export function buildParts(options: HealthOptions): Parts {
  const { desired, placement, sessions, bus, prober, config } = options;
  const { clock, chance, log, metrics } = options;
  const codec = options.codec ?? wireCodec;
  const rules = config.addressRules;
  const listeners = new Set<Parameters<HealthView['subscribe']>[0]>();
  const topologies = new Map<ClusterName, Topology>();
  const reach = new Reach();
  const lag = new LagMeter(clock.monotonicMs());
  const topology = (cluster: ClusterName): Topology => topologies.get(cluster) ?? unknownTopology;
  /** Clusters whose silence grace is over, while the policy is to withdraw. */
  const graceOver = new Set<ClusterName>();
  /** Whose egress is known, so that it can be a vantage point. */
  const connected = new Set<ClusterName>();
  let isVantageDue = false;

  const notify = (cluster: ClusterName, key: ServiceKey | undefined): void => {
    for (const listener of listeners) listener({ cluster, key });
  };

  /** What an agent reports names no port to probe that the user's Service does not have. */
  const wantedPorts = (key: ServiceKey): ReadonlySet<number> => {
    const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
    const service = desired.get(at)?.object as Service | undefined;
    return new Set((service?.spec.ports ?? []).map(({ port }) => port));
  };

  const targetsOf = (cluster: ClusterName): readonly ProbeTarget[] =>
    planTargets(probedShards(shards.known(cluster), wantedPorts), rules);

  const surroundings = (cluster: ClusterName): ShardSurroundings => {
    const entry = table.entry(cluster);
    const isDead = entry?.verdict.life === 'dead';
    const isReporting = entry?.verdict.life === 'live' && entry.reports.hasReported();
    return {
      life: isDead || graceOver.has(cluster) ? 'dead' : isReporting ? 'reporting' : 'frozen',
      deathReason: isDead ? 'ClusterDead' : 'SilenceGraceOver',
      reports: entry?.reports,
    };
  };

  const onClusterChange = (after: ClusterVerdict, before: ClusterVerdict): void => {
    const { cluster, life } = after;
    if (life === 'live' || life === 'pending') suspicions.clear(cluster);
    else suspicions.suspect(cluster);
    const isReached = suspicions.finding(cluster).kind === 'reached';
    if (graceOver.has(cluster) && (life !== 'silent' || isReached)) {
      graceOver.delete(cluster);
      shards.markCluster(cluster);
    }
    const isVantage = (verdict: ClusterVerdict): boolean =>
      verdict.life === 'live' && verdict.telemetry === 'fresh';
    if (isVantage(after) && !isVantage(before)) isVantageDue = true;
    if (life !== before.life) shards.markCluster(cluster);
    notify(cluster, undefined);
  };

  const onShardChange = (
    after: ShardVerdict | undefined,
    before: ShardVerdict | undefined,
  ): void => {
    const verdict = after ?? before;
    if (verdict === undefined) return;
    const { cluster, key } = verdict;
    if (after?.state === 'healthy' || before?.state === 'healthy') baseline.mark(cluster);
    notify(cluster, key);
    peers.changed(key);
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
    if (message.kind === 'event') recordAgentEvent(message, options);
    if (outcome.isProofOfLife) entry.heartbeatMs = clock.monotonicMs();
    const { life, telemetry } = entry.verdict;
    const isSettled = life === 'live' && telemetry === 'fresh' && entry.reports.isApiFresh();
    if (!isSettled) table.judge(message.cluster);
    if (outcome.isNewlyComplete) shards.markCluster(message.cluster);
    for (const key of outcome.changed) shards.mark(message.cluster, key);
    for (const report of entry.reports.wantedSyncs()) syncing.want(message.cluster, report);
  };

  const probing = createProbing({
    federation: config.federation, prober, bus, codec, metrics,
  });
  const table = createClusterTable({
    sessions, lag, clock, log, metrics,
    finding: (cluster) => suspicions.finding(cluster),
    onChange: onClusterChange,
    silenceMs: config.silenceMs ?? silenceDefaultMs,
    warmMs: clock.monotonicMs() + (config.warmStartMs ?? warmStartDefaultMs),
  });
  const policies = createPolicies({
    desired,
    onChange: (key) => {
      for (const cluster of placement.clustersOf(key)) shards.mark(cluster, key);
    },
  });
  const shards = createShardTable({
    placement, surroundings, rules, clock, chance, log, metrics,
    minReady: policies.minReady,
    onChange: onShardChange,
  });
  const allowLoopback = rules.allowLoopback;
  const vantages = createVantages({ table, sessions, topology, reach, allowLoopback, clock });
  const suspicions = createSuspicions({
    reach, probing, clock, log, metrics,
    targets: targetsOf,
    vantages: vantages.forSuspicion,
    suspectsItself: (cluster) => table.suspectsItself(cluster),
    onFinding: (cluster) => table.judge(cluster),
  });
  const baseline = createBaseline({
    reach, probing, clock, chance, log,
    targets: (cluster) =>
      table.entry(cluster)?.verdict.life === 'live' ? targetsOf(cluster) : undefined,
    vantages: vantages.forBaseline,
  });
  const syncing = createSyncing({
    federation: config.federation, bus, clock, chance, log, metrics,
    encodeSyncRequest: codec.encodeSyncRequest,
    stillWanted: (cluster, report) => table.entry(cluster)?.reports.wantsSync(report) ?? false,
  });
  const peers = createPeers({
    placement, topology, rules, wantedPorts, verdict: shards.get,
    clusters: () => topologies.keys(),
  });
  const intake = createIntake({
    onMessage, clock, log, metrics, decode: codec.decodeReport,
  });

  const takeGraces = (): void => {
    if (config.silencePolicy !== 'withdraw') return;
    const graceMs = config.silenceGraceMs ?? silenceGraceDefaultMs;
    for (const { name, verdict } of table.entries()) {
      const sinceMs = suspicions.sinceMs(name);
      const isOver = sinceMs !== undefined && clock.monotonicMs() - sinceMs >= graceMs;
      // A hold is stronger than the policy: it doubts the silence itself.
      const isUnprovable = verdict.life === 'silent' && verdict.reason === 'Unprovable';
      if (!isOver || !isUnprovable || graceOver.has(name)) continue;
      if (table.suspectsItself(name)) continue;
      graceOver.add(name);
      shards.markCluster(name);
    }
  };

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
    if (!isVantageDue) return;
    isVantageDue = false;
    for (const { name } of table.entries()) baseline.mark(name);
  };

  const forget = (cluster: ClusterName): void => {
    suspicions.clear(cluster);
    graceOver.delete(cluster);
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
    view, peers, table, shards, suspicions, baseline, intake, syncing, policies, lag,
    topologies, forget, onSession, takeVantageChange, takeGraces,
  };
}

function* probedShards(
  shards: Iterable<KnownShard>,
  wantedPorts: (key: ServiceKey) => ReadonlySet<number>,
): Iterable<ProbedShard> {
  for (const { damping, verdict } of shards) {
    if (verdict === undefined || damping.reported !== 'healthy') continue;
    const wanted = wantedPorts(verdict.key);
    const ports = verdict.ports.filter(({ port }) => wanted.has(port));
    yield { isHealthy: true, addresses: verdict.addresses, ports };
  }
}

/** What an agent tells becomes an Event on the Service, or on its Cluster. */
function recordAgentEvent(event: AgentEvent, { desired, recorder }: HealthOptions): void {
  const { cluster, key, type, reason } = event;
  const message = `${cluster}: ${event.message}`;
  if (key === undefined) {
    const at = { group: isthmusGroup, resource: 'clusters', name: cluster };
    const uid = desired.get(toLogKey(at))?.object.metadata.uid;
    const regarding = { apiVersion: isthmusApiVersion, kind: 'Cluster', name: cluster, uid };
    recorder.record({ regarding, type, reason, message });
    return;
  }
  const at = splitServiceKey(key);
  const logKey = toLogKey({ group: '', resource: 'services', ...at });
  const uid = desired.get(logKey)?.object.metadata.uid;
  const regarding = { apiVersion: 'v1', kind: 'Service', ...at, uid };
  recorder.record({ regarding, type, reason, message });
}
