// Decides what an agent must be told. Pure.
//
//   S1. Only differences between what shall be there and what the agent holds are sent.
//   S2. A key that is held, not wanted and not ordered away is unclaimed: shown, never deleted.
//   S3. A batch stays within its bound, so that one big cluster does not stall a stream.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { RemovalOrder, Shard } from '../../common/model/shard.ts';
import { SumDigest, toInventoryItem } from '../../common/pure/digest.ts';

export type Held = ReadonlyMap<ServiceKey, ContentHash>;

export interface Wanted {
  shard(key: ServiceKey): Shard | undefined;
  order(key: ServiceKey): RemovalOrder | undefined;
}

export interface BatchPlan {
  readonly upserts: readonly Shard[];
  readonly removals: readonly RemovalOrder[];
}

/** Bytes of shards in one batch; a larger single shard goes alone. */
export const batchBytesMax = 256 * 1024;

/** Batches that bring these keys from what is held to what is wanted, in key order. */
export function planBatches(
  keys: Iterable<ServiceKey>,
  held: Held,
  wanted: Wanted,
): readonly BatchPlan[] {
  const batches: BatchPlan[] = [];
  let upserts: Shard[] = [];
  let removals: RemovalOrder[] = [];
  let bytes = 0;
  const close = (): void => {
    if (upserts.length > 0 || removals.length > 0) batches.push({ upserts, removals });
    [upserts, removals, bytes] = [[], [], 0];
  };
  for (const key of [...keys].sort()) {
    const shard = wanted.shard(key);
    const order = shard === undefined ? wanted.order(key) : undefined;
    const size = shard?.bytes.length ?? 64;
    if (bytes > 0 && bytes + size > batchBytesMax) close();
    if (shard !== undefined && held.get(key) !== shard.hash) upserts.push(shard);
    else if (order !== undefined) removals.push(order);
    else continue;
    bytes += size;
  }
  close();
  return batches;
}

/** S2, sorted. */
export function findUnclaimed(held: Held, wanted: Wanted): readonly ServiceKey[] {
  return [...held.keys()]
    .filter((key) => wanted.shard(key) === undefined && wanted.order(key) === undefined)
    .sort();
}

/** The digest that an agent reports when it holds exactly these. */
export function digestOf(shards: Iterable<Pick<Shard, 'key' | 'hash'>>): string {
  const digest = new SumDigest();
  for (const shard of shards) digest.add(toInventoryItem(shard));
  return digest.value();
}
