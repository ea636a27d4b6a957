// The verdicts on all shards: judged one at a time, when something about them is marked due.
// Input: placement, reports, cluster lives, what the log recorded. Output: verdicts and their
// changes. Work is proportional to what was marked (DESIGN 11).
//
//   H1. Until its cluster has reported anew, a shard's recorded verdict stands.
//   H2. A shard that is no longer placed has no verdict.

import type { ShardVerdict } from '../../common/model/health.ts';
import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { IngressAddress } from '../../common/model/telemetry.ts';
import type { PlacementView } from '../../common/model/views.ts';
import type { AddressRules } from '../../common/pure/address-rules.ts';
import { countUsable } from '../../common/pure/usable-endpoints.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { ClusterReports } from './fold.ts';
import { hasOutsideAddress } from './plan-targets.ts';
import { isSameVerdict, toShardVerdict } from './plan-verdict.ts';
import { pendingShard, stepShard, type ShardDamping, type ShardFacts } from './step-shard.ts';

export interface KnownShard {
  readonly damping: ShardDamping;
  readonly verdict: ShardVerdict | undefined;
}

/** What a shard must know of its cluster. */
export interface ShardSurroundings {
  readonly life: ShardFacts['clusterLife'];
  readonly deathReason: string;
  readonly reports: ClusterReports | undefined;
}

export interface ShardTable {
  get(cluster: ClusterName, key: ServiceKey): ShardVerdict | undefined;
  /** Verdicts of one cluster, and whether each was healthy by its own last reports. */
  known(cluster: ClusterName): Iterable<KnownShard>;
  /** Puts in what the log recorded, before anything is judged. */
  restore(verdict: ShardVerdict, damping: ShardDamping): void;
  mark(cluster: ClusterName, key: ServiceKey): void;
  /** Each shard that the cluster has or shall have. */
  markCluster(cluster: ClusterName): void;
  forgetCluster(cluster: ClusterName): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** Judging is synchronous and cheap; this many in one turn stay far below 10 ms. */
const judgedPerTurn = 128;

export function createShardTable(options: {
  readonly placement: PlacementView;
  readonly surroundings: (cluster: ClusterName) => ShardSurroundings;
  readonly minReady: (key: ServiceKey) => number;
  readonly rules: AddressRules;
  /** Private addresses are outside ones, too. */
  readonly isPrivate: (key: ServiceKey) => boolean;
  readonly onChange: (after: ShardVerdict | undefined, before: ShardVerdict | undefined) => void;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}): ShardTable {
  const { placement, surroundings, minReady, rules, onChange, clock, log, metrics } = options;
  const clusters = new Map<ClusterName, Map<ServiceKey, KnownShard>>();

  const put = (cluster: ClusterName, key: ServiceKey, known: KnownShard): void => {
    const shards = clusters.get(cluster) ?? new Map<ServiceKey, KnownShard>();
    clusters.set(cluster, shards);
    shards.set(key, known);
  };

  const hasAddress = (key: ServiceKey, addresses: readonly IngressAddress[]): boolean =>
    hasOutsideAddress(addresses, rules) ||
    (hasOutsideAddress(addresses, { ...rules, allowPrivate: true }) && options.isPrivate(key));

  const judge = (cluster: ClusterName, key: ServiceKey): number | undefined => {
    const before = clusters.get(cluster)?.get(key);
    if (placement.shard(cluster, key) === undefined) {
      drop(cluster, key, before); // H2
      return undefined;
    }
    const { life, deathReason, reports } = surroundings(cluster);
    const report =
      life === 'reporting' && reports !== undefined
        ? { readiness: reports.readiness(key), ingress: reports.ingress(key) }
        : undefined; // H1
    const facts: ShardFacts = {
      clusterLife: life,
      isReported: report?.ingress !== undefined || report?.readiness !== undefined,
      hasAddress: hasAddress(key, report?.ingress?.addresses ?? []),
      ready: report?.readiness === undefined ? 0 : countUsable(report.readiness),
      minReady: minReady(key),
      nowMs: clock.monotonicMs(),
    };
    const { damping, againAfterMs } = stepShard(before?.damping ?? pendingShard, facts);
    const { state, holdMs } = damping;
    const verdict = toShardVerdict({
      key,
      cluster,
      state,
      report,
      deathReason,
      holdMs,
      minReady: facts.minReady,
      before: before?.verdict,
      nowMs: clock.now(),
    });
    accept(before, { damping, verdict });
    return againAfterMs;
  };

  const accept = (
    before: KnownShard | undefined,
    after: { readonly damping: ShardDamping; readonly verdict: ShardVerdict },
  ): void => {
    const { cluster, key, state, reason } = after.verdict;
    const isSame = isSameVerdict(before?.verdict, after.verdict);
    put(cluster, key, isSame ? { ...after, verdict: before?.verdict } : after);
    if (isSame) return;
    if (before?.verdict?.state !== state) {
      log.info('shard verdict changed', { cluster, service: key, state, reason });
      metrics.count('mesh_health_shard_transitions_total', { to: state });
    }
    onChange(after.verdict, before?.verdict);
  };

  const drop = (cluster: ClusterName, key: ServiceKey, before: KnownShard | undefined): void => {
    if (before === undefined) return;
    clusters.get(cluster)?.delete(key);
    onChange(undefined, before.verdict);
  };

  const loop = createLoop<string>({
    name: 'health-shards',
    run: async (id) => {
      const { cluster, key } = splitId(id);
      const againAfterMs = judge(cluster, key);
      return againAfterMs === undefined ? undefined : { againAfterMs };
    },
    clock,
    chance: options.chance,
    log,
    concurrency: judgedPerTurn,
  });

  const mark = (cluster: ClusterName, key: ServiceKey): void => loop.mark(`${cluster}|${key}`);

  return {
    get: (cluster, key) => clusters.get(cluster)?.get(key)?.verdict,
    known: (cluster) => clusters.get(cluster)?.values() ?? [],
    restore: (verdict, damping) => put(verdict.cluster, verdict.key, { damping, verdict }),
    mark,
    markCluster: (cluster) => {
      for (const { key } of placement.shardsOf(cluster)) mark(cluster, key);
      for (const key of clusters.get(cluster)?.keys() ?? []) mark(cluster, key);
    },
    forgetCluster: (cluster) => {
      for (const [key, known] of clusters.get(cluster) ?? []) drop(cluster, key, known);
      clusters.delete(cluster);
    },
    idle: () => loop.idle(),
    stop: () => loop.stop(),
  };
}

function splitId(id: string): { readonly cluster: ClusterName; readonly key: ServiceKey } {
  const bar = id.indexOf('|');
  // Made by mark, so both parts are what they claim.
  return { cluster: id.slice(0, bar) as ClusterName, key: id.slice(bar + 1) as ServiceKey };
}
