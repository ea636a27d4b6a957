// Decides when a cluster that is no longer chosen for a Service may give up its shard. Pure.
//
// Input:  who is wanted, who is in the record and how far each leaver is, what is published.
// Output: the leavers that stay for now, each with how far it is, and when to look again.
//
//   M1. Make before break: what is in DNS stays there until each cluster that came in its place
//       is healthy and serves (awaits), or at least one that is wanted does. One that stands aside
//       for others, a backup or of weight 0, serves once they are gone: it needs not be in DNS.
//   M2. Then it leaves DNS (isDrained), and only one TTL after that it may be ordered away, so
//       that nobody is sent to a shard that is gone. Who is healthy and not in DNS may have been
//       there until just now, as a weight has changed: it waits for the TTL too.
//   M3. What else is not in DNS may go at once. A cluster that is being removed, and a Service that
//       shall be nowhere, wait for nobody: that is the user's wish.
//   M4. A replacement that never becomes healthy leaves the old one where it is; past its time
//       that is told, and only the policy `AfterTimeout` goes on.
//   M5. A function of the log and the time of day: what has begun is in the record, so another
//       life, or another holder of the term, goes on with it.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { PublishedShard } from '../../common/model/publication.ts';
import type { Published } from './merge-published.ts';

/** How far a cluster is that shall give up its shard. In the placement record. */
export interface Leaving {
  /** Epoch milliseconds of the decision. */
  readonly sinceMs: number;
  /** Clusters that came with the same decision, sorted. */
  readonly awaits: readonly ClusterName[];
  /** Out of DNS, as a wish. */
  readonly isDrained: boolean;
  /** How long resolvers may keep what they were told. */
  readonly ttlMs: number;
  /** Epoch milliseconds at which it was seen out of DNS. */
  readonly outMs?: number | undefined;
}

export type LeavingClusters = ReadonlyMap<ClusterName, Leaving>;

export interface MovesInput {
  readonly wanted: readonly ClusterName[];
  /** Clusters of the record that exist, sorted. */
  readonly recorded: readonly ClusterName[];
  readonly leaving: LeavingClusters;
  /** Clusters that are being removed from the federation. */
  readonly going: ReadonlySet<ClusterName>;
  readonly publication: Published | undefined;
  readonly strategy: MoveStrategy;
  readonly timeoutMs: number;
  readonly nowMs: number;
}

export type MoveStrategy = NonNullable<
  NonNullable<NonNullable<ServicePolicy['spec']>['move']>['strategy']
>;

export interface MovesPlan {
  /** Not wanted any more, and still to be kept. */
  readonly staying: LeavingClusters;
  /** In DNS because their replacement is not healthy, for longer than the policy's time. */
  readonly stalled: readonly ClusterName[];
  readonly againAfterMs: number | undefined;
}

export const moveTimeoutDefaultMs = 600_000;

export function planMoves(input: MovesInput): MovesPlan {
  const isWanted = new Set(input.wanted);
  const facts = readFacts(input);
  const staying = new Map<ClusterName, Leaving>();
  const stalled: ClusterName[] = [];
  let againAfterMs = Infinity;
  for (const cluster of input.recorded) {
    if (isWanted.has(cluster)) continue;
    const step = stepOf(input, facts, cluster);
    if (step === 'gone') continue;
    staying.set(cluster, step.leaving);
    if (step.isStalled) stalled.push(cluster);
    againAfterMs = Math.min(againAfterMs, step.againAfterMs);
  }
  return {
    staying,
    stalled,
    againAfterMs: againAfterMs === Infinity ? undefined : againAfterMs,
  };
}

interface Facts {
  readonly newcomers: readonly ClusterName[];
  readonly published: ReadonlyMap<string, PublishedShard>;
  /** Wanted, healthy, and such as DNS can lead to once the leavers are out of it. */
  readonly serving: ReadonlySet<ClusterName>;
  readonly ttlMs: number;
}

function readFacts({ wanted, recorded, publication }: MovesInput): Facts {
  const known = new Set(recorded);
  const published = new Map(publication?.shards.map((shard) => [String(shard.cluster), shard]));
  const shards = [...published.values()];
  // For whom one stands aside. Else it is out of DNS because that does not know of it yet.
  const hasOther = shards.some(({ state, inDns }) => state === 'healthy' && inDns);
  const isServing = (shard: PublishedShard | undefined): boolean =>
    shard?.state === 'healthy' && (shard.inDns || (hasOther && standsAside(shard)));
  const ttls = (publication?.recordSets ?? []).map(({ ttlSeconds }) => ttlSeconds);
  return {
    newcomers: wanted.filter((cluster) => !known.has(cluster)),
    published,
    serving: new Set(wanted.filter((cluster) => isServing(published.get(cluster)))),
    ttlMs: 1000 * Math.max(0, ...ttls),
  };
}

/** Ready for DNS, which leads to others: of several load balancers that are names it tells one. */
function standsAside({ state, inDns, isDrained, addresses, hostnames }: PublishedShard): boolean {
  const isReady = state === 'healthy' && addresses.length + hostnames.length > 0;
  return isReady && !inDns && isDrained !== true;
}

type Step =
  | 'gone'
  | { readonly leaving: Leaving; readonly isStalled: boolean; readonly againAfterMs: number };

function stepOf(input: MovesInput, facts: Facts, cluster: ClusterName): Step {
  const { nowMs, timeoutMs } = input;
  const shard = facts.published.get(cluster);
  const isInDns = shard?.inDns === true && shard.isDrained !== true;
  const before = input.leaving.get(cluster);
  const mayBeKnown = isInDns || (shard !== undefined && standsAside(shard));
  if (before === undefined && !mayBeKnown) return 'gone'; // M3
  const begun = before ?? begin(facts, nowMs);
  // A wall clock that was set back must not make anything longer.
  let leaving: Leaving = { ...begun, sinceMs: Math.min(begun.sinceMs, nowMs) };
  if (!leaving.isDrained && isInDns && !mayLeaveDns(input, facts, cluster, leaving)) {
    const restMs = leaving.sinceMs + timeoutMs - nowMs;
    return { leaving, isStalled: restMs <= 0, againAfterMs: restMs > 0 ? restMs : Infinity };
  }
  leaving = { ...leaving, isDrained: true };
  if (isInDns) return { leaving, isStalled: false, againAfterMs: Infinity };
  const outMs = Math.min(leaving.outMs ?? nowMs, nowMs);
  const restMs = outMs + leaving.ttlMs - nowMs;
  if (restMs <= 0) return 'gone';
  return { leaving: { ...leaving, outMs }, isStalled: false, againAfterMs: restMs };
}

function begin({ newcomers, ttlMs }: Facts, nowMs: number): Leaving {
  return { sinceMs: nowMs, awaits: newcomers, isDrained: false, ttlMs };
}

function mayLeaveDns(
  { wanted, going, strategy, timeoutMs, nowMs }: MovesInput,
  { serving }: Facts,
  cluster: ClusterName,
  { awaits, sinceMs }: Leaving,
): boolean {
  if (going.has(cluster) || wanted.length === 0 || strategy === 'AtOnce') return true;
  if (strategy === 'AfterTimeout' && nowMs - sinceMs >= timeoutMs) return true;
  const awaited = awaits.filter((name) => wanted.includes(name));
  return awaited.length > 0 ? awaited.every((name) => serving.has(name)) : serving.size > 0;
}
