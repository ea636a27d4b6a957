// What DNS must answer when exactly these clusters have healthy shards: the guide's table. Pure.

import { toServiceKey } from '../../common/model/ids.ts';
import { toGlobalName, toRegionName, toZoneName } from '../../common/pure/level-names.ts';
import type { MemberCluster } from '../clusters.ts';
import type { DnsReply } from './dns-reply.ts';

export interface DnsScope {
  readonly federation: string;
  readonly domain: string;
}

const nginx = toServiceKey({ namespace: 'default', name: 'nginx' });

export function zoneNameOf(cluster: MemberCluster, scope: DnsScope): string {
  return toZoneName(nginx, cluster, scope);
}

export function regionNameOf(region: string, scope: DnsScope): string {
  return toRegionName(nginx, region, scope);
}

export function globalNameOf(scope: DnsScope): string {
  return toGlobalName(nginx, scope);
}

/**
 * First answer per name: `A 127.11.0.1 127.12.0.1` or `CNAME name`. With no healthy shard anywhere
 * the global name still carries all addresses (the fail-open set).
 */
export function expectedAnswers(
  clusters: readonly MemberCluster[],
  addresses: ReadonlyMap<string, string>,
  healthy: ReadonlySet<string>,
  scope: DnsScope,
): ReadonlyMap<string, string> {
  const addressesOf = (some: readonly MemberCluster[]): string =>
    `A ${some
      .filter(({ name }) => healthy.has(name))
      .map(({ name }) => addresses.get(name) ?? '?')
      .sort()
      .join(' ')}`;
  const failOpen = `A ${[...addresses.values()].sort().join(' ')}`;
  const global = healthy.size === 0 ? failOpen : addressesOf(clusters);
  const answers = new Map([[globalNameOf(scope), global]]);
  for (const region of new Set(clusters.map((cluster) => cluster.region))) {
    const inRegion = clusters.filter((cluster) => cluster.region === region);
    const hasHealthy = inRegion.some(({ name }) => healthy.has(name));
    answers.set(
      regionNameOf(region, scope),
      hasHealthy ? addressesOf(inRegion) : `CNAME ${globalNameOf(scope)}`,
    );
    for (const cluster of inRegion) {
      answers.set(
        zoneNameOf(cluster, scope),
        healthy.has(cluster.name) ? addressesOf([cluster]) : `CNAME ${regionNameOf(region, scope)}`,
      );
    }
  }
  return answers;
}

/** The same form from a real reply. */
export function toAnswer(reply: DnsReply | undefined): string {
  if (reply === undefined) return 'no reply';
  if (reply.code !== 'NOERROR') return reply.code;
  const [first] = reply.answers;
  if (first === undefined) return 'NODATA';
  if (first.type === 'CNAME') return `CNAME ${first.value}`;
  const same = reply.answers.filter(({ type }) => type === first.type);
  return `${first.type} ${same
    .map(({ value }) => value)
    .sort()
    .join(' ')}`;
}

/** Names whose answers differ, as `name: wanted X, answered Y`. */
export function differences(
  wanted: ReadonlyMap<string, string>,
  answered: ReadonlyMap<string, string>,
): readonly string[] {
  return [...wanted]
    .filter(([name, answer]) => answered.get(name) !== answer)
    .map(
      ([name, answer]) => `${name}: wanted ${answer}, answered ${answered.get(name) ?? 'nothing'}`,
    );
}
