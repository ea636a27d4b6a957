// What each shard of one Service says: bytes and hash, each content encoded once. Pure.
//
//   K1. A shard whose overrides cannot be done keeps its last good content: what the record keeps,
//       else what was shown last. The record keeps it, so that another life knows it too.
//   K2. Never half: a cluster for which no good content is known yet gets no shard.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { Shard, ShardManifest } from '../../common/model/shard.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { contentHash } from '../../common/pure/digest.ts';
import { Pace, type Steps } from '../../common/pure/steps.ts';
import type { PlacementPlan } from './plan.ts';
import type { PlacementRecord } from './records.ts';

export interface Content {
  /** undefined: nothing good is known that it could say. */
  readonly shardOf: (cluster: ClusterName) => Shard | undefined;
  /** For the record. */
  readonly kept: ReadonlyMap<ClusterName, ShardManifest>;
  /** K2: no shard for a cluster that has none yet. */
  readonly isEmpty: (cluster: ClusterName) => boolean;
}

/** Of each different shard of the plan, in steps. */
export function* encodeShards(key: ServiceKey, plan: PlacementPlan): Steps<EncodedShards> {
  const encoded = new Map<ShardManifest, Shard>();
  const pace = new Pace(bytesPerStep);
  for (const manifest of new Set(plan.variants.values())) {
    const shard = toShard(key, manifest);
    encoded.set(manifest, shard);
    if (pace.isOver(shard.bytes.length)) yield;
  }
  return encoded;
}

export type EncodedShards = ReadonlyMap<ShardManifest, Shard>;

// Some 2 ms of a turn.
const bytesPerStep = 100_000;

export function planContent(input: {
  readonly key: ServiceKey;
  readonly plan: PlacementPlan;
  readonly shards?: EncodedShards;
  readonly recorded: PlacementRecord;
  /** What the view showed last. */
  readonly shown: (cluster: ClusterName) => Shard | undefined;
}): Content {
  const { key, plan, recorded, shown } = input;
  const encoded = new Map(input.shards);
  const encode = (manifest: ShardManifest): Shard => {
    const shard = encoded.get(manifest) ?? toShard(key, manifest);
    encoded.set(manifest, shard);
    return shard;
  };
  const isThere = new Set(recorded.clusters);
  const kept = new Map<ClusterName, ShardManifest>();
  for (const cluster of plan.failures.keys()) {
    if (!isThere.has(cluster)) continue;
    const good = recorded.kept.get(cluster) ?? readManifest(shown(cluster));
    if (good !== undefined) kept.set(cluster, good);
  }
  return {
    kept,
    shardOf: (cluster) => {
      const manifest = plan.failures.has(cluster)
        ? kept.get(cluster)
        : (plan.variants.get(cluster) ?? plan.manifest);
      return manifest === undefined ? undefined : encode(manifest);
    },
    isEmpty: (cluster) => plan.failures.has(cluster) && !isThere.has(cluster),
  };
}

function readManifest(shard: Shard | undefined): ShardManifest | undefined {
  if (shard === undefined) return undefined;
  return JSON.parse(Buffer.from(shard.bytes).toString('utf8')) as ShardManifest; // ours, see toShard
}

function toShard(key: ServiceKey, manifest: ShardManifest): Shard {
  const bytes = Buffer.from(toCanonicalJson(manifest), 'utf8');
  return { key, bytes, hash: contentHash(bytes) };
}
