// What to probe of a cluster: the distinct outside addresses of its healthy shards.
// Input: the shards' verdicts. Output: targets, sorted.
//
//   T1. Only addresses that may stand in public DNS, and only ports of the shards' Services.
//   T2. Only shards judged healthy: an address without ready endpoints proves nothing when it
//       does not answer.
//   T3. At most `targetsMax`, so that one request is answered within one probe's deadline even
//       when nothing answers (an agent probes this many at once).
// Next: plan-baseline.ts.

import type { ServicePort } from '../../common/model/kube-object.ts';
import type { IngressAddress, ProbeTarget } from '../../common/model/telemetry.ts';
import { isPublishable, parseAddress, type AddressRules } from '../../common/pure/address-rules.ts';
import { toTargetKey } from './fold-reach.ts';

export const targetsMax = 16;

export interface ProbedShard {
  readonly isHealthy: boolean;
  readonly addresses: readonly IngressAddress[];
  readonly ports: readonly ServicePort[];
  /** See ShardVerdict. */
  readonly isAtNodePorts?: boolean;
}

export function planTargets(
  shards: Iterable<ProbedShard>,
  rules: AddressRules,
): readonly ProbeTarget[] {
  const targets = new Map<string, ProbeTarget>();
  for (const shard of shards) {
    if (!shard.isHealthy) continue; // T2
    const port = probedPort(shard);
    if (port === undefined) continue;
    for (const address of publishableAddresses(shard.addresses, rules)) {
      const target: ProbeTarget = { address, ...port };
      targets.set(toTargetKey(target), target);
    }
  }
  const sorted = [...targets].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.slice(0, targetsMax).map(([, target]) => target);
}

/** Literal addresses that may stand in public DNS, canonical, sorted, each once. */
export function publishableAddresses(
  addresses: readonly IngressAddress[],
  rules: AddressRules,
): readonly string[] {
  const literals = addresses.flatMap(({ ip }) => parseAddress(ip ?? '') ?? []);
  return [...new Set(literals)].filter((ip) => isPublishable(ip, rules)).sort();
}

export function hostnamesOf(addresses: readonly IngressAddress[]): readonly string[] {
  const names = addresses.flatMap(({ hostname }) =>
    hostname === undefined || hostname === '' ? [] : hostname.toLowerCase(),
  );
  return [...new Set(names)].sort();
}

/** True when clients outside the cluster have an address to go to. */
export function hasOutsideAddress(
  addresses: readonly IngressAddress[],
  rules: AddressRules,
): boolean {
  return publishableAddresses(addresses, rules).length > 0 || hostnamesOf(addresses).length > 0;
}

export function tcpPorts(ports: readonly ServicePort[]): readonly number[] {
  const tcp = ports.filter(({ protocol }) => protocol === undefined || protocol === 'TCP');
  return [...new Set(tcp.map(({ port }) => port))].sort((a, b) => a - b);
}

/** One port stands for its address: the lowest TCP port, or the node port in its place. */
function probedPort(shard: ProbedShard): Omit<ProbeTarget, 'address'> | undefined {
  const { ports } = shard;
  const [port] = tcpPorts(ports);
  if (port === undefined) return undefined;
  const named = ports.find((candidate) => candidate.port === port);
  const isTls = port === 443 || named?.name === 'https' || named?.appProtocol === 'https';
  const asked = shard.isAtNodePorts === true ? named?.nodePort : port;
  return asked === undefined ? undefined : { port: asked, method: isTls ? 'tls' : 'tcp' };
}
