// A Service's shards with what DNS may carry of each, and which of them it shall carry. Input: the
// shards with their verdicts, and what was published before. Pure.
//
//   K1. A shard of which nothing is known (yet) keeps what was recorded of it: silence is not death.
//   K2. Of the healthy ones those count that are no backup and have a weight; then backups with a
//       weight; then what has none (weight 0 is a drain that yields only to emptiness).
//   K3. With nobody healthy: the fail-open set, every shard with a known way in that is not drained
//       or proved dead; if all are dead, all.

import { isIP } from 'node:net';
import type { ShardState, ShardVerdict } from '../../../common/model/health.ts';
import type { ClusterName } from '../../../common/model/ids.ts';
import type { PublishedShard } from '../../../common/model/publication.ts';
import type { Topology } from '../../../common/model/topology.ts';
import {
  addressFamily,
  toPublishable,
  type AddressRules,
} from '../../../common/pure/address-rules.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import { rankFirst } from '../../../common/pure/stable-choice.ts';
import type { PublicationInput, ShardInput } from './input.ts';
import { embeddedShape } from './zone-shape.ts';

export interface Candidate {
  readonly cluster: ClusterName;
  readonly topology: Topology;
  readonly state: ShardState;
  readonly reason: string;
  readonly sinceMs: number;
  readonly isDrained: boolean;
  readonly isBackup: boolean;
  readonly weight: number;
  /** As recorded: what the cluster itself says. Sorted. */
  readonly addresses: readonly string[];
  readonly hostnames: readonly string[];
  /** Addresses and load balancers' names that the zone may not carry. Sorted. */
  readonly refused: readonly string[];
  /** Where its addresses are those of Nodes. */
  readonly nodePorts: PublishedShard['nodePorts'];
  /**
   * How clients get there. Its addresses count more than its load balancer's name, which counts
   * only without any; several names of one shard are one load balancer, of which one is told.
   */
  readonly way: Way;
}

export type Way =
  | {
      readonly kind: 'addresses';
      readonly addresses: readonly string[];
      readonly A: readonly string[];
      readonly AAAA: readonly string[];
      /** Load balancer's name that they were looked up of. */
      readonly of?: string;
    }
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'none' };

/** Sorted by cluster. */
export function toCandidates(input: PublicationInput): readonly Candidate[] {
  // A Service of the same name but another uid is another Service: it inherits nothing.
  const before = input.previous?.serviceUid === input.serviceUid ? input.previous : undefined;
  const recorded = new Map(before?.shards.map((shard) => [shard.cluster, shard]));
  return input.shards
    .map((shard) => toCandidate(input, shard, recorded.get(shard.cluster)))
    .sort(byCluster);
}

export function isHealthy(shard: Candidate): boolean {
  return shard.state === 'healthy' && !shard.isDrained && shard.way.kind !== 'none';
}

/** K2. Empty: nobody is healthy. */
export function activeOf(candidates: readonly Candidate[]): readonly Candidate[] {
  const healthy = candidates.filter(isHealthy);
  const tiers = healthy.map(tierOf);
  const best = Math.min(...tiers);
  return healthy.filter((_, index) => tiers[index] === best);
}

export function tierOf({
  isBackup,
  weight,
}: {
  readonly isBackup: boolean;
  readonly weight: number;
}): number {
  return (weight > 0 ? 0 : 2) + (isBackup ? 1 : 0);
}

/** K3. */
export function failOpenSet(candidates: readonly Candidate[]): readonly Candidate[] {
  const reachable = candidates.filter((shard) => shard.way.kind !== 'none' && !shard.isDrained);
  const alive = reachable.filter((shard) => shard.state !== 'dead');
  return alive.length > 0 ? alive : reachable;
}

/** The load balancer's name that clients are led to, or that addresses were looked up of. */
export function balancerOf({ way }: Candidate): string | undefined {
  return way.kind === 'host' ? way.host : way.kind === 'addresses' ? way.of : undefined;
}

/** The addresses of load balancers that are names are looked up, and answered in their place. */
export function isFlattening({ shape = embeddedShape }: PublicationInput): boolean {
  const canDoWithout = shape.weights === 'members' || shape.weights === 'items';
  return shape.hostnameMode === 'Flatten' && !canDoWithout;
}

// Written out field by field: of a Service with 1,000 shards copies by spread took most of a turn.
function toCandidate(
  input: PublicationInput,
  shard: ShardInput,
  before: PublishedShard | undefined,
): Candidate {
  const { verdict } = shard;
  const known = verdict === undefined || verdict.state === 'pending' ? undefined : verdict;
  const outside = known === undefined ? outsideBefore(before) : outsideOf(known, input); // K1
  const from = known ?? before;
  return {
    cluster: shard.cluster,
    topology: shard.topology,
    state: from?.state ?? 'pending',
    reason: from?.reason ?? verdict?.reason ?? 'NothingKnown',
    sinceMs: from?.sinceMs ?? verdict?.sinceMs ?? 0,
    isDrained: shard.isDrained ?? false,
    isBackup: shard.isBackup ?? false,
    weight: shard.weight ?? 100,
    addresses: outside.addresses,
    hostnames: outside.hostnames,
    refused: outside.refused,
    nodePorts: known === undefined ? before?.nodePorts : nodePortsOf(known),
    way: wayOf(input, outside, before),
  };
}

interface Outside {
  readonly addresses: readonly string[];
  readonly hostnames: readonly string[];
  readonly refused: readonly string[];
}

const nowhere: Outside = { addresses: [], hostnames: [], refused: [] };

function outsideBefore(before: PublishedShard | undefined): Outside {
  if (before === undefined) return nowhere;
  return { addresses: before.addresses, hostnames: before.hostnames, refused: [] };
}

function outsideOf(verdict: ShardVerdict, input: PublicationInput): Outside {
  const rules = rulesOf(input);
  const addresses: string[] = [];
  const hostnames: string[] = [];
  const refused: string[] = [];
  for (const { ip, hostname } of verdict.addresses) {
    const address = ip === undefined ? undefined : toPublishable(ip, rules);
    if (address !== undefined) addresses.push(address);
    else if (ip !== undefined) refused.push(ip);
    const name = hostname?.toLowerCase().replace(/\.$/, '');
    if (name === undefined || name === '') continue;
    if (isTarget(name, input.zone)) hostnames.push(name);
    else refused.push(name);
  }
  return {
    addresses: sortedSet(addresses),
    hostnames: sortedSet(hostnames),
    refused: sortedSet(refused),
  };
}

function rulesOf({ addressRules, shape = embeddedShape }: PublicationInput): AddressRules {
  return shape.isPrivate ? { ...addressRules, allowPrivate: true } : addressRules;
}

/** Canonical, sorted, and only those that clients of the zone can be sent to. */
function publishable(input: PublicationInput, texts: readonly string[]): readonly string[] {
  if (texts.length === 0) return texts;
  const rules = rulesOf(input);
  return sortedSet(texts.flatMap((text) => toPublishable(text, rules) ?? []));
}

function wayOf(
  input: PublicationInput,
  { addresses, hostnames }: Outside,
  before: PublishedShard | undefined,
): Way {
  if (addresses.length > 0) return toAddressWay(addresses);
  const host = hostnames.length > 1 ? rankFirst(input.key, hostnames) : hostnames[0];
  if (host === undefined) return { kind: 'none' };
  if (!isFlattening(input)) return { kind: 'host', host };
  const found = publishable(input, input.resolved?.get(host) ?? resolvedBefore(before, host));
  return found.length > 0 ? { ...toAddressWay(found), of: host } : { kind: 'host', host };
}

/** K1 of a load balancer's name: until it was looked up, what was recorded stands. */
export function resolvedBefore(
  before: Pick<PublishedShard, 'hostnames' | 'resolved'> | undefined,
  host: string,
): readonly string[] {
  return before?.hostnames.includes(host) === true ? (before.resolved ?? []) : [];
}

function toAddressWay(addresses: readonly string[]): Way & { readonly kind: 'addresses' } {
  const isV6 = (address: string): boolean => addressFamily(address) === 6;
  if (!addresses.some(isV6)) return { kind: 'addresses', addresses, A: addresses, AAAA: [] };
  const A = addresses.filter((address) => !isV6(address));
  return { kind: 'addresses', addresses, A, AAAA: addresses.filter(isV6) };
}

function nodePortsOf({ ports, isAtNodePorts }: ShardVerdict): Candidate['nodePorts'] {
  if (isAtNodePorts !== true) return undefined;
  return ports
    .flatMap(({ name = '', protocol = 'TCP', nodePort }) =>
      nodePort === undefined ? [] : [{ name, protocol, nodePort }],
    )
    .sort((a, b) => a.nodePort - b.nodePort);
}

/**
 * A load balancer's name that a CNAME of ours may point to. Names within our own zone may not:
 * whether they exist is not ours to know, and one of our own would make a circle (I5).
 */
function isTarget(name: string, zone: string): boolean {
  return (
    /^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(name) &&
    isIP(name) === 0 &&
    toWireName(name) !== undefined &&
    name !== zone &&
    !name.endsWith(`.${zone}`)
  );
}

export function sortedSet(values: readonly string[]): readonly string[] {
  if (values.length < 2) return values;
  return [...new Set(values)].sort();
}

function byCluster(a: Candidate, b: Candidate): number {
  return a.cluster < b.cluster ? -1 : 1;
}
