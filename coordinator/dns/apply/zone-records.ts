// Record sets as the applier compares them: a publication's, turned into the form in which they
// stand at a provider, and what tells two of them apart.

import type { AppliedRecord } from '../../../common/model/views.ts';
import type { Publication, RecordSet } from '../../../common/model/publication.ts';
import { parseAddress } from '../../../common/pure/address-rules.ts';
import type { ZoneRecordSet } from '../provider/provider.ts';

/**
 * What a publication says, as it shall stand at a provider; sorted by name, type and member.
 * Weights of single values are left out: only the embedded zone answers by them.
 */
export function toZoneRecordSets(
  publication: Pick<Publication, 'recordSets'>,
): readonly ZoneRecordSet[] {
  return publication.recordSets.map(toZoneRecordSet).sort(byIdentity);
}

function toZoneRecordSet(set: RecordSet): ZoneRecordSet {
  const { name, type, ttlSeconds, values, member, alias, items } = set;
  return {
    name,
    type,
    ttlSeconds: alias === undefined ? ttlSeconds : 0,
    values: alias === undefined && items === undefined ? toValues(type, values) : [],
    ...(alias === undefined ? {} : { alias }),
    ...(member === undefined ? {} : { member }),
    ...(items === undefined
      ? {}
      : { items: items.map((item) => ({ ...item, values: toValues(type, item.values) })) }),
  };
}

function toValues(type: RecordSet['type'], values: readonly string[]): readonly string[] {
  const isAddress = type === 'A' || type === 'AAAA';
  return values.map((value) => (isAddress ? (parseAddress(value) ?? value) : value)).sort();
}

/** Where one set can stand only once: its name, type and, at Route 53, its member's id. */
export function identityOf({ name, type, member }: ZoneRecordSet): string {
  return member === undefined ? `${name} ${type}` : `${name} ${type} ${member.id}`;
}

/** Equal for sets that a provider could not tell apart. */
export function textOf(set: ZoneRecordSet): string {
  const { name, type, ttlSeconds, values, alias, member, items, foreign } = set;
  return JSON.stringify([
    name,
    type,
    ttlSeconds,
    values,
    alias && [alias.target, alias.hostedZoneId, alias.evaluateTargetHealth],
    member && [member.id, member.weight],
    items?.map((item) => [item.weight, item.values]),
    foreign,
  ]);
}

export function byIdentity(a: ZoneRecordSet, b: ZoneRecordSet): number {
  const [left, right] = [identityOf(a), identityOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Where clients that ask for this set are sent: addresses and names that may be answered. */
export function targetsOf({ values, alias, member, items }: ZoneRecordSet): readonly string[] {
  if (member?.weight === 0) return [];
  if (alias !== undefined) return [alias.target];
  if (items !== undefined) {
    return items.flatMap((item) => (item.weight > 0 ? item.values : []));
  }
  return values;
}

/** For people. */
export function toAppliedRecord(set: ZoneRecordSet): AppliedRecord {
  const { name, type, ttlSeconds, values, alias, member, items } = set;
  const what =
    alias !== undefined
      ? `alias of ${alias.target}`
      : items !== undefined
        ? items.map((item) => `${item.values.join(' ')} (weight ${item.weight})`).join(', ')
        : values.join(' ');
  const data = member === undefined ? what : `${what} (${member.id}, weight ${member.weight})`;
  return { name, type, ttlSeconds, data };
}
