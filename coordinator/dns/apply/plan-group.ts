// Decides how the names of one Service in one zone become what the publication says. Input: the
// wanted sets with their mark, what is recorded as ours, and, when it was read, what stands there.
// Output: one change of exact deletes and creates, nothing, or why not.
//
//   G1. Without a reading, recorded is believed: the provider's compare-and-set finds where it is
//       wrong, and then the names are read and decided again.
//   G2. Somebody else's set is never deleted. Ours is what is recorded by name, type and member,
//       also when its values were edited; what equals a wanted set under our mark; and everything
//       of our types under a mark that a person told us to take over; and what external-dns or
//       Federation v1 kept there, when a person named them.
//   G3. Where something foreign stands in the way of a first claim, nothing is written. Later, the
//       sets that it blocks are left out, and the rest goes on: dead addresses go whatever stands
//       beside them. What led to one that is left out leads to where that one would have led.
//   G4. All deletes and creates of a name are in one change, so that a type swap is one.
//
// Next: audit.ts doubts the result.

import type { ServiceKey } from '../../../common/model/ids.ts';
import { assertNever } from '../../../common/pure/errors.ts';
import type { RecordGroup, ZoneRecordSet } from '../provider/provider.ts';
import {
  formerMarkNames,
  isMark,
  isOurType,
  isSameSet,
  isTakenOver,
  readClaim,
  type Claim,
} from './ownership.ts';
import { byIdentity, identityOf, targetsOf, textOf } from './zone-records.ts';

export interface GroupInput {
  readonly key: ServiceKey;
  /** Without the mark. Empty: the names and the mark go. */
  readonly wanted: readonly ZoneRecordSet[];
  readonly mark: ZoneRecordSet;
  /** What we know to stand there as ours, the mark included. */
  readonly recorded: readonly ZoneRecordSet[];
  /** Everything that stands at the names of `namesOf`. undefined: not read. */
  readonly observed: readonly ZoneRecordSet[] | undefined;
  readonly takeOverFrom: readonly string[];
  /** The zone is handed back: records stay, only the mark goes. */
  readonly isHandedBack: boolean;
}

/** 0: something that is answered now goes. 1: something comes or changes. 2: the rest goes. */
export type Priority = 0 | 1 | 2;

export interface Obstacle {
  readonly reason: 'NameConflict' | 'NotOwner';
  readonly message: string;
  readonly names: readonly string[];
}

export type GroupPlan =
  /** It stands as wanted, as far as it can. `after` is what to record, if that is different. */
  | {
      readonly kind: 'settled';
      readonly after: readonly ZoneRecordSet[];
      readonly obstacle: Obstacle | undefined;
    }
  | {
      readonly kind: 'change';
      readonly group: RecordGroup;
      readonly after: readonly ZoneRecordSet[];
      readonly priority: Priority;
      /** What could not be included (G3). */
      readonly obstacle: Obstacle | undefined;
    };

export function planGroup(input: GroupInput): GroupPlan {
  const wanted = input.wanted.length === 0 ? [] : [...input.wanted, input.mark];
  if (input.isHandedBack) return planHandBack(input);
  if (input.observed === undefined) return toPlan(input, input.recorded, wanted, undefined);
  const claim = readClaim(input.observed, input.mark, input.takeOverFrom);
  // Somebody took the names over, and we want them no more: they are not ours to delete.
  if (claim.kind === 'other' && wanted.length === 0) {
    return { kind: 'settled', after: [], obstacle: undefined };
  }
  const refusal = wanted.length === 0 ? undefined : refuse(input, claim);
  if (refusal !== undefined) {
    return { kind: 'settled', after: input.recorded, obstacle: refusal };
  }
  const [ours, foreign] = divide(input, claim, wanted);
  const blocked = wanted.filter((set) => foreign.some((other) => isInTheWay(other, set)));
  if (blocked.length === 0) return toPlan(input, ours, wanted, undefined);
  const obstacle = toObstacle(foreign.filter((other) => wanted.some((s) => isInTheWay(other, s))));
  if (ours.length === 0) return { kind: 'settled', after: [], obstacle };
  return toPlan(input, ours, leadPast(blocked, wanted), obstacle);
}

/** Every name at which the group has, had or wants something: what to read of it. */
export function namesOf(
  input: Pick<GroupInput, 'wanted' | 'mark' | 'recorded' | 'takeOverFrom'>,
): readonly string[] {
  const names = [...input.wanted, ...input.recorded].map(({ name }) => name);
  const former = formerMarkNames(names, input.takeOverFrom);
  return [...new Set([...names, ...former, input.mark.name])].sort();
}

/** Sets after the change, sorted. */
export function applyGroup(
  before: readonly ZoneRecordSet[],
  group: Pick<RecordGroup, 'deletes' | 'creates'>,
): readonly ZoneRecordSet[] {
  const gone = new Set([...group.deletes, ...group.creates].map(identityOf));
  return [...before.filter((set) => !gone.has(identityOf(set))), ...group.creates].sort(byIdentity);
}

function planHandBack(input: GroupInput): GroupPlan {
  const standing = input.observed ?? input.recorded;
  const marks = standing.filter((set) => isSameSet(set, input.mark));
  const recordedMark = input.recorded.filter((set) => isMark(set, input.mark));
  const deletes = input.observed === undefined ? recordedMark : marks;
  if (deletes.length === 0) return { kind: 'settled', after: [], obstacle: undefined };
  const group = { id: input.key, deletes, creates: [] };
  return { kind: 'change', group, after: [], priority: 2, obstacle: undefined };
}

function refuse(input: GroupInput, claim: Claim): Obstacle | undefined {
  const { name } = input.mark;
  switch (claim.kind) {
    case 'other':
      return {
        reason: 'NotOwner',
        names: [name],
        message:
          `The owner mark ${name} names ${claim.owner.id} of federation ` +
          `${claim.owner.federation}. Nothing is written. If that writer is gone, add its id to ` +
          'spec.takeOverFrom of the DNSZone.',
      };
    case 'foreign':
      return {
        reason: 'NameConflict',
        names: [name],
        message:
          `${name} ${claim.text} stands where our owner mark belongs and is not ours. ` +
          'Nothing is written. Remove it, or name the Service differently.',
      };
    case 'free':
    case 'ours':
    case 'adopted':
      return undefined;
    default:
      return assertNever(claim);
  }
}

/** G2: what stands there that is ours, and the rest. */
function divide(
  input: GroupInput,
  claim: Claim,
  wanted: readonly ZoneRecordSet[],
): readonly [readonly ZoneRecordSet[], readonly ZoneRecordSet[]] {
  const { observed = [], mark, takeOverFrom } = input;
  const recorded = new Set(input.recorded.map(identityOf));
  const texts = new Set(claim.kind === 'ours' ? wanted.map(textOf) : []);
  const isOurs = (set: ZoneRecordSet): boolean => {
    if (set.foreign !== undefined) return false;
    if (isMark(set, input.mark)) return claim.kind === 'ours' || claim.kind === 'adopted';
    if (claim.kind === 'adopted' && isOurType(set.type)) return true;
    if (isTakenOver(set, { claim, mark, observed, takeOverFrom })) return true;
    return recorded.has(identityOf(set)) || texts.has(textOf(set));
  };
  return [observed.filter(isOurs), observed.filter((set) => !isOurs(set))];
}

/** Both cannot stand: one set twice, a CNAME beside anything, or a plain set beside members. */
function isInTheWay(other: ZoneRecordSet, set: ZoneRecordSet): boolean {
  if (other.name !== set.name) return false;
  if (other.type !== set.type) return other.type === 'CNAME' || set.type === 'CNAME';
  if (other.member === undefined || set.member === undefined) return true;
  return other.member.id === set.member.id || other.foreign !== undefined;
}

/** What is wanted without what is blocked; no CNAME leads to a name that is left out (I5). */
function leadPast(
  blocked: readonly ZoneRecordSet[],
  wanted: readonly ZoneRecordSet[],
): readonly ZoneRecordSet[] {
  const kept = wanted.filter((set) => !blocked.includes(set));
  const names = new Set(kept.map(({ name }) => name));
  const past = new Map(blocked.flatMap((set) => (isLink(set) ? [[set.name, set.values]] : [])));
  return kept.map((set) => {
    let { values } = set;
    for (let step = 0; isLink(set) && step < past.size; step += 1) {
      const [target = ''] = values;
      const next = names.has(target) ? undefined : past.get(target);
      if (next === undefined) break;
      values = next;
    }
    return values === set.values ? set : { ...set, values };
  });
}

function isLink({ type, values, member }: ZoneRecordSet): boolean {
  return type === 'CNAME' && values.length === 1 && member === undefined;
}

const namesShown = 4;

function toObstacle(foreign: readonly ZoneRecordSet[]): Obstacle {
  const names = [...new Set(foreign.map(({ name }) => name))].sort();
  const shown = foreign
    .slice(0, namesShown)
    .map((set) => `${set.name} ${set.type} ${targetsOf(set).join(' ')}`.trimEnd());
  const more = foreign.length - shown.length;
  return {
    reason: 'NameConflict',
    names,
    message:
      `Records that are not ours stand in the way and are left alone: ${shown.join('; ')}` +
      `${more > 0 ? ` and ${more} more` : ''}. Remove them, take them over ` +
      '(kubectl isthmus dns import), or name the Service differently.',
  };
}

function toPlan(
  input: GroupInput,
  standing: readonly ZoneRecordSet[],
  wanted: readonly ZoneRecordSet[],
  obstacle: Obstacle | undefined,
): GroupPlan {
  const [have, want] = [new Set(standing.map(textOf)), new Set(wanted.map(textOf))];
  const deletes = standing.filter((set) => !want.has(textOf(set)));
  const creates = wanted.filter((set) => !have.has(textOf(set)));
  const after = [...wanted].sort(byIdentity);
  if (deletes.length === 0 && creates.length === 0) return { kind: 'settled', after, obstacle };
  const group = { id: input.key, deletes: leavesFirst(deletes), creates: rootsFirst(creates) };
  return { kind: 'change', group, after, priority: toPriority(group, wanted.length), obstacle };
}

// Deeper names lead to shorter ones. Providers take a change as a whole; who reads a log of it, or
// a double that does not, sees no name that leads nowhere in between.
function leavesFirst(sets: readonly ZoneRecordSet[]): readonly ZoneRecordSet[] {
  return [...sets].sort((a, b) => depthOf(b) - depthOf(a) || byIdentity(a, b));
}

function rootsFirst(sets: readonly ZoneRecordSet[]): readonly ZoneRecordSet[] {
  return [...sets].sort((a, b) => depthOf(a) - depthOf(b) || byIdentity(a, b));
}

function depthOf({ name }: ZoneRecordSet): number {
  return name.split('.').length;
}

function toPriority(group: RecordGroup, wanted: number): Priority {
  if (wanted === 0) return 2;
  const lead = new Map(group.creates.map((set) => [identityOf(set), new Set(targetsOf(set))]));
  const loses = group.deletes.some((set) => {
    if (!isOurType(set.type)) return false;
    const next = lead.get(identityOf(set));
    return targetsOf(set).some((target) => next?.has(target) !== true);
  });
  return loses ? 0 : 1;
}
