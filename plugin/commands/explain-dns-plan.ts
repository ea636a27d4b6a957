// Why a name answers what it answers: its records with their shards, and where it leads. Input: a name
// and what is known of its Service. Output: links of a chain, each with the part of every cluster.
// Pure.

import type { Cluster, DNSRecordSet, ServiceShard } from '../../common/model/isthmus-kinds.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { toDnsName } from './locate-name.ts';
import type { DnsFacts } from './dns-facts.ts';

/** One name, in one DNSZone. */
export interface ChainLink {
  readonly dnsName: string;
  readonly dnsZone: string;
  readonly level: DNSRecordSet['spec']['level'];
  readonly records: readonly DNSRecordSet[];
  readonly shards: readonly ShardPart[];
  /** The name that it leads to, when that is one of ours. */
  readonly next: string | undefined;
}

export interface ShardPart {
  readonly cluster: string;
  readonly part: 'in' | 'out' | 'elsewhere';
  readonly health: string;
  /** RFC 3339; empty when it is not known. */
  readonly since: string;
  readonly addresses: readonly string[];
  readonly why: string;
}

// Zone, region, global, with a short name before and a shard's own name behind.
const linksMax = 6;

/** From `name` along its CNAMEs, per DNSZone that keeps it. */
export function planChains(name: string, facts: DnsFacts): readonly (readonly ChainLink[])[] {
  const zones = [
    ...new Set(
      facts.records.filter(({ spec }) => spec.dnsName === name).map(({ spec }) => spec.dnsZone),
    ),
  ];
  return zones.sort().map((dnsZone) => {
    const links: ChainLink[] = [];
    for (let at: string | undefined = name; at !== undefined && links.length < linksMax; ) {
      const link = toLink(at, dnsZone, facts);
      if (link === undefined) break;
      links.push(link);
      at = link.next;
    }
    return links;
  });
}

function toLink(dnsName: string, dnsZone: string, facts: DnsFacts): ChainLink | undefined {
  const here = facts.records.filter(({ spec }) => spec.dnsZone === dnsZone);
  const records = here.filter(({ spec }) => spec.dnsName === dnsName);
  const [first] = records;
  if (first === undefined) return undefined;
  const { level, zone: domain } = first.spec;
  const answered = expand(records, here);
  const place = placeOf(dnsName, domain);
  const shards = facts.shards.map((shard) => toPart(shard, { answered, place, level, facts }));
  const [target] = first.spec.recordType === 'CNAME' ? first.spec.targets : [];
  const isOurs = here.some(({ spec }) => spec.dnsName === target);
  return { dnsName, dnsZone, level, records, shards, next: isOurs ? target : undefined };
}

/** Targets, and what shards' own names among them answer. */
function expand(
  records: readonly DNSRecordSet[],
  all: readonly DNSRecordSet[],
): ReadonlySet<string> {
  const targets = new Set(records.flatMap(({ spec }) => spec.targets.map(toDnsName)));
  for (const { spec } of all) {
    if (spec.level === 'shard' && targets.has(spec.dnsName)) {
      for (const target of spec.targets) targets.add(toDnsName(target));
    }
  }
  return targets;
}

interface Place {
  readonly region: string | undefined;
  readonly zone: string | undefined;
}

/** Labels between `svc` and the domain; a name of another form is everywhere. */
function placeOf(dnsName: string, domain: string): Place {
  const labels = dnsName.slice(0, -domain.length - 1).split('.');
  const place = labels.slice(labels.indexOf('svc') + 1);
  if (!labels.includes('svc') || place.length === 0) return { region: undefined, zone: undefined };
  return { region: place.at(-1), zone: place.length > 1 ? place[0] : undefined };
}

function toPart(
  { spec, status }: ServiceShard,
  of: {
    readonly answered: ReadonlySet<string>;
    readonly place: Place;
    readonly level: ChainLink['level'];
    readonly facts: DnsFacts;
  },
): ShardPart {
  const { answered, place, level, facts } = of;
  const isIn = status.ingress.some((address) => answered.has(toDnsName(address)));
  const cluster = facts.clusters.find(({ metadata }) => metadata.name === spec.cluster);
  const isHere = level !== 'shard' && isAt(cluster, place);
  const part = isIn ? 'in' : isHere ? 'out' : 'elsewhere';
  return {
    cluster: spec.cluster,
    part,
    health: status.health,
    since: status.since ?? '',
    addresses: status.ingress,
    why: part === 'elsewhere' ? toElsewhere(cluster) : toEvidence(status, part),
  };
}

function isAt(cluster: Cluster | undefined, { region, zone }: Place): boolean {
  if (region === undefined) return true;
  if (cluster === undefined) return false;
  const topology = topologyOf(cluster);
  return topology.region === region && (zone === undefined || topology.zones.includes(zone));
}

function toElsewhere(cluster: Cluster | undefined): string {
  if (cluster === undefined) return 'The cluster is gone.';
  const { region, zones } = topologyOf(cluster);
  const where = [...zones, region ?? 'no region'].join(', ');
  return `It is elsewhere: ${where}.`;
}

/** What the coordinator holds for it or against it. */
function toEvidence(status: ServiceShard['status'], part: 'in' | 'out'): string {
  const said = status.message ?? status.reason;
  const endpoints = `${status.ready} of ${status.total} endpoints ready`;
  if (part === 'in' || status.health !== 'healthy') {
    return /\d of \d+ endpoints/.test(said) ? said : `${said} (${endpoints})`.trim();
  }
  if (status.ingress.length === 0) {
    return 'It is healthy, but its load balancer has no address yet, or its Service is none.';
  }
  const drained = (status.conditions ?? []).find(({ type }) => type === 'Moving');
  if (drained !== undefined) return drained.message;
  return (
    'It is healthy, but its addresses are not in this answer: private ones are left out of public ' +
    'zones, drained and backup shards while others are healthy, and hostnames beside addresses.'
  );
}
