// What a person is told of one Service's placement. Pure.

import type { ClusterName } from '../../common/model/ids.ts';
import type { PlacementNotes } from '../../common/model/views.ts';
import type { LeavingClusters } from './plan-moves.ts';
import type { PlacementPlan } from './plan.ts';

export function toNotes(facts: {
  readonly plan: PlacementPlan;
  readonly refusal: PlacementNotes['refusal'];
  readonly leaving: LeavingClusters;
  readonly stalled: readonly ClusterName[];
  /** Of the record. */
  readonly clusters: readonly ClusterName[];
}): PlacementNotes {
  const { plan, refusal, leaving, stalled } = facts;
  const isThere = new Set(facts.clusters);
  const wanted = new Set(plan.kind === 'placed' ? plan.clusters : facts.clusters);
  return {
    refusal:
      refusal === undefined ? undefined : { reason: refusal.reason, message: refusal.message },
    moves: [...leaving].map(([cluster, { awaits, isDrained }]) => ({
      cluster,
      awaits,
      isDrained,
      isStalled: stalled.includes(cluster),
    })),
    policy: plan.policy?.metadata.name,
    overruled: plan.overruled.map(({ metadata }) => metadata.name),
    hasOverrides: (plan.policy?.spec?.overrides ?? []).length > 0,
    failures: [...plan.failures]
      .filter(([cluster]) => wanted.has(cluster) || isThere.has(cluster))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([cluster, { field, message }]) => ({
        cluster,
        field,
        message,
        isThere: isThere.has(cluster),
      })),
  };
}
