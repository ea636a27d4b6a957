// Which clusters a policy's choice names: `clusters`, `clusterSelector`, and what taints keep out.
// Pure.
//
//   C1. Both fields given: both must choose. Neither given: every cluster.
//   C2. A taint counts against a cluster unless one toleration takes it, as on Nodes.

import type {
  Cluster,
  ClusterChoice,
  ClusterTaint,
  Toleration,
} from '../../common/model/isthmus-kinds.ts';
import { matchesSelector, type Requirement } from '../../common/pure/label-selector.ts';

export function isChosen(cluster: Cluster, choice: ClusterChoice | undefined): boolean {
  if (choice?.clusters !== undefined && !choice.clusters.includes(cluster.metadata.name))
    return false;
  const selector = choice?.clusterSelector;
  if (selector === undefined) return true;
  return matchesSelector(cluster.metadata.labels ?? {}, toRequirements(selector));
}

/** What a selector demands; without one: nothing. */
export function toRequirements(
  selector: ClusterChoice['clusterSelector'] | undefined,
): readonly Requirement[] {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector?.matchExpressions ?? []).map(
    ({ key, operator, values }): Requirement => ({ key, operator, values: values ?? [] }),
  );
  return [...labels, ...expressions];
}

/** The first taint that keeps a new shard out (`isThere`: a shard that is there already). */
export function findTaint(
  cluster: Cluster,
  tolerations: readonly Toleration[],
  isThere: boolean,
): ClusterTaint | undefined {
  return (cluster.spec?.taints ?? []).find(
    (taint) =>
      !(isThere && taint.effect === 'NoSchedule') &&
      !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}

/** As ToleratesTaint of Kubernetes: no key with Exists takes all, no effect takes both. */
function tolerates(toleration: Toleration, taint: ClusterTaint): boolean {
  const { key = '', operator = 'Equal', value = '', effect } = toleration;
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return key !== '' && value === (taint.value ?? '');
}
