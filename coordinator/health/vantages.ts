// Which vantage points can be asked right now, and which of them about one cluster.
// Input: live clusters with their Session and topology. Output: vantage points, best first.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ProbeTarget } from '../../common/model/telemetry.ts';
import type { Topology } from '../../common/model/topology.ts';
import type { SessionView } from '../../common/model/views.ts';
import type { AddressRules } from '../../common/pure/address-rules.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { ClusterTable } from './cluster-table.ts';
import { toTargetKey, type Reach } from './fold-reach.ts';
import { chooseVantages, ownVantage, toVantage, type Vantage } from './plan-vantage.ts';

/** DESIGN 8: the coordinator and up to three agents keep the baseline. */
const baselineAgentsMax = 3;
/** In trouble one more, should one of the three be in the same trouble. */
const suspicionAgentsMax = 4;

/** Who can be asked is looked up for many clusters in a row, after a restart for all of them. */
const knownMs = 100;
const madeSpare = 64;

export interface Vantages {
  forBaseline(cluster: ClusterName): readonly Vantage[];
  /** Those that lately reached a target come first: their failures count. */
  forSuspicion(cluster: ClusterName, targets: readonly ProbeTarget[]): readonly Vantage[];
}

/** A vantage point, and what it was made of. */
interface Made {
  readonly remoteAddress: string;
  readonly topology: Topology;
  readonly vantage: Vantage;
}

export function createVantages(options: {
  readonly table: ClusterTable;
  readonly sessions: SessionView;
  readonly topology: (cluster: ClusterName) => Topology;
  readonly reach: Reach;
  readonly rules: AddressRules;
  readonly clock: Clock;
}): Vantages {
  const { table, sessions, topology, reach, rules, clock } = options;
  const { allowLoopback } = rules;
  const made = new Map<ClusterName, Made>();
  let known: { readonly agents: readonly Vantage[]; readonly untilMs: number } | undefined;

  const agents = (): readonly Vantage[] => {
    const nowMs = clock.monotonicMs();
    if (known === undefined || nowMs >= known.untilMs) {
      known = { agents: findAgents(), untilMs: nowMs + knownMs };
    }
    return known.agents;
  };

  const findAgents = (): readonly Vantage[] => {
    const able: Vantage[] = [];
    for (const entry of table.entries()) {
      const { life } = entry.verdict;
      if ((life !== 'live' && life !== 'apiStale') || !table.isTelemetryFresh(entry)) continue;
      const session = sessions.session(entry.name);
      if (session === undefined) continue; // its egress is unknown, so it proves nothing
      able.push(vantageOf(entry.name, session.remoteAddress));
    }
    if (made.size > 2 * able.length + madeSpare) made.clear(); // of clusters that are gone
    return able;
  };

  const vantageOf = (cluster: ClusterName, remoteAddress: string): Vantage => {
    const its = topology(cluster);
    const before = made.get(cluster);
    if (before?.remoteAddress === remoteAddress && before.topology === its) return before.vantage;
    const vantage = toVantage({ cluster, remoteAddress, topology: its, allowLoopback });
    made.set(cluster, { remoteAddress, topology: its, vantage });
    return vantage;
  };

  const forSuspicion = (
    cluster: ClusterName,
    targets: readonly ProbeTarget[],
  ): readonly Vantage[] => {
    const nowMs = clock.monotonicMs();
    const keys = targets.map(toTargetKey);
    const counts = ({ id }: Vantage): boolean =>
      keys.some((key) => reach.counts(cluster, key, { vantageId: id, nowMs }));
    const all = agents();
    const witnesses = chooseVantages(cluster, all.filter(counts), suspicionAgentsMax);
    const others = all.filter((agent) => !witnesses.includes(agent));
    const fill = chooseVantages(cluster, others, suspicionAgentsMax - witnesses.length);
    return [ownVantage, ...witnesses, ...fill];
  };

  return {
    forBaseline: (cluster) => [ownVantage, ...chooseVantages(cluster, agents(), baselineAgentsMax)],
    forSuspicion,
  };
}
