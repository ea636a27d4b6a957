// What a person should know of a Service's names, beside what they are. Input: what was decided.
// Output: notes, sorted by reason; each names the first few of what it is about. Pure.

import { isIP } from 'node:net';
import type { PublicationNote, RecordSet } from '../../../common/model/publication.ts';
import type { PublicationInput } from './input.ts';
import type { AliasPlan } from './plan-aliases.ts';
import type { Candidate } from './plan-candidates.ts';
import type { LevelPlan } from './plan-level.ts';
import { embeddedShape } from './zone-shape.ts';

export interface Decided {
  readonly candidates: readonly Candidate[];
  /** Of zones, regions and the global name. */
  readonly levelSets: readonly RecordSet[];
  readonly globalName: string;
  readonly plans: readonly LevelPlan[];
  readonly tooLong: readonly string[];
  readonly leftOut: readonly string[];
  readonly hasUnnamedPorts: boolean;
  readonly aliases: AliasPlan;
}

const namesMax = 3;

export function toNotes(input: PublicationInput, decided: Decided): readonly PublicationNote[] {
  const { plans, candidates, aliases } = decided;
  const refused = (input.aliases?.refused ?? []).filter(({ name }) =>
    name.endsWith(`.${input.zone}`),
  );
  const named = plans.flatMap(({ leftOut }) => leftOut.map(({ cluster }) => cluster));
  const published = new Set(decided.levelSets.flatMap(({ values }) => values));
  const flattened = candidates.filter(
    ({ way }) =>
      way.kind === 'addresses' &&
      way.of !== undefined &&
      way.addresses.some((address) => published.has(address)),
  );
  return [
    ...noteRefused(input, candidates),
    note(
      'AddressFamilyGap',
      familyGaps(decided),
      'Clients that have only IPv4, or only IPv6, get no answer there, while the global name has one',
    ),
    note('AliasConflict', aliases.refused, 'Of the form of the federation’s own names'),
    ...refused.map(({ name, by }) =>
      note('AliasConflict', [name], `The short name is the Service ${by}’s, whose policy is older`),
    ),
    note('AliasDenied', aliases.denied, 'The DNSZone takes no short names (spec.aliases is Deny)'),
    note(
      'AliasLevelUnknown',
      aliases.unknown,
      'No registered cluster is in that zone or region: the short name leads one level up',
    ),
    note(
      'Flattened',
      flattened.map(({ cluster }) => cluster),
      'Load balancers that are names are published by the addresses that were looked up',
    ),
    note(
      'HostnamesLeftOut',
      named,
      'Names of load balancers cannot stand beside addresses or each other here: at some levels ' +
        'these shards are left out (hostnameMode Flatten publishes their addresses)',
    ),
    note(
      'NameBudget',
      decided.leftOut,
      'No room in the zone’s name budget for levels without a shard (spec.nameBudget)',
    ),
    note('NameTooLong', decided.tooLong, 'DNS cannot carry names of more than 253 characters'),
    ...notePrivateBalancers(input, candidates),
    note(
      'UnnamedPorts',
      decided.hasUnnamedPorts ? [decided.globalName] : [],
      'Ports without a name have no SRV record: give each port of the Service one',
    ),
    note(
      'WeightsIgnored',
      plans.some(({ isUnweighed }) => isUnweighed) ? [decided.globalName] : [],
      'The provider cannot weigh: all addresses are answered alike',
    ),
  ].flat();
}

/** Shards that clients of this zone cannot be sent to, whatever else they are. */
export function noteRefused(
  { zone, shape = embeddedShape }: PublicationInput,
  candidates: readonly Candidate[],
): readonly PublicationNote[] {
  const refused = candidates.filter(
    ({ way, refused: all }) => way.kind === 'none' && all.length > 0,
  );
  const [named, addressed] = [
    refused.filter((shard) => shard.refused.every((one) => isIP(one) === 0)),
    refused.filter((shard) => shard.refused.some((one) => isIP(one) !== 0)),
  ];
  const tell = ({ cluster, refused: [first = ''] }: Candidate): string => `${cluster} (${first})`;
  return [
    note(
      'AddressesLeftOut',
      addressed.map(tell),
      shape.isPrivate
        ? 'These shards have only addresses that no client can be sent to (local or reserved)'
        : 'These shards have only addresses that a public zone may not carry (private, local or ' +
            'reserved); in a DNSZone with visibility Private private ones may stand',
    ),
    note(
      'AddressesLeftOut',
      named.map(tell),
      `The names of these load balancers lie within ${zone} itself, or are none that DNS can carry; ` +
        'a CNAME there could make a circle, so give them addresses or names elsewhere',
    ),
  ].flat();
}

// So AWS begins the names of its application and classic load balancers that are internal, and of
// no others.
const internalBalancer = /^(dualstack\.)?internal-[^.]+\.[^.]+\.elb\.amazonaws\.com(\.cn)?$/;

/** They stand there as names: whether that is of use to somebody a person knows best. */
function notePrivateBalancers(
  input: PublicationInput,
  candidates: readonly Candidate[],
): readonly PublicationNote[] {
  if (input.shape?.isPrivate === true) return [];
  const inside = candidates.filter(({ way }) => {
    if (way.kind !== 'host') return false;
    // Looked up, and nothing of what was found may stand here.
    const isRefused = (input.resolved?.get(way.host) ?? []).length > 0;
    return isRefused || internalBalancer.test(way.host);
  });
  return note(
    'PrivateBalancer',
    inside.map(({ cluster }) => cluster),
    'The load balancers’ names lead to private addresses: clients outside reach nothing there ' +
      '(publish the Service in a DNSZone with visibility Private instead)',
  );
}

function note(
  reason: PublicationNote['reason'],
  about: readonly string[],
  text: string,
): readonly PublicationNote[] {
  const all = [...new Set(about)].sort();
  if (all.length === 0) return [];
  const names = all.slice(0, namesMax);
  const more = all.length > names.length ? ` and ${all.length - names.length} more` : '';
  return [{ reason, message: `${text}: ${names.join(', ')}${more}.`, count: all.length, names }];
}

/** Levels that answer one family alone where the global name answers both, or the other. */
function familyGaps({ levelSets, globalName }: Decided): readonly string[] {
  const types = new Map<string, Set<RecordSet['type']>>();
  for (const { name, type, alias } of levelSets) {
    // Which families a load balancer of AWS has, nobody says: an alias is no promise.
    if (alias !== undefined && name === globalName) continue;
    const known = types.get(name);
    if (known === undefined) types.set(name, new Set([type]));
    else known.add(type);
  }
  const global = types.get(globalName) ?? new Set();
  return [...types]
    .filter(
      ([, has]) =>
        !has.has('CNAME') &&
        (['A', 'AAAA'] as const).some((type) => global.has(type) && !has.has(type)),
    )
    .map(([name]) => name);
}
