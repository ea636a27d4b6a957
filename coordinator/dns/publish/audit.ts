// Doubts a planned publication before it is written, from the verdicts themselves and not from
// what the plan concluded. Input: what was planned from, and the plan. Output: findings; a
// publication with any is not written, and the Service says why.
//
//   A1. Record sets are well formed (audit-form.ts): names within the zone and of this Service, no
//       CNAME beside anything, values, weights and aliases such as the provider takes.
//   A2. (I5) Every name leads, within this publication, to addresses or to a load balancer's name;
//       no CNAME of ours dangles or circles. Each level with a placed shard has a name.
//   A3. (I5) While a shard is healthy, every name leads to a healthy one, and to none that is not.
//   A4. (I6) The last address never goes on suspicion: while an undrained shard has a known
//       ingress and the Service had names, it has names, unless the user wishes otherwise.
//   A5. While a primary shard with a weight is healthy, no name but a shard's own leads to a
//       backup, or to one of weight 0.
//   A6. No more names of levels than the zone has room for, but those with a shard.

import type { ShardVerdict } from '../../../common/model/health.ts';
import type { ClusterName } from '../../../common/model/ids.ts';
import type { Publication, PublishedShard, RecordSet } from '../../../common/model/publication.ts';
import { toPublishable } from '../../../common/pure/address-rules.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import { toGlobalName, toRegionName, toZoneName } from '../../../common/pure/level-names.ts';
import { doubtForms, groupBy } from './audit-form.ts';
import { followName, type Leads, type Walk } from './audit-leads.ts';
import type { PublicationInput } from './input.ts';
import { embeddedShape } from './zone-shape.ts';

export interface Finding {
  readonly invariant: 'A1' | 'A2' | 'A3' | 'A4' | 'A5' | 'A6';
  readonly message: string;
}

export function auditPublication(
  input: PublicationInput,
  planned: Publication,
): readonly Finding[] {
  const findings: Finding[] = [];
  const complain =
    (invariant: Finding['invariant']) =>
    (message: string): void =>
      void findings.push({ invariant, message });
  const byName = groupBy(planned.recordSets, ({ name }) => name);
  const evidence = readEvidence(input);
  const allowed = new Set(evidence.flatMap(({ addresses }) => addresses));
  doubtForms(input, { planned, byName, allowed }, complain('A1'));
  const own = ownLevels(input);
  findings.push(
    ...doubtPresence(own, byName),
    ...doubtLeads(input, byName, evidence),
    ...doubtLast(input, planned, evidence),
    ...doubtBudget(input, own, byName),
  );
  return findings;
}

type ByName = ReadonlyMap<string, readonly RecordSet[]>;

/** A2: of those that DNS can carry. */
function doubtPresence(own: readonly string[], byName: ByName): readonly Finding[] {
  if (byName.size === 0) return [];
  return own
    .filter((name) => !byName.has(name))
    .map((name) => ({ invariant: 'A2', message: `${name} has no record` }));
}

function ownLevels({ key, zone: domain, federation, shards }: PublicationInput): readonly string[] {
  const scope = { federation, domain };
  const names = new Set([toGlobalName(key, scope)]);
  const seen = new Set<string>();
  for (const { topology } of shards) {
    const { region, zones } = topology;
    const place = `${region ?? ''}/${zones.join('/')}`;
    if (region === undefined || seen.has(place)) continue;
    seen.add(place);
    if (toWireName(toRegionName(key, region, scope)) === undefined) continue;
    names.add(toRegionName(key, region, scope));
    for (const zone of zones) names.add(toZoneName(key, { zone, region }, scope));
  }
  return [...names].filter((name) => toWireName(name) !== undefined);
}

function doubtLeads(
  input: PublicationInput,
  byName: ByName,
  evidence: readonly Evidence[],
): readonly Finding[] {
  const healthy = evidence.filter(({ isGood, ingress }) => isGood && ingress.length > 0);
  const good = new Set(healthy.flatMap(({ ingress }) => ingress));
  const isBetter = healthy.some(({ rank }) => rank === 0);
  const best = new Set(healthy.flatMap(({ rank, ingress }) => (rank === 0 ? ingress : [])));
  const walk: Walk = { zone: input.zone, byName, known: new Map() };
  const judged = new Map<Leads, Judgement>();
  const judge = (leads: Leads): Judgement => {
    const known = judged.get(leads);
    if (known !== undefined) return known;
    const bad = good.size === 0 ? [] : leads.ends.filter((end) => !good.has(end));
    const worse = isBetter ? leads.ends.filter((end) => !best.has(end)) : [];
    judged.set(leads, { bad, worse });
    return { bad, worse };
  };
  return [...byName].flatMap(([name, sets]): readonly Finding[] => {
    const leads = followName(walk, name);
    if (leads.fault !== undefined) return [{ invariant: 'A2', message: `${name} ${leads.fault}` }];
    const { bad, worse } = judge(leads);
    if (bad.length > 0)
      return [{ invariant: 'A3', message: `${name} leads to ${list(bad)}, which is not healthy` }];
    const isShards = sets.some(({ level }) => level === 'shard');
    if (worse.length === 0 || isShards) return [];
    return [{ invariant: 'A5', message: `${name} leads to the backup ${list(worse)}` }];
  });
}

interface Judgement {
  readonly bad: readonly string[];
  readonly worse: readonly string[];
}

function doubtLast(
  input: PublicationInput,
  planned: Publication,
  evidence: readonly Evidence[],
): readonly Finding[] {
  const before = recordedBefore(input);
  const hadNames = (before?.recordSets.length ?? 0) > 0;
  if (!hadNames || planned.recordSets.length > 0 || planned.reason === 'NameTooLong') return [];
  if (input.isHeadless || input.type === 'ExternalName') return [];
  const isWished = input.shape?.allUnhealthy === 'Remove' && !evidence.some((one) => one.isGood);
  if (isWished) return [];
  const left = evidence.filter(({ isDrained, ingress }) => !isDrained && ingress.length > 0);
  if (left.length === 0) return [];
  const who = left.map(({ cluster }) => cluster).join(', ');
  return [{ invariant: 'A4', message: `the last names would go while ${who} may still answer` }];
}

/** A6. */
function doubtBudget(
  { shape = embeddedShape }: PublicationInput,
  levels: readonly string[],
  byName: ByName,
): readonly Finding[] {
  const own = new Set(levels);
  const others = [...byName].filter(
    ([name, sets]) =>
      !own.has(name) &&
      !name.startsWith('_') &&
      sets.some(({ level }) => level === 'zone' || level === 'region'),
  );
  const room = Math.max(0, shape.levelNamesMax - (own.size - 1));
  if (others.length <= room) return [];
  const message = `${others.length} names of levels without a shard, where ${room} have room`;
  return [{ invariant: 'A6', message }];
}

/** What the verdicts say of one shard; without one, what was recorded before. */
interface Evidence {
  readonly cluster: ClusterName;
  readonly isDrained: boolean;
  readonly isGood: boolean;
  /** 0: no backup, and of some weight. */
  readonly rank: number;
  readonly ingress: readonly string[];
  /** Of those, what the zone may carry. */
  readonly addresses: readonly string[];
}

type Ingress = Pick<Evidence, 'ingress' | 'addresses'>;

function readEvidence(input: PublicationInput): readonly Evidence[] {
  const recorded = new Map(recordedBefore(input)?.shards.map((shard) => [shard.cluster, shard]));
  return input.shards.map((shard): Evidence => {
    const { cluster, verdict, isDrained = false, isBackup, weight } = shard;
    const known = recorded.get(cluster);
    const isTold = verdict !== undefined && verdict.state !== 'pending';
    const { addresses, ingress } = isTold
      ? ingressOf(input, verdict, known)
      : toIngress(input, known?.addresses ?? [], known?.hostnames ?? [], known);
    const state = isTold ? verdict.state : known?.state;
    return {
      cluster,
      isDrained,
      isGood: state === 'healthy' && !isDrained,
      rank: isBackup === true || weight === 0 ? 1 : 0,
      ingress,
      addresses,
    };
  });
}

function recordedBefore(input: PublicationInput): Publication | undefined {
  return input.previous?.serviceUid === input.serviceUid ? input.previous : undefined;
}

function ingressOf(
  input: PublicationInput,
  verdict: ShardVerdict,
  before: PublishedShard | undefined,
): Ingress {
  const ips = verdict.addresses.flatMap(({ ip }) => ip ?? []);
  const names = verdict.addresses.flatMap(({ hostname }) => {
    const name = hostname?.toLowerCase().replace(/\.$/, '');
    if (name === undefined || !name.includes('.') || toWireName(name) === undefined) return [];
    return name === input.zone || name.endsWith(`.${input.zone}`) ? [] : [name];
  });
  return toIngress(input, ips, names, before);
}

function toIngress(
  input: PublicationInput,
  ips: readonly string[],
  names: readonly string[],
  before: PublishedShard | undefined,
): Ingress {
  const { addressRules, shape = embeddedShape, resolved } = input;
  const rules = shape.isPrivate ? { ...addressRules, allowPrivate: true } : addressRules;
  const lookedUp = names.flatMap((name) => {
    // What was recorded counts until there is news of the same name.
    const kept = before?.hostnames.includes(name) === true ? (before.resolved ?? []) : [];
    return resolved?.get(name) ?? kept;
  });
  const texts = lookedUp.length === 0 ? ips : [...ips, ...lookedUp];
  const addresses = texts.flatMap((text) => toPublishable(text, rules) ?? []);
  return { addresses, ingress: names.length === 0 ? addresses : [...addresses, ...names] };
}

function list(all: readonly string[]): string {
  const more = all.length - 3;
  return `${all.slice(0, 3).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
