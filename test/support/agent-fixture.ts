// What the tests of the agent's applier share: shards as bytes, and an assignment to change.

import {
  toClusterName,
  toRevision,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { RemovalOrder, Shard, ShardManifest } from '../../common/model/shard.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { contentHash } from '../../common/pure/digest.ts';
import type { Assignment, RemovalNote } from '../../agent/shard/assignment.ts';

export interface TestAssignment extends Assignment {
  wish(manifest: ShardManifest): Shard;
  order(key: ServiceKey): RemovalOrder | undefined;
  giveUp(key: ServiceKey, mode: 'delete' | 'release'): void;
  /** Nobody wants it or orders it away any more. */
  forget(key: ServiceKey): void;
  /** As in an empty folder. */
  loseNotes(): void;
}

export function toShard(manifest: ShardManifest): Shard {
  const bytes = Buffer.from(toCanonicalJson(manifest));
  return { key: toServiceKey(manifest.metadata), bytes, hash: contentHash(bytes) };
}

export function createTestAssignment(): TestAssignment {
  const shards = new Map<ServiceKey, Shard>();
  const orders = new Map<ServiceKey, RemovalOrder>();
  const listeners = new Set<(key: ServiceKey) => void>();
  let revision = 0;
  let removals: RemovalNote | undefined;
  const tell = (key: ServiceKey): void => {
    for (const listener of listeners) listener(key);
  };
  return {
    shard: (key) => shards.get(key),
    order: (key) => orders.get(key),
    keys: () => new Set([...shards.keys(), ...orders.keys()]),
    recover: (found) => {
      for (const shard of found.shards) shards.set(shard.key, shard);
      for (const order of found.orders) orders.set(order.key, order);
      for (const { key } of [...found.shards, ...found.orders]) tell(key);
      return Promise.resolve();
    },
    removals: () => removals,
    loseNotes: () => {
      removals = undefined;
    },
    noteRemovals: (note) => {
      removals = note;
      return Promise.resolve();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    wish: (manifest) => {
      const shard = toShard(manifest);
      shards.set(shard.key, shard);
      orders.delete(shard.key);
      tell(shard.key);
      return shard;
    },
    giveUp: (key, mode) => {
      revision += 1;
      shards.delete(key);
      orders.set(key, { cluster: toClusterName('a'), key, mode, revision: toRevision(revision) });
      tell(key);
    },
    forget: (key) => {
      shards.delete(key);
      orders.delete(key);
      tell(key);
    },
  };
}
