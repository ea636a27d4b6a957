// Whose names are these? One TXT record per Service and zone, at a sibling of the Service's names
// (a TXT cannot stand beside a CNAME), says which coordinator wrote them.
//
//   O1. The mark is created in the request that creates the first names: who does not get the mark
//       does not get the names either.
//   O2. It says nothing that a failover changes, so that it is written on claim, take-over and
//       hand-back only.
//   O3. Another's mark is respected until a person names its owner in spec.takeOverFrom.
//   O4. So are external-dns' marks, and what has no mark at all: Federation v1 had none.

import type { ServiceKey } from '../../../common/model/ids.ts';
import {
  federationV1,
  formerOwnerOf,
  toExternalDnsMarkNames,
} from '../../../common/pure/dns-former-owners.ts';
import { toNamePrefix, type NameScope } from '../../../common/pure/level-names.ts';
import type { ZoneRecordSet } from '../provider/provider.ts';
import { textOf } from './zone-records.ts';

/** Changes only when a Service comes or goes, so caches may keep it. */
const markTtlSeconds = 300;

export interface Owner {
  readonly id: string;
  readonly federation: string;
}

export function toMarkName(key: ServiceKey, scope: NameScope): string {
  return `_fedowner.${toNamePrefix(key, scope.federation)}.${scope.domain}`;
}

export function toMark(
  key: ServiceKey,
  scope: NameScope,
  of: { readonly ownerId: string; readonly ttlSecondsMin: number },
): ZoneRecordSet {
  return {
    name: toMarkName(key, scope),
    type: 'TXT',
    ttlSeconds: Math.max(markTtlSeconds, of.ttlSecondsMin),
    values: [`v=1 fed=${scope.federation} id=${of.ownerId}`],
  };
}

/** The owner that a mark names, or undefined for a TXT that is no mark. */
export function parseMark(text: string): Owner | undefined {
  const match = /^v=1 fed=(\S+) id=(\S+)$/.exec(text);
  const [, federation, id] = match ?? [];
  return federation === undefined || id === undefined ? undefined : { federation, id };
}

export type Claim =
  | { readonly kind: 'free' }
  | { readonly kind: 'ours' }
  /** Another's, or our own of a former life, that a person told us to take over. */
  | { readonly kind: 'adopted'; readonly id: string }
  | { readonly kind: 'other'; readonly owner: Owner }
  /** Something that is no mark stands at the mark's name. */
  | { readonly kind: 'foreign'; readonly text: string };

/** What the sets that stand at a group's names say of its owner. */
export function readClaim(
  observed: readonly ZoneRecordSet[],
  mark: ZoneRecordSet,
  takeOverFrom: readonly string[],
): Claim {
  const standing = observed.filter(({ name }) => name === mark.name);
  const [first] = standing;
  if (first === undefined) return { kind: 'free' };
  const owner = first.type === 'TXT' ? parseMark(first.values[0] ?? '') : undefined;
  if (standing.length > 1 || first.values.length !== 1 || owner === undefined) {
    return { kind: 'foreign', text: `${first.type} ${first.values.join(' ')}` };
  }
  if (takeOverFrom.includes(owner.id)) return { kind: 'adopted', id: owner.id };
  const ours = parseMark(mark.values[0] ?? '');
  const isOurs = ours?.id === owner.id && ours.federation === owner.federation;
  return isOurs ? { kind: 'ours' } : { kind: 'other', owner };
}

/**
 * O4: kept by external-dns or Federation v1, and a person said that it becomes ours. Records without
 * any mark only at names that v1 wrote (never a short name, which is the user's own), and only
 * before our first claim: later it would be whatever somebody adds by hand.
 */
export function isTakenOver(
  set: ZoneRecordSet,
  of: {
    readonly claim: Claim;
    readonly mark: ZoneRecordSet;
    readonly observed: readonly ZoneRecordSet[];
    readonly takeOverFrom: readonly string[];
  },
): boolean {
  const { claim, mark, observed, takeOverFrom } = of;
  if (set.foreign !== undefined || claim.kind === 'other' || claim.kind === 'foreign') return false;
  const owner = formerOwnerOf(set, observed);
  if (owner === undefined || !takeOverFrom.includes(owner)) return false;
  return owner !== federationV1 || (claim.kind === 'free' && isNameOfMark(set.name, mark));
}

/** `<service>.<namespace>.<federation>.svc` begins both, behind the mark's own label. */
function isNameOfMark(name: string, mark: ZoneRecordSet): boolean {
  const prefix = mark.name.split('.').slice(1, 5).join('.');
  return name.startsWith(`${prefix}.`);
}

/** Where marks of external-dns may stand, if its records shall become ours. */
export function formerMarkNames(
  names: readonly string[],
  takeOverFrom: readonly string[],
): readonly string[] {
  const isAsked = takeOverFrom.some((owner) => owner.startsWith('external-dns/'));
  return isAsked || takeOverFrom.includes(federationV1)
    ? names.flatMap(toExternalDnsMarkNames)
    : [];
}

/** Types that we write at names of ours; others are always somebody else's. */
export function isOurType(type: string): boolean {
  return type === 'A' || type === 'AAAA' || type === 'CNAME' || type === 'SRV';
}

export function isMark(set: ZoneRecordSet, mark: ZoneRecordSet): boolean {
  return set.name === mark.name && set.type === mark.type;
}

export function isSameSet(a: ZoneRecordSet, b: ZoneRecordSet): boolean {
  return textOf(a) === textOf(b);
}
