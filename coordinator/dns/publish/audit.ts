// Doubts a planned publication before it is written, from the verdicts themselves and not from
// what the plan concluded. Input: what was planned from, and the plan. Output: findings; a
// publication with any is not written, and the Service says why.
//
//   A1. Record sets are well formed: one type once per name, no CNAME beside anything, values not
//       empty, names within the zone.
//   A2. (I5) Every name leads, within this publication, to addresses or to a load balancer's name;
//       no CNAME of ours dangles or circles.
//   A3. (I5) While a shard is healthy, every name leads to a healthy one, and to none that is not.
//   A4. (I6) The last address never goes on suspicion: while an undrained shard has a known
//       ingress and the Service had names, it has names.

import type { ShardVerdict } from '../../../common/model/health.ts';
import type { ClusterName } from '../../../common/model/ids.ts';
import type { Publication, RecordSet } from '../../../common/model/publication.ts';
import { isPublishable, parseAddress } from '../../../common/pure/address-rules.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import type { PublicationInput } from './plan.ts';

export interface Finding {
  readonly invariant: 'A1' | 'A2' | 'A3' | 'A4';
  readonly message: string;
}

export function auditPublication(
  input: PublicationInput,
  planned: Publication,
): readonly Finding[] {
  const byName = new Map<string, RecordSet[]>();
  for (const set of planned.recordSets) {
    const known = byName.get(set.name);
    if (known === undefined) byName.set(set.name, [set]);
    else known.push(set);
  }
  const form = planned.recordSets.flatMap((set) => doubtForm(input, set));
  const names = [...byName].flatMap(([name, sets]) => doubtName(name, sets));
  const evidence = readEvidence(input);
  const good = new Set(evidence.flatMap(({ isGood, ingress }) => (isGood ? ingress : [])));
  const leads = [...byName.keys()].flatMap((name) => doubtLead(input.zone, name, byName, good));
  return [...form, ...names, ...leads, ...doubtLast(input, planned, evidence)];
}

function doubtForm(input: PublicationInput, set: RecordSet): readonly Finding[] {
  const found: Finding[] = [];
  const say = (message: string): void => void found.push({ invariant: 'A1', message });
  if (!set.name.endsWith(`.${input.zone}`)) say(`${set.name} is outside the zone ${input.zone}`);
  if (toWireName(set.name) === undefined) say(`${set.name} is no name that DNS can carry`);
  if (set.values.length === 0) say(`${set.name} ${set.type} has no value`);
  if (new Set(set.values).size !== set.values.length)
    say(`${set.name} ${set.type} repeats a value`);
  return found;
}

function doubtName(name: string, sets: readonly RecordSet[]): readonly Finding[] {
  const types = sets.map(({ type }) => type);
  if (new Set(types).size !== types.length) {
    return [{ invariant: 'A1', message: `${name} has two record sets of one type` }];
  }
  const aliases = sets.filter(({ type }) => type === 'CNAME');
  if (aliases.length > 0 && sets.length > 1) {
    return [{ invariant: 'A1', message: `${name} has a CNAME beside other records` }];
  }
  return aliases.some(({ values }) => values.length !== 1)
    ? [{ invariant: 'A1', message: `${name} has a CNAME with several targets` }]
    : [];
}

function doubtLead(
  zone: string,
  name: string,
  byName: ReadonlyMap<string, readonly RecordSet[]>,
  good: ReadonlySet<string>,
): readonly Finding[] {
  const ends = followName(zone, name, byName);
  if (ends === undefined) return [{ invariant: 'A2', message: `${name} leads nowhere` }];
  const bad = good.size === 0 ? [] : ends.filter((end) => !good.has(end));
  return bad.length > 0
    ? [{ invariant: 'A3', message: `${name} leads to ${bad.join(', ')}, which is not healthy` }]
    : [];
}

// Zone, region, global and no further: a longer chain is a circle.
const chainMax = 3;

function followName(
  zone: string,
  name: string,
  byName: ReadonlyMap<string, readonly RecordSet[]>,
): readonly string[] | undefined {
  let at = name;
  for (let step = 0; step < chainMax; step += 1) {
    const sets = byName.get(at);
    if (sets === undefined) return undefined;
    const [target] = sets.flatMap(({ type, values }) => (type === 'CNAME' ? values : []));
    if (target === undefined) return sets.flatMap(({ values }) => values);
    if (!target.endsWith(`.${zone}`)) return [target];
    at = target;
  }
  return undefined;
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
  const left = evidence.filter(({ isDrained, ingress }) => !isDrained && ingress.length > 0);
  if (left.length === 0) return [];
  const who = left.map(({ cluster }) => cluster).join(', ');
  return [{ invariant: 'A4', message: `the last names would go while ${who} may still answer` }];
}

/** What the verdicts say of one shard; without one, what was recorded before. */
interface Evidence {
  readonly cluster: ClusterName;
  readonly isDrained: boolean;
  readonly isGood: boolean;
  readonly ingress: readonly string[];
}

function readEvidence(input: PublicationInput): readonly Evidence[] {
  const recorded = new Map(recordedBefore(input)?.shards.map((shard) => [shard.cluster, shard]));
  return input.shards.map(({ cluster, verdict, isDrained = false }) => {
    if (verdict !== undefined && verdict.state !== 'pending') {
      const isGood = verdict.state === 'healthy' && !isDrained;
      return { cluster, isDrained, isGood, ingress: ingressOf(input, verdict) };
    }
    const known = recorded.get(cluster);
    const ingress = known === undefined ? [] : [...known.addresses, ...known.hostnames];
    return { cluster, isDrained, isGood: known?.state === 'healthy' && !isDrained, ingress };
  });
}

function recordedBefore(input: PublicationInput): Publication | undefined {
  return input.previous?.serviceUid === input.serviceUid ? input.previous : undefined;
}

function ingressOf(input: PublicationInput, verdict: ShardVerdict): readonly string[] {
  return verdict.addresses.flatMap(({ ip, hostname }) => {
    const address = ip === undefined ? undefined : parseAddress(ip);
    const addresses =
      address !== undefined && isPublishable(address, input.addressRules) ? [address] : [];
    const name = hostname?.toLowerCase().replace(/\.$/, '');
    const isOurs = name === input.zone || name?.endsWith(`.${input.zone}`) === true;
    const isName = name !== undefined && name.includes('.') && toWireName(name) !== undefined;
    return [...addresses, ...(isName && !isOurs ? [name] : [])];
  });
}
