// The digest of a table of peers, order-blind: by it an agent and its coordinator find out at a
// reconnect that nothing has changed. One item a shard.

import type { ServiceKey } from '../model/ids.ts';
import type { PeerShard } from '../model/peer-table.ts';

/**
 * Canonical JSON (canonical-json.ts), made directly: its members stand here in their order, and none
 * is an object. A thousand shards of a Service are a thousand of these at each agent.
 */
export function toPeerItem(key: ServiceKey, shard: PeerShard): string {
  const { cluster, zones, region, addresses, hostnames, tcpPorts, isHealthy } = shard;
  return `${key} ${JSON.stringify({ addresses, cluster, hostnames, isHealthy, region, tcpPorts, zones })}`;
}
