// Bugs that canary runs plant into the provider of public names, where an adapter would have them.
// What a request finds is looked up when it arrives, as at a provider that compares nothing.

import type {
  DnsProvider,
  RecordBatch,
  RecordGroup,
  ZoneRecordSet,
} from '../../coordinator/dns/provider/provider.ts';
import type { MemoryZone } from '../support/dns/memory-provider.ts';

export const providerBugs = [
  'provider-unfenced',
  'provider-overwrites',
  'provider-splits',
  'provider-keeps',
  'provider-loses',
] as const;

export type ProviderBug = (typeof providerBugs)[number];

export function isProviderBug(bug: string | undefined): bug is ProviderBug {
  return providerBugs.some((one) => one === bug);
}

export function plantInProvider(
  provider: DnsProvider,
  zone: MemoryZone,
  bug: ProviderBug | undefined,
): DnsProvider {
  const { apply } = provider;
  switch (bug) {
    case undefined:
      return provider;
    case 'provider-unfenced':
      return { ...provider, apply: (batch, options) => apply(unfenced(batch, zone), options) };
    case 'provider-overwrites': {
      const over = (group: RecordGroup): RecordGroup => overwriting(group, zone);
      return { ...provider, apply: (batch, options) => apply(mapGroups(batch, over), options) };
    }
    case 'provider-keeps':
      return { ...provider, apply: (batch, options) => apply(mapGroups(batch, keeping), options) };
    case 'provider-loses':
      return { ...provider, apply: (batch, options) => apply(mapGroups(batch, losing), options) };
    case 'provider-splits':
      return {
        ...provider,
        apply: async (batch, options) => {
          const outcomes = await apply(mapGroups(batch, aliasesOnly), options);
          const isDone = [...outcomes.values()].every(({ kind }) => kind === 'applied');
          const rest = batch.groups.map((group) => ({ ...group, ...withoutAliases(group) }));
          return isDone ? await apply({ groups: rest }, options) : outcomes;
        },
      };
  }
}

function mapGroups(batch: RecordBatch, change: (group: RecordGroup) => RecordGroup): RecordBatch {
  return { ...batch, groups: batch.groups.map(change) };
}

/** Whatever fence stands there is replaced. */
function unfenced(batch: RecordBatch, zone: MemoryZone): RecordBatch {
  const { fence } = batch;
  if (fence === undefined) return batch;
  const name = fence.creates[0]?.name ?? '';
  return {
    ...batch,
    fence: {
      ...fence,
      get deletes() {
        return zone.names.get(name) ?? [];
      },
    },
  };
}

/** Creates replace what stands there, whosever it is. */
function overwriting(group: RecordGroup, zone: MemoryZone): RecordGroup {
  const isAt = (a: ZoneRecordSet, b: ZoneRecordSet): boolean => a.type === b.type;
  return {
    ...group,
    get deletes() {
      const met = group.creates.flatMap((set) =>
        (zone.names.get(set.name) ?? []).filter((other) => isAt(other, set)),
      );
      return [...new Set([...group.deletes, ...met])];
    },
  };
}

/** What goes as a whole stays. */
function keeping(group: RecordGroup): RecordGroup {
  return group.creates.length === 0 ? { ...group, deletes: [] } : group;
}

/** Names of a cluster's zone, to which no other leads, are taken and never served. */
function losing(group: RecordGroup): RecordGroup {
  const isLeaf = ({ name, type }: ZoneRecordSet): boolean =>
    type !== 'TXT' && name.split('.svc.')[1]?.split('.').length === leafLabels;
  return { ...group, creates: group.creates.filter((set) => !isLeaf(set)) };
}

/** `<zone>.<region>.example.net` */
const leafLabels = 4;

function aliasesOnly(group: RecordGroup): RecordGroup {
  return { ...group, creates: group.creates.filter(({ type }) => type === 'CNAME') };
}

function withoutAliases(group: RecordGroup): Pick<RecordGroup, 'deletes' | 'creates'> {
  return { deletes: [], creates: group.creates.filter(({ type }) => type !== 'CNAME') };
}
