// The status of one federated Service, from everything known of its shards.
// Input: the Service, its shards with verdict and result, its publication. Output: its next
// status: all outside addresses as a load balancer's ingress, and four conditions.
//
//   U1. An address of a dead cluster is not listed; every other known one is, healthy or not: the
//       guide promises all members' ingress addresses once they are allocated.
//   U2. Applied is True only for the very content that placement wants now (by hash).
//   U3. The order depends on cluster names alone.
// Next: plan-projections.ts.

import type { ShardVerdict } from '../../common/model/health.ts';
import type { ClusterName } from '../../common/model/ids.ts';
import type { Condition, LoadBalancerIngress, Service } from '../../common/model/kube-object.ts';
import type { Shard, ShardResult } from '../../common/model/shard.ts';
import type { Topology } from '../../common/model/topology.ts';
import { isPublishable, parseAddress, type AddressRules } from '../../common/pure/address-rules.ts';
import type { PlacementNotes } from '../../common/model/views.ts';
import { planConditions, type Said } from '../../common/pure/conditions.ts';
import type { PublishedFacts } from './published.ts';
import { sayPublished } from './plan-published.ts';
import { passingConditions, sayMoving, sayOverrides } from './plan-notes.ts';

/** Everything that status knows of one shard. */
export interface ShardFacts {
  readonly cluster: ClusterName;
  readonly topology: Topology;
  readonly wanted: Shard | undefined;
  readonly result: ShardResult | undefined;
  readonly verdict: ShardVerdict | undefined;
  readonly isConnected: boolean;
  /** Epoch milliseconds; known only while the cluster is not live. */
  readonly lastProofOfLifeMs: number | undefined;
  /** Of its ServiceShard (plan-shard-conditions.ts). */
  readonly conditions: readonly Condition[];
}

export interface ServiceFacts {
  readonly service: Service;
  /** Sorted by cluster. */
  readonly shards: readonly ShardFacts[];
  /** Sorted by DNSZone. */
  readonly published: readonly PublishedFacts[];
  readonly notes: PlacementNotes | undefined;
  readonly rules: AddressRules;
  readonly nowText: string;
}

/** At most this many clusters are named in one message. */
const namedMax = 5;

export function planServiceStatus(facts: ServiceFacts): NonNullable<Service['status']> {
  const passing = [...sayMoving(facts.notes), ...sayOverrides(facts.notes)];
  const isSaid = new Set(passing.map(({ type }) => type));
  const current = (facts.service.status?.conditions ?? []).filter(
    ({ type }) => isSaid.has(type) || !passingConditions.has(type),
  );
  const said = [
    sayPlaced(facts),
    sayApplied(facts),
    sayHealthy(facts),
    sayPublished(facts.published),
  ];
  return {
    loadBalancer: planLoadBalancer(facts),
    conditions: planConditions(current, [...said, ...passing], facts.nowText),
  };
}

function planLoadBalancer(facts: ServiceFacts): {
  readonly ingress?: readonly LoadBalancerIngress[];
} {
  const listed = facts.shards.flatMap(({ verdict }) =>
    verdict === undefined || verdict.state === 'dead' ? [] : toIngress(verdict, facts.rules),
  );
  const unique = new Map(listed.map((one) => [one.ip ?? one.hostname ?? '', one]));
  return unique.size === 0 ? {} : { ingress: [...unique.values()] };
}

/** Outside addresses of one shard: literals first, each sorted (U3). */
export function toIngress(
  verdict: ShardVerdict,
  rules: AddressRules,
): readonly LoadBalancerIngress[] {
  const ips = verdict.addresses.flatMap(({ ip }) => parseAddress(ip ?? '') ?? []);
  const names = verdict.addresses.flatMap(({ hostname }) => (hostname ? [hostname] : []));
  return [
    ...[...new Set(ips)]
      .filter((ip) => isPublishable(ip, rules))
      .sort()
      .map((ip): LoadBalancerIngress => ({ ip, ipMode: 'VIP' })),
    ...[...new Set(names)].sort().map((hostname): LoadBalancerIngress => ({ hostname })),
  ];
}

export function isApplied({ wanted, result }: Pick<ShardFacts, 'wanted' | 'result'>): boolean {
  return wanted !== undefined && result?.outcome === 'applied' && result.hash === wanted.hash;
}

/** The agent refused, or could not apply, what is wanted now. */
export function isRefused({ wanted, result }: Pick<ShardFacts, 'wanted' | 'result'>): boolean {
  if (result?.outcome !== 'refused' && result?.outcome !== 'failed') return false;
  return result.hash === undefined || result.hash === wanted?.hash;
}

function sayPlaced({ shards, notes }: ServiceFacts): Said {
  const type = 'Placed';
  if (notes?.refusal !== undefined) {
    const { reason, message } = notes.refusal;
    const where = shards.length === 0 ? 'nowhere' : `in ${name(shards)}`;
    const text = `${message}. It stays as it was: ${where}.`;
    return { type, status: 'False', reason, message: text };
  }
  if (shards.length === 0) {
    return { type, status: 'False', reason: 'NoCluster', message: 'No cluster is chosen.' };
  }
  const message = `In ${count(shards.length)}: ${name(shards)}.`;
  return { type, status: 'True', reason: 'Placed', message };
}

function sayApplied({ shards }: ServiceFacts): Said {
  const type = 'Applied';
  const missing = shards.filter((shard) => !isApplied(shard));
  const done = `Applied in ${shards.length - missing.length} of ${count(shards.length)}`;
  if (shards.length === 0) {
    return { type, status: 'False', reason: 'NoCluster', message: 'No cluster is chosen.' };
  }
  if (missing.length === 0) return { type, status: 'True', reason: 'Applied', message: `${done}.` };
  const first = missing.find(isRefused);
  if (first?.result !== undefined) {
    const { reason, message } = first.result;
    const why = `${first.cluster}: ${message || reason}`;
    return { type, status: 'False', reason: reason || 'Refused', message: `${done}. ${why}` };
  }
  const away = missing.filter(({ isConnected }) => !isConnected);
  const reason = away.length === missing.length ? 'AgentsAway' : 'Applying';
  return { type, status: 'False', reason, message: `${done}; waiting for ${name(missing)}.` };
}

function sayHealthy({ shards }: ServiceFacts): Said {
  const type = 'Healthy';
  const healthy = shards.filter(({ verdict }) => verdict?.state === 'healthy');
  const summary = `${healthy.length} of ${shards.length} shards healthy`;
  const rest = shards.filter((shard) => !healthy.includes(shard));
  const why =
    rest.length === 0
      ? '.'
      : `; ${rest.slice(0, namedMax).map(sayShard).join(', ')}${more(rest.length)}.`;
  const message = `${summary}${why}`;
  if (healthy.length > 0) return { type, status: 'True', reason: 'ShardsHealthy', message };
  const isPending = rest.every(({ verdict }) => (verdict?.state ?? 'pending') === 'pending');
  return isPending && rest.length > 0
    ? { type, status: 'Unknown', reason: 'Pending', message }
    : { type, status: 'False', reason: 'NoHealthyShard', message };
}

function sayShard({ cluster, verdict }: ShardFacts): string {
  return `${cluster} ${verdict === undefined ? 'Pending' : verdict.reason}`;
}

function count(clusters: number): string {
  return clusters === 1 ? '1 cluster' : `${clusters} clusters`;
}

function name(shards: readonly ShardFacts[]): string {
  const named = shards.slice(0, namedMax).map(({ cluster }) => cluster);
  return `${named.join(', ')}${more(shards.length)}`;
}

function more(all: number): string {
  return all > namedMax ? ` and ${all - namedMax} more` : '';
}
