// Whether what a Cluster says of itself now could place a Service otherwise, or give its shard there
// other content. Pure. Input: the Service with its policies, the Cluster before and after.
//
//   Q1. When in doubt, yes: a Service that is looked at for nothing is not changed.

import type { Cluster, ClusterChoice, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { isChosen } from './plan-choice.ts';
import { governingPolicy, isWanted, readAnnotation } from './plan.ts';

export interface ClusterChange {
  readonly before: Cluster;
  readonly after: Cluster;
}

export function isConcerned(
  service: Service,
  policies: readonly ServicePolicy[],
  { before, after }: ClusterChange,
): boolean {
  const { policy } = governingPolicy(service, policies);
  const requirements = readAnnotation(service);
  const isOtherwise = (choice: ClusterChoice): boolean =>
    choice.clusterSelector !== undefined && isChosen(before, choice) !== isChosen(after, choice);
  // Whether a shard is there may be about to change as well.
  const isPlacedOtherwise = [false, true].some((isThere) => {
    if (typeof requirements === 'string') return false;
    const by = { policy, requirements, isThere };
    return isWanted(before, by) !== isWanted(after, by);
  });
  const { overrides = [], weights = [], dns } = policy?.spec ?? {};
  const primary = dns?.failover?.primary;
  return (
    isPlacedOtherwise || [...overrides, ...weights, ...(primary ? [primary] : [])].some(isOtherwise)
  );
}

/** How much there is to ask of it, beside 1 of a Service without a policy. */
export function concernCost(policies: readonly ServicePolicy[]): number {
  return policies.reduce(
    (sum, { spec }) => sum + 1 + (spec?.overrides?.length ?? 0) + (spec?.weights?.length ?? 0),
    1,
  );
}
