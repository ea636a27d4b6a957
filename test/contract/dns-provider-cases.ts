// Values of the provider suite, and how it looks at a zone.

import type {
  GroupOutcome,
  RecordGroup,
  ZoneRecordSet,
} from '../../coordinator/dns/provider/provider.ts';
import type { Checks, ProviderSubject } from './dns-provider.ts';

/** Ample for a busy machine; what has to be quick says so itself. */
export const patience = { timeoutMs: 20_000 } as const;

export function recordSet(
  name: string,
  type: string,
  values: readonly string[],
  ttlSeconds = 60,
): ZoneRecordSet {
  return { name, type, ttlSeconds, values: [...values].sort() };
}

export function group(
  id: string,
  change: {
    readonly deletes?: readonly ZoneRecordSet[];
    readonly creates?: readonly ZoneRecordSet[];
  },
): RecordGroup {
  return { id, deletes: change.deletes ?? [], creates: change.creates ?? [] };
}

/** Applies one group that must be accepted, and waits until it can be read. */
export async function mustApply(
  t: Checks,
  subject: ProviderSubject,
  groups: readonly RecordGroup[],
  fence?: RecordGroup,
): Promise<void> {
  const outcomes = await applyGroups(subject, groups, fence);
  let change: string | undefined;
  for (const { id } of groups) {
    const outcome = outcomes.get(id);
    t.is(outcome?.kind, 'applied', `${id}: ${JSON.stringify(outcome)}`);
    if (outcome?.kind === 'applied') change = outcome.change;
  }
  t.deepEqual([...outcomes.keys()].sort(), groups.map(({ id }) => id).sort());
  await subject.settle(change);
}

export function applyGroups(
  subject: ProviderSubject,
  groups: readonly RecordGroup[],
  fence?: RecordGroup,
): Promise<ReadonlyMap<string, GroupOutcome>> {
  const batch = fence === undefined ? { groups } : { groups, fence };
  return subject.provider.apply(batch, patience);
}

/** `id=kind` of each outcome, by id. */
export function kinds(outcomes: ReadonlyMap<string, GroupOutcome>): readonly string[] {
  return [...outcomes].map(([id, { kind }]) => `${id}=${kind}`).sort();
}

/** What stands at these names, in one order. */
export async function standing(
  subject: ProviderSubject,
  ...names: readonly string[]
): Promise<readonly ZoneRecordSet[]> {
  return inOrder(await subject.provider.read(names, patience));
}

export function inOrder(sets: readonly ZoneRecordSet[]): readonly ZoneRecordSet[] {
  const key = (set: ZoneRecordSet): string => `${set.name} ${set.type} ${set.member?.id ?? ''}`;
  return sets.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

/** All pages; each is bounded, and the walk too. */
export async function listAll(
  t: Checks,
  subject: ProviderSubject,
): Promise<{ readonly sets: readonly ZoneRecordSet[]; readonly pages: number }> {
  const sets: ZoneRecordSet[] = [];
  let after: string | undefined;
  for (let pages = 1; pages <= pagesMax; pages += 1) {
    const page = await subject.provider.list(
      after === undefined ? patience : { ...patience, after },
    );
    t.true(page.sets.length <= pageSetsMax, `${page.sets.length} sets in one page`);
    sets.push(...page.sets);
    if (page.next === undefined) return { sets, pages };
    after = page.next;
  }
  throw new Error(`a list of more than ${pagesMax} pages`);
}

const pagesMax = 100;
const pageSetsMax = 1_000;
