// What the shards of one Service say, cluster by cluster, and what DNS shall make of each. Pure, in
// steps: a hundred variants of a hundred patches each are no work for one turn.
//
//   P6. A shard whose overrides cannot be done gets no new content: see `failures`.
//
// Next: plan-overrides.ts makes one of them.

import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { Pace, type Steps } from '../../common/pure/steps.ts';
import { indexChoices } from './choice-index.ts';
import { toManifest } from './plan-manifest.ts';
import {
  applyInSteps,
  operationsPerStep,
  tooManyVariants,
  variantsMax,
  type Overridden,
  type OverrideFailure,
} from './plan-overrides.ts';

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

export const weightMax = 100;

// As long as one operation of a patch takes.
const keysPerOperation = 50;

export function* planContents(
  service: Service,
  policy: ServicePolicy | undefined,
  clusters: readonly Cluster[],
): Steps<ShardContents> {
  const manifest = toManifest(service, policy);
  const { overrides = [], weights = [], dns } = policy?.spec ?? {};
  const primary = dns?.failover?.primary;
  const variants = new Map<ClusterName, ShardManifest>();
  const failures = new Map<ClusterName, OverrideFailure>();
  const weighed = new Map<ClusterName, number>();
  const backups = new Set<ClusterName>();
  const contents = { manifest, variants, failures, weights: weighed, backups };
  if (overrides.length === 0 && weights.length === 0 && primary === undefined) return contents;
  const done = new Map<readonly number[], Overridden>();
  const pace = new Pace(operationsPerStep);
  const [forOverrides, forWeights] = [indexChoices(overrides), indexChoices(weights)];
  const forPrimary = indexChoices([primary]);
  const lookUpCost = (forOverrides.keys + forWeights.keys) / keysPerOperation;
  for (const cluster of clusters) {
    if (pace.isOver(lookUpCost)) yield;
    const name = toClusterName(cluster.metadata.name);
    const [first = -1] = forWeights.places(cluster);
    const weight = weights[first]?.weight ?? weightMax;
    if (weight !== weightMax) weighed.set(name, weight);
    if (forPrimary.places(cluster).length === 0) backups.add(name);
    const places = forOverrides.places(cluster);
    if (places.length === 0) continue;
    const known = done.get(places);
    if (known === undefined && done.size >= variantsMax) {
      failures.set(name, tooManyVariants);
      continue;
    }
    const result = known ?? (yield* applyInSteps(manifest, { overrides, places, pace }));
    done.set(places, result);
    if (result.kind === 'failed') failures.set(name, result.failure);
    else variants.set(name, result.manifest);
  }
  return contents;
}
