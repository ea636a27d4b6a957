// The digest of a table of peers, order-blind: by it an agent and its coordinator find out at a
// reconnect that nothing has changed. One item a shard.

import type { ServiceKey } from '../model/ids.ts';
import type { PeerShard } from '../model/peer-table.ts';
import { toCanonicalJson } from './canonical-json.ts';

export function toPeerItem(key: ServiceKey, shard: PeerShard): string {
  const { cluster, zones, region, addresses, hostnames, tcpPorts, isHealthy } = shard;
  return `${key} ${toCanonicalJson({ cluster, zones, region, addresses, hostnames, tcpPorts, isHealthy })}`;
}
