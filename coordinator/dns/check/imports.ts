// Reads a zone at its provider for a person who wants to take records over: page by page, and only
// what concerns the federation, so that a zone of half a million records costs its reading and no
// memory. Nothing is changed, and nobody else reads whole zones.
//
// Input: a DNSZone and the page. Output: what stands at names of the federation's form, with the
// marks of external-dns for them.

import type { DnsZoneView, ImportPage, ImportSource } from '../../../common/model/views.ts';
import { ofExternalDnsMark, readExternalDnsOwner } from '../../../common/pure/dns-former-owners.ts';
import { isOwnForm } from '../../../common/pure/level-names.ts';
import type { ProviderSource } from '../provider/provider-source.ts';
import type { ZoneRecordSet } from '../provider/provider.ts';

// A page of a large zone, and the first one of a transfer, take seconds.
const timeoutMs = 20_000;

export function createImportSource(options: {
  readonly zones: Pick<DnsZoneView, 'zones'>;
  readonly providers: Pick<ProviderSource, 'provider'>;
  readonly federation: string;
  readonly ownerId: string;
}): ImportSource {
  const { zones, providers, federation, ownerId } = options;
  return {
    page: async (dnsZone, after): Promise<ImportPage | undefined> => {
      const zone = zones.zones().find(({ name }) => name === dnsZone);
      const provider = providers.provider(dnsZone);
      if (zone === undefined || provider === undefined) return undefined;
      const page = await provider.list({
        timeoutMs,
        ...(after === undefined ? {} : { after }),
      });
      const scope = { federation, domain: zone.spec.domain };
      const sets = page.sets.filter((set) => isOfInterest(set, scope));
      return {
        read: page.sets.length,
        ownerId,
        records: sets.map(toRecord),
        ...(page.next === undefined ? {} : { next: page.next }),
      };
    },
  };
}

function isOfInterest(
  set: ZoneRecordSet,
  scope: { readonly federation: string; readonly domain: string },
): boolean {
  const isBelow = (name: string): boolean => name.endsWith(`.${scope.domain}`);
  const name = readExternalDnsOwner(set) === undefined ? set.name : ofExternalDnsMark(set.name);
  return isBelow(set.name) && isOwnForm(name, scope) && !set.name.startsWith('_fedfence.');
}

function toRecord(set: ZoneRecordSet): ImportPage['records'][number] {
  const { name, type, ttlSeconds, values, alias, items, member, foreign } = set;
  const data = [
    ...values,
    ...(alias === undefined ? [] : [`alias ${alias.target}`]),
    ...(items ?? []).map((item) => `weight ${item.weight}: ${item.values.join(' ')}`),
    ...(member === undefined ? [] : [`weight ${member.weight} as ${member.id}`]),
    ...(foreign === undefined ? [] : [foreign]),
  ];
  return { name, type, ttlSeconds, data };
}
