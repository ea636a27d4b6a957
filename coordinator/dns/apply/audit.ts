// Doubts one group's change before it is submitted, from what is recorded and what the publication
// says, not from how the plan was made. Input: the change and those. Output: findings; a change
// with any is not submitted, and the Service says why.
//
//   B1. (I4) Every deleted set is recorded as ours, or stood there when it was read and is ours by
//       our mark or by one that a person told us to take over.
//   B2. (I4) Everything that is created is below the domain and a name of this Service, or one of
//       the short names that its publication says.
//   B3. Afterwards no CNAME stands beside anything, no name and type is both plain and weighted,
//       and every set says something.
//   B4. (I5) Afterwards no CNAME or alias to a name of this Service dangles.
//   B5. (O1) Names never stand without their mark.

import type { ServiceKey } from '../../../common/model/ids.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import { toNamePrefix, type NameScope } from '../../../common/pure/level-names.ts';
import type { RecordGroup, ZoneRecordSet } from '../provider/provider.ts';
import { isMark, isOurType, isTakenOver, readClaim } from './ownership.ts';
import { applyGroup } from './plan-group.ts';
import { identityOf } from './zone-records.ts';

export interface GroupAuditInput {
  readonly key: ServiceKey;
  readonly scope: NameScope;
  readonly group: RecordGroup;
  readonly mark: ZoneRecordSet;
  readonly recorded: readonly ZoneRecordSet[];
  readonly observed: readonly ZoneRecordSet[] | undefined;
  readonly takeOverFrom: readonly string[];
  /** Short names in the publication. */
  readonly shortNames: ReadonlySet<string>;
  /** Only the mark goes. */
  readonly isHandedBack: boolean;
}

export interface GroupFinding {
  readonly invariant: 'B1' | 'B2' | 'B3' | 'B4' | 'B5';
  readonly message: string;
}

export function auditGroup(input: GroupAuditInput): readonly GroupFinding[] {
  const standing = input.observed?.filter((set) => isKnown(input, set)) ?? input.recorded;
  const after = applyGroup(standing, {
    deletes: input.group.deletes,
    creates: input.group.creates,
  });
  const ours = input.group.deletes.flatMap((set) => doubtDelete(input, set));
  const creates = input.group.creates.flatMap((set) => doubtCreate(input, set));
  if (input.isHandedBack) return [...ours, ...doubtHandBack(input)];
  return [...ours, ...creates, ...doubtNames(after), ...doubtLeads(input, after)].concat(
    doubtMark(input, after),
  );
}

/** Of what was read: recorded, or created or deleted now. */
function isKnown(input: GroupAuditInput, set: ZoneRecordSet): boolean {
  const at = identityOf(set);
  return [input.recorded, input.group.deletes, input.group.creates].some((sets) =>
    sets.some((other) => identityOf(other) === at),
  );
}

function doubtDelete(input: GroupAuditInput, set: ZoneRecordSet): readonly GroupFinding[] {
  const at = identityOf(set);
  if (input.recorded.some((known) => identityOf(known) === at)) return [];
  const { observed = [], mark, takeOverFrom } = input;
  const claim = readClaim(observed, mark, takeOverFrom);
  if (isTakenOver(set, { claim, mark, observed, takeOverFrom })) return [];
  const isAdopted = claim.kind === 'adopted' && (isOurType(set.type) || isMark(set, input.mark));
  const isOurMark = claim.kind === 'ours' && isMark(set, input.mark);
  if (isAdopted || isOurMark) return [];
  return [{ invariant: 'B1', message: `${set.name} ${set.type} is not recorded as ours` }];
}

function doubtCreate(input: GroupAuditInput, set: ZoneRecordSet): readonly GroupFinding[] {
  const { name, type } = set;
  if (isMark(set, input.mark)) return [];
  const { scope, key } = input;
  const say = (message: string): readonly GroupFinding[] => [{ invariant: 'B2', message }];
  if (!name.endsWith(`.${scope.domain}`)) return say(`${name} is not below ${scope.domain}`);
  if (toWireName(name) === undefined) return say(`${name} is no name that DNS can carry`);
  if (!isOurType(type)) return say(`${name} ${type} is of a type that we never write`);
  const isShort = input.shortNames.has(name);
  if (isShort || isNameOf(name, toNamePrefix(key, scope.federation))) return [];
  return say(`${name} is no name of the Service ${key}`);
}

/** The Service's part of a name begins it, or follows labels of a port or a shard. */
function isNameOf(name: string, prefix: string): boolean {
  return name.startsWith(`${prefix}.`) || name.includes(`.${prefix}.`);
}

function doubtNames(after: readonly ZoneRecordSet[]): readonly GroupFinding[] {
  return [...groupByName(after)].flatMap(([name, sets]) => {
    const say = (message: string): GroupFinding => ({ invariant: 'B3', message });
    const found: GroupFinding[] = [];
    const types = new Set(sets.map(({ type }) => type));
    if (types.has('CNAME') && types.size > 1) found.push(say(`${name} has a CNAME beside others`));
    for (const type of types) {
      const same = sets.filter((set) => set.type === type);
      if (same.length > 1 && same.some(({ member }) => member === undefined)) {
        found.push(say(`${name} ${type} stands more than once`));
      }
    }
    for (const { type, values, alias, items } of sets) {
      const says = values.length > 0 || alias !== undefined || (items ?? []).length > 0;
      if (!says) found.push(say(`${name} ${type} has no value`));
      if (type === 'CNAME' && values.length > 1) found.push(say(`${name} has two CNAMEs`));
    }
    return found;
  });
}

function groupByName(
  sets: readonly ZoneRecordSet[],
): ReadonlyMap<string, readonly ZoneRecordSet[]> {
  const byName = new Map<string, ZoneRecordSet[]>();
  for (const set of sets) {
    const known = byName.get(set.name);
    if (known === undefined) byName.set(set.name, [set]);
    else known.push(set);
  }
  return byName;
}

function doubtLeads(
  input: GroupAuditInput,
  after: readonly ZoneRecordSet[],
): readonly GroupFinding[] {
  const prefix = toNamePrefix(input.key, input.scope.federation);
  // A name that somebody else keeps is theirs to lead somewhere.
  const stands = new Set([...after, ...(input.observed ?? [])].map(({ name }) => name));
  for (const { name } of input.group.deletes) {
    if (!after.some((set) => set.name === name)) stands.delete(name);
  }
  return after.flatMap((set) =>
    leadsOf(set)
      .filter((to) => to.endsWith(`.${input.scope.domain}`) && isNameOf(to, prefix))
      .filter((to) => !stands.has(to))
      .map((to) => ({
        invariant: 'B4' as const,
        message: `${set.name} would lead to ${to}, which is not there`,
      })),
  );
}

function leadsOf({ type, values, alias, items }: ZoneRecordSet): readonly string[] {
  if (alias !== undefined) return [alias.target];
  if (type === 'SRV') return values.map((value) => value.split(' ').at(-1) ?? '');
  return type === 'CNAME' ? [...values, ...(items ?? []).flatMap((item) => item.values)] : [];
}

function doubtMark(
  input: GroupAuditInput,
  after: readonly ZoneRecordSet[],
): readonly GroupFinding[] {
  const hasMark = after.some((set) => isMark(set, input.mark));
  const hasNames = after.some((set) => !isMark(set, input.mark));
  if (!hasNames || hasMark) return [];
  return [{ invariant: 'B5', message: `the names would stand without ${input.mark.name}` }];
}

function doubtHandBack(input: GroupAuditInput): readonly GroupFinding[] {
  const { deletes, creates } = input.group;
  const isOnlyMark = creates.length === 0 && deletes.every((set) => isMark(set, input.mark));
  if (isOnlyMark) return [];
  return [{ invariant: 'B1', message: 'a zone that is handed back loses nothing but its marks' }];
}
