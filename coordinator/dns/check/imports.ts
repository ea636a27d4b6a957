// Reads a zone at its provider for a person who wants to take records over: page by page, and only
// what concerns the federation, so that a zone of half a million records costs its reading and no
// memory. Nothing is changed, and nobody else reads whole zones. A page is paid from what the
// account may ask, after everything that is to be written: a look must not make a failover wait.
//
// Input: a DNSZone and the page. Output: what stands at names of the federation's form, with the
// marks of external-dns for them.

import type { DnsZoneView, ImportPage, ImportSource } from '../../../common/model/views.ts';
import { ofExternalDnsMark, readExternalDnsOwner } from '../../../common/pure/dns-former-owners.ts';
import { isOwnForm } from '../../../common/pure/level-names.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { ProviderSource } from '../provider/provider-source.ts';
import type { DnsProvider, RecordPage, ZoneRecordSet } from '../provider/provider.ts';

// A page of a large zone, and the first one of a transfer, take seconds.
const timeoutMs = 20_000;

// A page more than the account's rate allows is waited for; whoever waits longer comes back.
const turnMs = 15_000;

/** What an account may ask; satisfied by coordinator/dns/apply/budget.ts. */
export interface AccountBudget {
  acquire(urgency: 2, cost: number, signal: AbortSignal): Promise<boolean>;
  throttled(retryAfterMs: number | undefined): void;
}

interface ImportOptions {
  readonly zones: Pick<DnsZoneView, 'zones'>;
  readonly providers: Pick<ProviderSource, 'provider'>;
  readonly budgets: { of(provider: DnsProvider): AccountBudget };
  readonly clock: Clock;
  readonly federation: string;
  readonly ownerId: string;
}

export function createImportSource(options: ImportOptions): ImportSource {
  const { zones, federation, ownerId } = options;
  return {
    page: async (dnsZone, after): Promise<ImportPage | undefined> => {
      const zone = zones.zones().find(({ name }) => name === dnsZone);
      if (zone === undefined) return undefined;
      const page = await readPage(options, dnsZone, after);
      if (page === undefined) return undefined;
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

/** The provider of after the wait: credentials may have been replaced meanwhile. */
async function readPage(
  { providers, budgets, clock }: Pick<ImportOptions, 'providers' | 'budgets' | 'clock'>,
  dnsZone: string,
  after: string | undefined,
): Promise<RecordPage | undefined> {
  const before = providers.provider(dnsZone);
  if (before === undefined) return undefined;
  await takeTurn(budgets.of(before), clock);
  const provider = providers.provider(dnsZone);
  try {
    return await provider?.list({ timeoutMs, ...(after === undefined ? {} : { after }) });
  } catch (error) {
    if (provider !== undefined && error instanceof MeshError && error.code === 'DNS_THROTTLED')
      budgets.of(provider).throttled(undefined);
    throw error;
  }
}

async function takeTurn(budget: AccountBudget, clock: Clock): Promise<void> {
  const controller = new AbortController();
  const timer = clock.after(turnMs, () => controller.abort());
  const isAdmitted = await budget.acquire(2, 1, controller.signal);
  timer.cancel();
  if (isAdmitted) return;
  const message =
    "all requests that the provider's account may make now go to changes; ask again in a minute";
  throw new MeshError('retryable', 'DNS_THROTTLED', message);
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
