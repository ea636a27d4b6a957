// Decides which clusters get a shard of one Service, and what each shard says. Pure.
//
// Input:  the Service, the ServicePolicies of its namespace, every Cluster, and where shards may
//         be already.
// Output: sorted clusters and their manifests, or a refusal that leaves the placement as it was.
//
//   P1. A Service without a policy goes to every cluster.
//   P2. A selector that cannot be read refuses; it never means "nowhere" (I3).
//   P3. The manifest holds what the user wrote and nothing that a cluster allocates.
//   P4. Of several policies for one Service the oldest counts, then the first by name; the others
//       are told so.
//   P5. Cordon and NoSchedule keep new shards out and let be what is there; NoExecute, and a
//       Cluster that is being removed, send away what is there.
//   P6. A shard whose overrides cannot be done gets no new content: see `failures`.
//
// Next: plan-moves.ts says when a cluster that is no longer chosen may go.

import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { isStranger } from '../../common/pure/cluster-approval.ts';
import { matchesSelector, type Requirement } from '../../common/pure/label-selector.ts';
import { indexSelectors } from '../../common/pure/label-selector-index.ts';
import { runAtOnce, type Steps } from '../../common/pure/steps.ts';
import { indexChoices } from './choice-index.ts';
import { parseV1Selector } from './cluster-selector.ts';
import { findTaint, isChosen } from './plan-choice.ts';
import { v1SelectorAnnotation } from './plan-manifest.ts';
import { planContents, type ShardContents } from './plan-variants.ts';

export interface PlacementInput {
  readonly service: Service;
  readonly policies: readonly ServicePolicy[];
  readonly clusters: readonly Cluster[];
  /** Clusters that may hold a shard already. */
  readonly recorded?: ReadonlySet<ClusterName>;
}

export interface Governing {
  readonly policy: ServicePolicy | undefined;
  /** P4, by name. */
  readonly overruled: readonly ServicePolicy[];
}

export type PlacementPlan = ShardContents &
  Governing &
  (
    | {
        readonly kind: 'placed';
        /** Sorted. */
        readonly clusters: readonly ClusterName[];
      }
    /** The clusters stay as they are; edits of the Service still reach them. */
    | { readonly kind: 'refused'; readonly reason: string; readonly message: string }
  );

export function planPlacement(input: PlacementInput): PlacementPlan {
  return runAtOnce(planInSteps(input));
}

/** As planPlacement, for whoever lets others have their turns meanwhile. */
export function* planInSteps(input: PlacementInput): Steps<PlacementPlan> {
  const { service, clusters } = input;
  const governing = governingPolicy(service, input.policies);
  const names = chooseClusters(input, governing.policy);
  const contents = yield* planContents(service, governing.policy, clusters);
  if (typeof names === 'string') {
    const message = `annotation ${v1SelectorAnnotation}: ${names}`;
    return {
      kind: 'refused',
      reason: 'InvalidClusterSelector',
      message,
      ...governing,
      ...contents,
    };
  }
  return { kind: 'placed', clusters: names, ...governing, ...contents };
}

/** Where shards shall be, sorted; what they say is not asked. A text: why it cannot be read. */
export function chooseClusters(
  { service, clusters, recorded = nowhere }: PlacementInput,
  policy: ServicePolicy | undefined,
): readonly ClusterName[] | string {
  const requirements = readAnnotation(service);
  if (typeof requirements === 'string') return requirements;
  const { places } = indexChoices([policy?.spec?.placement]);
  const { match } = indexSelectors([requirements]);
  const isMeant = (cluster: Cluster): boolean =>
    places(cluster).length > 0 &&
    (requirements.length === 0 || match(cluster.metadata.labels ?? {})[0] === 1);
  return clusters
    .filter((one) => isMeant(one) && mayHold(one, policy, recorded.has(nameOf(one))))
    .map(nameOf)
    .sort();
}

function nameOf({ metadata }: Cluster): ClusterName {
  return toClusterName(metadata.name);
}

const nowhere: ReadonlySet<ClusterName> = new Set();

/** What v1's annotation demands, or why it cannot be read. */
export function readAnnotation(service: Service): readonly Requirement[] | string {
  const annotation = service.metadata.annotations?.[v1SelectorAnnotation];
  return annotation === undefined ? [] : parseV1Selector(annotation);
}

/** Whether one cluster shall have a shard. One that waits for approval, or was denied, shall not. */
export function isWanted(
  cluster: Cluster,
  by: {
    readonly policy: ServicePolicy | undefined;
    readonly requirements: readonly Requirement[];
    readonly isThere: boolean;
  },
): boolean {
  const placement = by.policy?.spec?.placement;
  return (
    matchesSelector(cluster.metadata.labels ?? {}, by.requirements) &&
    isChosen(cluster, placement) &&
    mayHold(cluster, by.policy, by.isThere)
  );
}

/** Nothing of its own keeps the cluster from having a shard. */
function mayHold(cluster: Cluster, policy: ServicePolicy | undefined, isThere: boolean): boolean {
  if (isLeaving(cluster) || isStranger(cluster.status)) return false;
  const tolerations = policy?.spec?.placement?.tolerations ?? [];
  if (findTaint(cluster, tolerations, isThere) !== undefined) return false;
  return isThere || cluster.spec?.unschedulable !== true;
}

/** It is being removed from the federation. */
export function isLeaving({ metadata }: Cluster): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** P4. A policy that is being deleted still counts until it is gone, as any object does. */
export function governingPolicy(service: Service, policies: readonly ServicePolicy[]): Governing {
  const [policy, ...overruled] = policies
    .filter(({ spec }) => spec?.serviceName === service.metadata.name)
    .sort(byAge);
  return { policy, overruled };
}

function byAge(a: ServicePolicy, b: ServicePolicy): number {
  const [created, than] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (created !== than) return created < than ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
