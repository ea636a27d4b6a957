// What each zone says of a Service, with what became of that at its provider.
// Input: publications of the log, the views of the DNS stage. Output: facts for plan-published.ts
// and plan-record-sets.ts.

import type { AppliedState } from '../../common/model/dns-zone.ts';
import type { ServiceKey } from '../../common/model/ids.ts';
import type { Publication } from '../../common/model/publication.ts';
import type { AppliedView, DnsZoneView } from '../../common/model/views.ts';
import {
  dnsZoneOf,
  readPublication,
  toPublicationsPrefix,
} from '../../common/pure/publication-object.ts';
import type { Desired } from '../desired/store.ts';

/** What one zone says of a Service. */
export interface PublishedFacts {
  readonly dnsZone: string;
  readonly publication: Publication;
  readonly applied: Pick<AppliedState, 'state' | 'reason' | 'message' | 'names'> & {
    /** Epoch milliseconds; the embedded zone is live as soon as it is written. */
    readonly sinceMs: number | undefined;
    /** Names of it stand there already, perhaps as they were before. */
    readonly hasRecords: boolean;
  };
}

export interface DnsViews {
  readonly zones: DnsZoneView;
  readonly applied: AppliedView;
}

/** Sorted by DNSZone. */
export function publishedOf(
  { desired, dns }: { readonly desired: Desired; readonly dns: DnsViews },
  key: ServiceKey,
): readonly PublishedFacts[] {
  return [...desired.list(toPublicationsPrefix(key))].flatMap(({ object }) => {
    const publication = readPublication(object);
    return publication === undefined ? [] : [toFacts(dns, publication)];
  });
}

function toFacts({ zones, applied }: DnsViews, publication: Publication): PublishedFacts {
  const dnsZone = dnsZoneOf(publication);
  const provider = zones.zone(dnsZone)?.spec.provider ?? 'Embedded';
  if (provider === 'Embedded' || publication.recordSets.length === 0) {
    return { dnsZone, publication, applied: live };
  }
  const found = applied.state(dnsZone, publication.key) ?? { ...unseen, sinceMs: undefined };
  const hasRecords = applied.recorded(dnsZone, publication.key).length > 0;
  return { dnsZone, publication, applied: { ...found, hasRecords } };
}

const live = {
  state: 'live',
  reason: 'Live',
  message: '',
  sinceMs: undefined,
  hasRecords: true,
} as const;

const unseen = {
  state: 'pending',
  reason: 'Pending',
  message: 'It waits to be written.',
} as const;
