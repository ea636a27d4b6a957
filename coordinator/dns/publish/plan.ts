// Decides what DNS says about one Service in one zone. Input: its shards with their verdicts, and
// what was published before. Output: a Publication, the desired state of every name.
//
//   P1. At a level with healthy shards: A and AAAA of those, or a CNAME to one load balancer that
//       is a name. Without: a CNAME one level up. Never a CNAME beside anything (RFC 1034 3.6.2).
//   P2. No healthy shard anywhere: the global name keeps the fail-open set, that is every placed
//       shard with a known ingress that is not drained or proved dead; if all are dead, all.
//   P3. A Service that was never healthy has no names. A shard of which nothing is known yet keeps
//       what the previous publication says of it (silence is not death).
//   P5. A shard of weight 0 is published only while no other shard is healthy. Where weights differ,
//       each address carries its shard's; a load balancer's name is one of the heaviest shards'.
//   P4. A pure function: equal input, equal bytes; the order of shards does not matter.
//
// Next: audit.ts doubts the result.

import type { ClusterName } from '../../../common/model/ids.ts';
import type { ShardState, ShardVerdict } from '../../../common/model/health.ts';
import type { Publication, PublishedShard, RecordSet } from '../../../common/model/publication.ts';
import type { Topology } from '../../../common/model/topology.ts';
import { addressFamily, isPublishable, parseAddress } from '../../../common/pure/address-rules.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import { chooseStable, rankFirst } from '../../../common/pure/stable-choice.ts';
import type { PublicationInput, ShardInput } from './input.ts';
import { levelsOf, type LevelName, type ServiceLevels } from './levels.ts';

// Cloud DNS takes no more in one record set; some 70 fit into one UDP answer.
const addressesMax = 100;

export type { PublicationInput, ShardInput } from './input.ts';

/** A shard with what DNS may carry of it. */
export interface Candidate {
  readonly cluster: ClusterName;
  readonly topology: Topology;
  readonly state: ShardState;
  readonly reason: string;
  readonly sinceMs: number;
  readonly addresses: readonly string[];
  readonly hostnames: readonly string[];
  readonly isDrained: boolean;
  readonly weight: number;
}

export function planPublication(input: PublicationInput): Publication {
  // A Service of the same name but another uid is another Service: it inherits nothing.
  const before = input.previous?.serviceUid === input.serviceUid ? input.previous : undefined;
  const recorded = new Map(before?.shards.map((shard) => [shard.cluster, shard]));
  const candidates = input.shards
    .map((shard) => toCandidate(input, shard, recorded.get(shard.cluster)))
    .sort(byCluster);
  const healthy = candidates.filter(isHealthy);
  const everHealthy = before?.everHealthy === true || healthy.length > 0;
  const levels = levelsOf(
    input.key,
    { federation: input.federation, domain: input.zone },
    candidates,
  );
  const refusal = whyNoNames(input, candidates, everHealthy, levels);
  if (refusal !== undefined)
    return toPublication(input, candidates, { everHealthy, recordSets: [], ...refusal });
  const recordSets = planLevels(input, levels, candidates);
  const outcome = describe(levels, healthy.length, candidates.length, recordSets.length > 0);
  return toPublication(input, candidates, { everHealthy, recordSets, ...outcome });
}

interface Outcome {
  readonly reason: string;
  readonly message: string;
}

function whyNoNames(
  input: PublicationInput,
  candidates: readonly Candidate[],
  everHealthy: boolean,
  levels: ServiceLevels<Candidate>,
): Outcome | undefined {
  if (input.type === 'ExternalName') {
    return {
      reason: 'ExternalName',
      message: 'An ExternalName Service passes through to its shards and gets no public names.',
    };
  }
  if (input.isHeadless) {
    return {
      reason: 'Headless',
      message: 'A headless Service passes through to its shards and gets no public names.',
    };
  }
  if (input.type !== 'LoadBalancer' && !candidates.some(hasIngress)) {
    return {
      reason: 'NotALoadBalancer',
      message: `A Service of type ${input.type} has no address outside its clusters.`,
    };
  }
  if (candidates.length === 0) {
    return { reason: 'NotPlaced', message: 'No cluster shall have a shard of this Service.' };
  }
  if (!everHealthy) {
    return {
      reason: 'NeverHealthy',
      message: 'No shard has been healthy yet: an address and ready endpoints are needed.',
    };
  }
  if (levels.global === undefined) {
    return {
      reason: 'NameTooLong',
      message: `DNS cannot carry the name ${levels.tooLong[0] ?? ''}.`,
    };
  }
  return undefined;
}

function toCandidate(
  input: PublicationInput,
  { cluster, topology, verdict, isDrained = false, weight = 100 }: ShardInput,
  before: PublishedShard | undefined,
): Candidate {
  if (verdict === undefined || verdict.state === 'pending') {
    const { state = 'pending', reason = verdict?.reason ?? 'NothingKnown' } = before ?? {};
    const { sinceMs = verdict?.sinceMs ?? 0, addresses = [], hostnames = [] } = before ?? {};
    return { cluster, topology, isDrained, weight, state, reason, sinceMs, addresses, hostnames };
  }
  const { state, reason, sinceMs } = verdict;
  const outside = outsideOf(verdict, input);
  return { cluster, topology, isDrained, weight, state, reason, sinceMs, ...outside };
}

function outsideOf(
  verdict: ShardVerdict,
  { addressRules, zone }: PublicationInput,
): { readonly addresses: readonly string[]; readonly hostnames: readonly string[] } {
  const addresses = verdict.addresses.flatMap(({ ip }) => {
    const address = ip === undefined ? undefined : parseAddress(ip);
    return address !== undefined && isPublishable(address, addressRules) ? [address] : [];
  });
  const hostnames = verdict.addresses.flatMap(({ hostname }) => {
    const name = hostname?.toLowerCase().replace(/\.$/, '');
    return name !== undefined && isTarget(name, zone) ? [name] : [];
  });
  return { addresses: sortedSet(addresses), hostnames: sortedSet(hostnames) };
}

/**
 * A load balancer's name that a CNAME of ours may point to. Names within our own zone may not:
 * whether they exist is not ours to know, and one of our own would make a circle (I5).
 */
function isTarget(name: string, zone: string): boolean {
  return (
    name.includes('.') &&
    /^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(name) &&
    toWireName(name) !== undefined &&
    name !== zone &&
    !name.endsWith(`.${zone}`)
  );
}

function planLevels(
  input: PublicationInput,
  levels: ServiceLevels<Candidate>,
  candidates: readonly Candidate[],
): readonly RecordSet[] {
  const { global } = levels;
  if (global === undefined) return [];
  const active = activeOf(candidates);
  const atGlobal = toRecords(input, global, active.length > 0 ? active : failOpenSet(candidates));
  // Nothing to lead to: a CNAME to the global name would dangle.
  if (atGlobal.length === 0) return [];
  const isActive = new Set(active);
  const below = levels.below.flatMap((level) => {
    const here = toRecords(
      input,
      level,
      level.shards.filter((shard) => isActive.has(shard)),
    );
    return here.length > 0 ? here : upwards(input, level);
  });
  return [...atGlobal, ...below].sort(byNameAndType);
}

function upwards(input: PublicationInput, level: LevelName<Candidate>): readonly RecordSet[] {
  const { name, parent } = level;
  if (parent === undefined) return [];
  return [
    { name, type: 'CNAME', ttlSeconds: input.ttlSeconds, values: [parent], level: level.level },
  ];
}

/** P5. */
function activeOf(candidates: readonly Candidate[]): readonly Candidate[] {
  const healthy = candidates.filter(isHealthy);
  const weighed = healthy.filter(({ weight }) => weight > 0);
  return weighed.length > 0 ? weighed : healthy;
}

function failOpenSet(candidates: readonly Candidate[]): readonly Candidate[] {
  const reachable = candidates.filter((shard) => hasIngress(shard) && !shard.isDrained);
  const alive = reachable.filter((shard) => shard.state !== 'dead');
  return alive.length > 0 ? alive : reachable;
}

/** The record sets of `shards` at one name: addresses are preferred to load balancers' names. */
function toRecords(
  input: PublicationInput,
  { name, level }: LevelName<Candidate>,
  shards: readonly Candidate[],
): readonly RecordSet[] {
  const { ttlSeconds } = input;
  const addresses = sortedSet(shards.flatMap((shard) => shard.addresses));
  if (addresses.length > 0) {
    const families = { A: 4, AAAA: 6 } as const;
    return (['A', 'AAAA'] as const).flatMap((type) => {
      const ofFamily = addresses.filter((address) => addressFamily(address) === families[type]);
      const values = chooseStable(name, ofFamily, addressesMax);
      if (values.length === 0) return [];
      const weights = weigh(values, shards);
      return [{ name, type, ttlSeconds, values, ...(weights && { weights }), level }];
    });
  }
  // Two CNAMEs cannot stand at one name: one target, the same until its shard leaves.
  const heaviest = Math.max(0, ...shards.map(({ weight }) => weight));
  const named = shards.filter(({ weight }) => weight === heaviest);
  const names = named.flatMap((shard) => shard.hostnames);
  const others = names.length > 0 ? names : shards.flatMap((shard) => shard.hostnames);
  const target = rankFirst(input.key, sortedSet(others));
  return target === undefined ? [] : [{ name, type: 'CNAME', ttlSeconds, values: [target], level }];
}

/** Addresses of one shard share its weight. undefined: all shards weigh the same. */
function weigh(
  values: readonly string[],
  shards: readonly Candidate[],
): readonly number[] | undefined {
  const [first] = shards;
  if (shards.every(({ weight }) => weight === first?.weight)) return undefined;
  const isHere = new Set(values);
  const weights = new Map<string, number>();
  for (const { addresses, weight } of shards) {
    const here = addresses.filter((address) => isHere.has(address));
    for (const address of here) {
      weights.set(address, Math.max(weights.get(address) ?? 0, weight / here.length));
    }
  }
  // With a weight of 0 among them these are published for want of others, so all alike.
  const all = values.map((value) => weights.get(value) ?? 0);
  return all.includes(0) ? undefined : all;
}

function describe(
  levels: ServiceLevels<Candidate>,
  healthy: number,
  placed: number,
  hasRecords: boolean,
): Outcome {
  const left =
    levels.tooLong.length === 0
      ? ''
      : ` Left out, too long for DNS: ${levels.tooLong.slice(0, 3).join(', ')}.`;
  if (!hasRecords) {
    return {
      reason: 'NoAddress',
      message: `No shard has an address that DNS may carry, or all are drained.${left}`,
    };
  }
  if (healthy === 0) {
    return {
      reason: 'FailOpen',
      message: `No shard is healthy: the last known addresses stay published.${left}`,
    };
  }
  return { reason: 'Published', message: `${healthy} of ${placed} shards are healthy.${left}` };
}

function toPublication(
  input: PublicationInput,
  candidates: readonly Candidate[],
  decided: Outcome & { readonly everHealthy: boolean; readonly recordSets: readonly RecordSet[] },
): Publication {
  const { key, serviceUid, zone } = input;
  const published = new Set(decided.recordSets.flatMap(({ values }) => values));
  const shards = candidates.map((shard): PublishedShard => {
    const { cluster, topology, state, reason, sinceMs, addresses, hostnames, isDrained } = shard;
    const inDns = [...addresses, ...hostnames].some((value) => published.has(value));
    return {
      cluster,
      zones: topology.zones,
      region: topology.region,
      state,
      reason,
      sinceMs,
      addresses,
      hostnames,
      inDns,
      ...(isDrained ? { isDrained } : {}),
    };
  });
  return { key, serviceUid, zone, shards, ...decided };
}

function isHealthy(shard: Candidate): boolean {
  return shard.state === 'healthy' && !shard.isDrained && hasIngress(shard);
}

function hasIngress(shard: Candidate): boolean {
  return shard.addresses.length > 0 || shard.hostnames.length > 0;
}

function sortedSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}

function byCluster(a: Candidate, b: Candidate): number {
  return a.cluster < b.cluster ? -1 : 1;
}

function byNameAndType(a: RecordSet, b: RecordSet): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.type < b.type ? -1 : a.type > b.type ? 1 : 0;
}
