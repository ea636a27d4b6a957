// Short names of the user's own: each a CNAME to one of the Service's names, kept as long as those
// stand. Input: what the policy wants and was granted, and the names that are published. Pure.
//
//   X1. Only within the zone's domain, and never of the form of the federation's own names: one of
//       those could be another Service's, or a level's that comes later.
//   X3. None where the DNSZone denies them: whoever may write policies could have any free name.
//   X2. It leads to the nearest name above its level that stands, as that level itself would.

import type { DnsAlias } from '../../../common/model/isthmus-kinds.ts';
import type { RecordSet } from '../../../common/model/publication.ts';
import {
  isOwnForm,
  toGlobalName,
  toRegionName,
  toZoneName,
} from '../../../common/pure/level-names.ts';
import type { PublicationInput } from './input.ts';
import { isNameable } from './levels.ts';
import { alias } from './plan-level.ts';

export interface AliasPlan {
  readonly sets: readonly RecordSet[];
  /** They lead above their level, where no registered cluster is. */
  readonly unknown: readonly string[];
  /** Of the form of the federation's names. */
  readonly refused: readonly string[];
  readonly denied: readonly string[];
}

export const noAliases: AliasPlan = { sets: [], unknown: [], refused: [], denied: [] };

export function planAliases(
  input: PublicationInput,
  stands: ReadonlyMap<string, number>,
): AliasPlan {
  const scope = { federation: input.federation, domain: input.zone };
  const wanted = (input.aliases?.granted ?? []).filter(({ name }) =>
    name.endsWith(`.${input.zone}`),
  );
  if (input.shape?.takesAliases === false) {
    return { ...noAliases, denied: wanted.map(({ name }) => name) }; // X3
  }
  const own = wanted.filter(({ name }) => !isOwnForm(name, scope) && isNameable(name));
  const places = new Map(input.places?.map(({ region, zones }) => [region, zones]));
  const sets = own.flatMap((one) => {
    const target = namesOf(input, one).find((name) => stands.has(name)); // X2
    if (target === undefined) return [];
    const ttlSeconds = stands.get(target) ?? input.ttlSeconds;
    return [alias({ name: one.name, ttlSeconds, level: 'alias' }, target)];
  });
  const isKnown = ({ region, zone }: DnsAlias): boolean =>
    region === undefined ||
    input.places === undefined ||
    (places.has(region) && (zone === undefined || places.get(region)?.includes(zone) === true));
  return {
    ...noAliases,
    sets,
    unknown: own.filter((one) => !isKnown(one)).map(({ name }) => name),
    refused: wanted.filter((one) => !own.includes(one)).map(({ name }) => name),
  };
}

/** From the one that is wanted to the global one. */
function namesOf({ key, federation, zone: domain }: PublicationInput, alias: DnsAlias) {
  const scope = { federation, domain };
  const { region, zone } = alias;
  return [
    ...(region !== undefined && zone !== undefined
      ? [toZoneName(key, { zone, region }, scope)]
      : []),
    ...(region !== undefined ? [toRegionName(key, region, scope)] : []),
    toGlobalName(key, scope),
  ];
}
