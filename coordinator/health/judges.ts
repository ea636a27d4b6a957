// Those who judge, and what they look at: clusters, shards, suspicions, graces.
// Input: the ports of loop.ts, and whom to wake on a change. Output: the judges. No decision is
// made here. Next: cluster-table.ts, shard-table.ts, suspicions.ts.

import type { ClusterVerdict, ShardVerdict } from '../../common/model/health.ts';
import {
  splitServiceKey,
  toLogKey,
  type ClusterName,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ProbeTarget } from '../../common/model/telemetry.ts';
import type { Topology } from '../../common/model/topology.ts';
import { createClusterTable, type ClusterTable } from './cluster-table.ts';
import { Reach } from './fold-reach.ts';
import { createGraces, type Graces } from './graces.ts';
import { LagMeter } from './lag.ts';
import type { HealthOptions } from './options.ts';
import { planTargets, type ProbedShard } from './plan-targets.ts';
import { createPolicies, type Policies } from './policies.ts';
import { createProbing, type Probing } from './probing.ts';
import {
  createShardTable,
  type KnownShard,
  type ShardSurroundings,
  type ShardTable,
} from './shard-table.ts';
import { createSuspicions, type Suspicions } from './suspicions.ts';
import { createVantages, type Vantages } from './vantages.ts';

/** Without proof of life for this long, a cluster is silent: three heartbeats. */
const silenceDefaultMs = 3000;
/** Agents have this long to come back after our own start before silence is counted. */
const warmStartDefaultMs = 10_000;
const unknownTopology: Topology = { zones: [], region: undefined, provider: undefined };

export interface Judges {
  readonly table: ClusterTable;
  readonly shards: ShardTable;
  readonly suspicions: Suspicions;
  readonly graces: Graces;
  readonly policies: Policies;
  readonly vantages: Vantages;
  readonly probing: Probing;
  readonly reach: Reach;
  readonly lag: LagMeter;
  readonly topologies: Map<ClusterName, Topology>;
  topology(cluster: ClusterName): Topology;
  /** What an agent reports names no port to probe that the user's Service does not have. */
  wantedPorts(key: ServiceKey): ReadonlySet<number>;
  targets(cluster: ClusterName): readonly ProbeTarget[];
}

export function buildJudges(
  options: HealthOptions,
  wake: {
    readonly onCluster: (after: ClusterVerdict, before: ClusterVerdict) => void;
    readonly onShard: (after: ShardVerdict | undefined, before: ShardVerdict | undefined) => void;
  },
): Judges {
  const { desired, placement, sessions, bus, prober, config } = options;
  const { clock, chance, log, metrics } = options;
  const runtime = { clock, chance, log, metrics };
  const { federation, addressRules: rules } = config;
  const topologies = new Map<ClusterName, Topology>();
  const topology = (cluster: ClusterName): Topology => topologies.get(cluster) ?? unknownTopology;
  const reach = new Reach();
  const lag = new LagMeter(clock.monotonicMs());
  const probing = createProbing({ federation, prober, bus, metrics, codec: options.codec });

  const wantedPorts = (key: ServiceKey): ReadonlySet<number> => {
    const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
    const service = desired.get(at)?.object as Service | undefined;
    return new Set((service?.spec.ports ?? []).map(({ port }) => port));
  };

  const targets = (cluster: ClusterName): readonly ProbeTarget[] =>
    planTargets(probedShards(shards.known(cluster), wantedPorts), rules);

  const surroundings = (cluster: ClusterName): ShardSurroundings => {
    const entry = table.entry(cluster);
    const isDead = entry?.verdict.life === 'dead';
    const isReporting = entry?.verdict.life === 'live' && entry.reports.hasReported();
    return {
      life: isDead || graces.isOver(cluster) ? 'dead' : isReporting ? 'reporting' : 'frozen',
      deathReason: isDead ? 'ClusterDead' : 'SilenceGraceOver',
      reports: entry?.reports,
    };
  };

  const table = createClusterTable({
    ...runtime,
    sessions,
    lag,
    finding: (cluster) => suspicions.finding(cluster),
    onChange: wake.onCluster,
    silenceMs: config.silenceMs ?? silenceDefaultMs,
    warmMs: clock.monotonicMs() + (config.warmStartMs ?? warmStartDefaultMs),
  });
  const onDue = (cluster: ClusterName, key: ServiceKey): void => shards.mark(cluster, key);
  const policies = createPolicies({ desired, placement, onDue });
  const shards = createShardTable({
    ...runtime,
    placement,
    surroundings,
    rules,
    isPrivate: (key) => options.privateViews?.has(key) === true,
    minReady: policies.minReady,
    onChange: wake.onShard,
  });
  const vantages = createVantages({ table, sessions, topology, reach, rules, clock });
  const suspicions = createSuspicions({
    ...runtime,
    reach,
    probing,
    targets,
    vantages: vantages.forSuspicion,
    suspectsItself: table.suspectsItself,
    onFinding: table.judge,
  });
  const graces = createGraces({ table, suspicions, shards, config, clock });
  return {
    table,
    shards,
    suspicions,
    graces,
    policies,
    vantages,
    probing,
    reach,
    lag,
    topologies,
    topology,
    wantedPorts,
    targets,
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
    const { addresses, isAtNodePorts = false } = verdict;
    yield { isHealthy: true, addresses, ports, isAtNodePorts };
  }
}
