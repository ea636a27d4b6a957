// What all zones together say of one Service's shards, and what still stands at their providers.
// Input: its publications, and the values of records there. Output: one, as far as placement asks.
// Pure.
//
//   Z1. A shard is in DNS while any zone leads to it, or a provider has not yet taken its address
//       out: names go before shards, in each of them.
//   Z2. What is known of a shard's health is the same in all of them; its addresses differ, since a
//       private zone carries what a public one must not.

import type { Publication, PublishedShard } from '../../common/model/publication.ts';

export type Published = Pick<Publication, 'recordSets' | 'shards'>;

/** `standing`: addresses and names in the Service's records at providers. undefined: no zone. */
export function mergePublished(
  publications: readonly Publication[],
  standing: ReadonlySet<string>,
): Published | undefined {
  const [first, ...others] = publications;
  if (first === undefined || (others.length === 0 && standing.size === 0)) return first;
  const shards = new Map<string, PublishedShard>();
  for (const shard of publications.flatMap((publication) => publication.shards)) {
    const known = shards.get(shard.cluster);
    shards.set(shard.cluster, known === undefined ? shard : mergeShard(known, shard));
  }
  const all = [...shards.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  return {
    recordSets: publications.flatMap(({ recordSets }) => recordSets),
    shards: withStanding(all, standing),
  };
}

function mergeShard(a: PublishedShard, b: PublishedShard): PublishedShard {
  const [shown, other] = isLedTo(b) && !isLedTo(a) ? [b, a] : [a, b];
  const union = (of: readonly string[], more: readonly string[]): readonly string[] =>
    [...new Set([...of, ...more])].sort();
  return {
    ...shown,
    addresses: union(shown.addresses, other.addresses),
    hostnames: union(shown.hostnames, other.hostnames),
    ...withResolved(union(shown.resolved ?? [], other.resolved ?? [])),
  };
}

/** An address that another shard has too stands for that one. */
function withStanding(
  shards: readonly PublishedShard[],
  standing: ReadonlySet<string>,
): readonly PublishedShard[] {
  const meant = new Set(shards.filter(isLedTo).flatMap(valuesOf));
  return shards.map((shard): PublishedShard => {
    const isThere = valuesOf(shard).some((value) => standing.has(value) && !meant.has(value));
    if (!isThere || isLedTo(shard)) return shard;
    const { isDrained: _, ...rest } = shard;
    return { ...rest, inDns: true };
  });
}

function withResolved(resolved: readonly string[]): Pick<PublishedShard, 'resolved'> {
  return resolved.length === 0 ? {} : { resolved };
}

/** Whatever of a shard may stand in records: also what its load balancer's name was looked up as. */
function valuesOf({ addresses, hostnames, resolved = [] }: PublishedShard): readonly string[] {
  return [...addresses, ...hostnames, ...resolved];
}

function isLedTo({ inDns, isDrained }: PublishedShard): boolean {
  return inDns && isDrained !== true;
}
