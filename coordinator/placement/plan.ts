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

import type { Cluster, ServicePolicy, ShardWeight } from '../../common/model/isthmus-kinds.ts';
import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { isStranger } from '../../common/pure/cluster-approval.ts';
import { matchesSelector, type Requirement } from '../../common/pure/label-selector.ts';
import { parseV1Selector } from './cluster-selector.ts';
import { findTaint, isChosen } from './plan-choice.ts';
import { toManifest, v1SelectorAnnotation } from './plan-manifest.ts';
import {
  applyOverrides,
  overridesFor,
  tooManyVariants,
  variantsMax,
  type OverrideFailure,
} from './plan-overrides.ts';

export interface PlacementInput {
  readonly service: Service;
  readonly policies: readonly ServicePolicy[];
  readonly clusters: readonly Cluster[];
  /** Clusters that may hold a shard already. */
  readonly recorded?: ReadonlySet<ClusterName>;
}

/** What each shard says. */
export interface ShardContents {
  /** Of every cluster without an override. */
  readonly manifest: ShardManifest;
  /** Of clusters that overrides change; those with the same overrides share one. */
  readonly variants: ReadonlyMap<ClusterName, ShardManifest>;
  readonly failures: ReadonlyMap<ClusterName, OverrideFailure>;
  /** 0 to 100, of clusters whose weight is not 100. */
  readonly weights: ReadonlyMap<ClusterName, number>;
  /** Clusters that the policy's failover does not count among the primary ones. */
  readonly backups: ReadonlySet<ClusterName>;
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
  const { service, clusters, recorded = nowhere } = input;
  const governing = governingPolicy(service, input.policies);
  const requirements = readAnnotation(service);
  if (typeof requirements === 'string') {
    const contents = planContents(service, governing.policy, clusters);
    const message = `annotation ${v1SelectorAnnotation}: ${requirements}`;
    return {
      kind: 'refused',
      reason: 'InvalidClusterSelector',
      message,
      ...governing,
      ...contents,
    };
  }
  const chosen = clusters.filter((cluster) =>
    isWanted(cluster, {
      policy: governing.policy,
      requirements,
      isThere: recorded.has(toClusterName(cluster.metadata.name)),
    }),
  );
  const names = chosen.map(({ metadata }) => toClusterName(metadata.name)).sort();
  return {
    kind: 'placed',
    clusters: names,
    ...governing,
    ...planContents(service, governing.policy, clusters),
  };
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
  if (isLeaving(cluster) || isStranger(cluster.status)) return false;
  if (!matchesSelector(cluster.metadata.labels ?? {}, by.requirements)) return false;
  if (!isChosen(cluster, placement)) return false;
  if (findTaint(cluster, placement?.tolerations ?? [], by.isThere) !== undefined) return false;
  return by.isThere || cluster.spec?.unschedulable !== true;
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

function planContents(
  service: Service,
  policy: ServicePolicy | undefined,
  clusters: readonly Cluster[],
): ShardContents {
  const manifest = toManifest(service, policy);
  const { overrides = [], weights = [], dns } = policy?.spec ?? {};
  const primary = dns?.failover?.primary;
  const variants = new Map<ClusterName, ShardManifest>();
  const failures = new Map<ClusterName, OverrideFailure>();
  const weighed = new Map<ClusterName, number>();
  const backups = new Set<ClusterName>();
  const done = new Map<string, ReturnType<typeof applyOverrides>>();
  const contents = { manifest, variants, failures, weights: weighed, backups };
  if (overrides.length === 0 && weights.length === 0 && primary === undefined) return contents;
  for (const cluster of clusters) {
    const name = toClusterName(cluster.metadata.name);
    const weight = weightOf(cluster, weights);
    if (weight !== weightMax) weighed.set(name, weight);
    if (primary !== undefined && !isChosen(cluster, primary)) backups.add(name);
    const places = overridesFor(cluster, overrides);
    if (places.length === 0) continue;
    const known = done.get(places.join());
    if (known === undefined && done.size >= variantsMax) {
      failures.set(name, tooManyVariants);
      continue;
    }
    const result = known ?? applyOverrides(manifest, overrides, places);
    done.set(places.join(), result);
    if (result.kind === 'failed') failures.set(name, result.failure);
    else variants.set(name, result.manifest);
  }
  return contents;
}

export const weightMax = 100;

function weightOf(cluster: Cluster, weights: readonly ShardWeight[]): number {
  return weights.find((one) => isChosen(cluster, one))?.weight ?? weightMax;
}
