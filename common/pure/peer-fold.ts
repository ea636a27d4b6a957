// Folds what is told of a Service's shards into what is known of them. Input: the known shards and
// a change. Output: the shards then.
//
//   F1. Any sequence of changes folded is the table that they were made from.
//   F2. A shard that stays as it was is the same object, and so is a Service: whoever compares
//       before and after pays for what changed.
//   F3. A delta of a Service that is not known is all of it.

import type { PeerChange, PeerService, PeerShard } from '../model/peer-table.ts';

export function foldPeers(known: PeerService | undefined, change: PeerChange): PeerService {
  if (known === undefined || !change.isDelta) return foldWhole(known, change);
  const told = new Map(change.shards.map((shard) => [shard.cluster, shard]));
  const gone = new Set(change.removedClusters);
  const shards: PeerShard[] = [];
  let isSame = true;
  for (const old of known.shards) {
    const next = told.get(old.cluster);
    told.delete(old.cluster);
    if (next === undefined && gone.has(old.cluster)) isSame = false;
    else if (next === undefined || isSamePeer(old, next)) shards.push(old);
    else {
      shards.push(next);
      isSame = false;
    }
  }
  if (isSame && told.size === 0) return known;
  // Those that are there stay in their order: most deltas change one of a thousand.
  if (told.size > 0) shards.push(...told.values());
  return { key: change.key, shards: told.size > 0 ? shards.sort(byCluster) : shards };
}

function foldWhole(known: PeerService | undefined, change: PeerChange): PeerService {
  const before = new Map(known?.shards.map((shard) => [shard.cluster, shard]));
  const after = new Map<PeerShard['cluster'], PeerShard>();
  for (const shard of change.shards) {
    const old = before.get(shard.cluster);
    after.set(shard.cluster, old !== undefined && isSamePeer(old, shard) ? old : shard);
  }
  const shards = [...after.values()].sort(byCluster);
  return known !== undefined && isSameList(known.shards, shards)
    ? known
    : { key: change.key, shards };
}

function byCluster(a: PeerShard, b: PeerShard): number {
  return a.cluster < b.cluster ? -1 : 1;
}

function isSamePeer(a: PeerShard, b: PeerShard): boolean {
  return (
    a.isHealthy === b.isHealthy &&
    a.region === b.region &&
    isSameList(a.zones, b.zones) &&
    isSameList(a.addresses, b.addresses) &&
    isSameList(a.hostnames, b.hostnames) &&
    isSameList(a.tcpPorts, b.tcpPorts)
  );
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
