// How much each DNSZone publishes, folded from the publications' events.

import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { Publication } from '../../../common/model/publication.ts';
import { dnsZoneOf, readPublication } from '../../../common/pure/publication-object.ts';
import type { ViewEvent } from '../../desired/store.ts';
import type { PublishedCounts } from './plan-status.ts';

export interface CountsFold {
  /** Names of the DNSZones whose counts may be different. */
  fold(event: ViewEvent): readonly string[];
  of(dnsZone: string): PublishedCounts;
  clear(): void;
}

const none: PublishedCounts = { services: 0, recordSets: 0, cut: 0 };

export function createCountsFold(): CountsFold {
  const counts = new Map<string, PublishedCounts>();
  const add = (object: KubeObject | undefined, by: 1 | -1): string | undefined => {
    const publication = readPublication(object);
    if (publication === undefined) return undefined;
    const dnsZone = dnsZoneOf(publication);
    const before = counts.get(dnsZone) ?? none;
    const after = {
      services: before.services + by,
      recordSets: before.recordSets + by * publication.recordSets.length,
      cut: before.cut + by * (lacksNames(publication) ? 1 : 0),
    };
    if (after.services === 0) counts.delete(dnsZone);
    else counts.set(dnsZone, after);
    return dnsZone;
  };
  return {
    fold: ({ kind, current, previous }) => {
      const went = add(kind === 'added' ? undefined : previous?.object, -1);
      const came = add(kind === 'deleted' ? undefined : current.object, 1);
      return [...new Set([went, came])].filter((name) => name !== undefined);
    },
    of: (dnsZone) => counts.get(dnsZone) ?? none,
    clear: () => counts.clear(),
  };
}

function lacksNames({ notes = [] }: Publication): boolean {
  return notes.some(({ reason }) => reason === 'NameBudget');
}
