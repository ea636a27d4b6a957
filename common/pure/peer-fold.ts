// Folds what is told of a Service's shards into what is known of them. Input: the known shards and
// a change. Output: the shards then.
//
//   F1. Any sequence of changes folded is the table that they were made from.
//   F2. A shard that stays as it was is the same object, and so is a Service: whoever compares
//       before and after pays for what changed.
//   F3. A delta of a Service that is not known is all of it.

import type { PeerChange, PeerService, PeerShard } from '../model/peer-table.ts';

export function foldPeers(known: PeerService | undefined, change: PeerChange): PeerService {
  const before = new Map(known?.shards.map((shard) => [shard.cluster, shard]));
  const after = change.isDelta ? new Map(before) : new Map<PeerShard['cluster'], PeerShard>();
  for (const cluster of change.removedClusters) after.delete(cluster);
  for (const shard of change.shards) {
    const old = before.get(shard.cluster);
    after.set(shard.cluster, old !== undefined && isSamePeer(old, shard) ? old : shard);
  }
  const shards = [...after.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  return known !== undefined && isSameList(known.shards, shards)
    ? known
    : { key: change.key, shards };
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
