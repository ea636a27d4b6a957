// Peer tables of mesh messages: model <-> proto/mesh.proto.

import type { PeerChange, PeerShard } from '../model/peer-table.ts';
import type { Plain } from './proto-types.ts';
import {
  readCluster,
  readClusters,
  readFlag,
  readKey,
  readList,
  readOptionalText,
  readTexts,
} from './read.ts';

const addressesMax = 1000;
// Five times the most clusters that one federation is made for.
const clustersMax = 10_000;

export function toPeerChangePlain(change: PeerChange): Plain {
  const shards = change.shards.map((shard) => ({ ...shard, region: shard.region ?? '' }));
  return { ...change, shards };
}

export function readPeerChange(plain: Plain): PeerChange {
  return {
    key: readKey(plain, 'key'),
    shards: readList(plain, 'shards', readPeerShard, clustersMax),
    removedClusters: readClusters(plain, 'removedClusters', clustersMax),
    isDelta: readFlag(plain, 'isDelta'),
  };
}

function readPeerShard(plain: Plain): PeerShard {
  const ports = plain['tcpPorts'];
  return {
    cluster: readCluster(plain, 'cluster'),
    zones: readTexts(plain, 'zones'),
    region: readOptionalText(plain, 'region'),
    addresses: readTexts(plain, 'addresses').slice(0, addressesMax),
    hostnames: readTexts(plain, 'hostnames').slice(0, addressesMax),
    tcpPorts: Array.isArray(ports) ? ports.filter((port): port is number => isPort(port)) : [],
    isHealthy: readFlag(plain, 'isHealthy'),
  };
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value < 65_536;
}
