// What DNS says of a Service, and what stands at providers because of it: read from the log.

import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { splitServiceKey, toLogKey, toLogPrefix, type ServiceKey } from '../../common/model/ids.ts';
import { readPublication, toPublicationsPrefix } from '../../common/pure/publication-object.ts';
import type { Desired, StoredObject } from '../desired/store.ts';
import { mergePublished, type Published } from './merge-published.ts';

export const dnsAppliedPrefix = toLogPrefix(isthmusGroup, 'dnsapplied');
export const dnsZonesPrefix = toLogPrefix(isthmusGroup, 'dnszones');

export function readPublished(desired: Desired, key: ServiceKey): Published | undefined {
  const publications = [...desired.list(toPublicationsPrefix(key))].flatMap(
    ({ object }) => readPublication(object) ?? [],
  );
  return mergePublished(publications, standingOf(desired, key));
}

/** Of every zone: a write of ours guards on all of them, since any may be about to say otherwise. */
export function publicationsOf(desired: Desired, key: ServiceKey): readonly StoredObject[] {
  return [...desired.list(toPublicationsPrefix(key))];
}

interface RecordedSet {
  readonly values?: readonly string[];
  readonly alias?: { readonly target: string };
  readonly items?: readonly { readonly values: readonly string[] }[];
}

/** DNSZones whose providers have records of it. */
export function zonesStanding(desired: Desired, key: ServiceKey): readonly string[] {
  const recorded = [...recordedOf(desired, key)];
  return recorded.filter(({ recordSets }) => recordSets.length > 0).map(({ zone }) => zone);
}

/** Values of its records at providers. */
function standingOf(desired: Desired, key: ServiceKey): ReadonlySet<string> {
  const values = new Set<string>();
  for (const { recordSets } of recordedOf(desired, key))
    for (const set of recordSets) for (const value of valuesOf(set)) values.add(value);
  return values;
}

/** Its records at providers. Of a DNSZone that is gone nobody takes anything out. */
function* recordedOf(
  desired: Desired,
  key: ServiceKey,
): Iterable<{ readonly zone: string; readonly recordSets: readonly RecordedSet[] }> {
  const { namespace, name } = splitServiceKey(key);
  const prefix = `${toLogPrefix(isthmusGroup, 'dnsapplied', namespace)}${name}.`;
  for (const { key: at, object } of desired.list(prefix)) {
    const zone = at.slice(prefix.length);
    const zoneKey = toLogKey({ group: isthmusGroup, resource: 'dnszones', name: zone });
    if (desired.get(zoneKey) === undefined) continue;
    // Written by dns/apply/journal.ts only.
    const { recordSets = [] } = (object.spec ?? {}) as {
      readonly recordSets?: readonly RecordedSet[];
    };
    yield { zone, recordSets };
  }
}

function valuesOf({ values = [], alias, items = [] }: RecordedSet): readonly string[] {
  const more = items.flatMap((item) => item.values);
  return [...values, ...more, ...(alias === undefined ? [] : [alias.target])];
}
