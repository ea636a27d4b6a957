// A large object as JSON text, and as the object that will be folded, in steps of a millisecond or so: V8 writes and
// reads half a megabyte in one go of 5 to 12 ms on a slow machine (I11). Each comes to what it is at one go. Pure.

import { setMember } from '../../common/pure/set-member.ts';
import { Pace, type Steps } from '../../common/pure/steps.ts';

/** In characters and values; to write or to read it at one go takes a millisecond or so. */
export const largeWeight = 32 << 10;
const valueWeight = 8;
/** What one step does, of which each is a look at a value or more. */
const stepWeight = 8 << 10;

type Members = Readonly<Record<string, unknown>>;

/** Whether it is worth steps. Looks at so much of it at most. */
export function isLarge(value: unknown): boolean {
  return weigh(value, largeWeight) >= largeWeight;
}

/** As far as `max`. */
function weigh(value: unknown, max: number): number {
  if (typeof value === 'string') return valueWeight + value.length;
  if (!isParent(value)) return valueWeight;
  let weight = valueWeight;
  for (const name in value) {
    // no copy of the names: most objects are small, and all are weighed
    weight += name.length + weigh((value as Members)[name], max - weight);
    if (weight >= max) return weight;
  }
  return weight;
}

/** As JSON.stringify of what is plain JSON but for members that are undefined. */
export function* textInSteps(value: unknown): Steps<string> {
  const parts: string[] = [];
  yield* write(value, parts, new Pace(stepWeight));
  return parts.join('');
}

function* write(value: unknown, parts: string[], pace: Pace): Steps<void> {
  const weight = weigh(value, stepWeight);
  if (!isParent(value) || weight < stepWeight) {
    parts.push(JSON.stringify(value));
    if (pace.isOver(weight)) yield;
    return;
  }
  // To begin with a large object's members V8 lists them all, in each object that it is a part of.
  if (pace.isOver(weight)) yield;
  const isList = Array.isArray(value);
  let before = isList ? '[' : '{';
  for (const name of Object.keys(value)) {
    const member = (value as Members)[name];
    if (member === undefined && !isList) continue;
    parts.push(isList ? before : `${before}${JSON.stringify(name)}:`);
    before = ',';
    yield* write(member ?? null, parts, pace);
  }
  if (before !== ',') parts.push(before);
  parts.push(isList ? ']' : '}');
}

/**
 * What JSON.parse makes of its text, frozen, with the equal parts of `previous`, which is frozen, in the place of its
 * own; `previous` itself where all is equal. Equal is equal in the text: the order of members counts.
 */
export function* foldedInSteps<T>(value: T, previous: unknown): Steps<T> {
  return (yield* fold(value, previous, new Pace(stepWeight))) as T;
}

function* fold(value: unknown, previous: unknown, pace: Pace): Steps<unknown> {
  if (!isParent(value)) return value;
  return Array.isArray(value)
    ? yield* foldItems(value, Array.isArray(previous) ? previous : undefined, pace)
    : yield* foldMembers(value as Members, isMembers(previous) ? previous : undefined, pace);
}

function* foldItems(
  value: readonly unknown[],
  previous: readonly unknown[] | undefined,
  pace: Pace,
): Steps<readonly unknown[]> {
  const items: unknown[] = [];
  let isSame = value.length === previous?.length;
  for (const [index, item] of value.entries()) {
    const before = previous?.[index];
    const folded = isParent(item) ? yield* fold(item, before, pace) : (item ?? null);
    items.push(folded);
    if (folded !== before) isSame = false;
    if (pace.isOver(valueWeight)) yield;
  }
  return previous !== undefined && isSame ? previous : Object.freeze(items);
}

function* foldMembers(value: Members, previous: Members | undefined, pace: Pace): Steps<Members> {
  const members: Record<string, unknown> = {};
  const names = previous && Object.keys(previous);
  let count = 0;
  let isSame = true;
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member === undefined) continue;
    const before = previous && Object.hasOwn(previous, name) ? previous[name] : undefined;
    const folded = isParent(member) ? yield* fold(member, before, pace) : member;
    setMember(members, name, folded);
    if (folded !== before || names?.[count] !== name) isSame = false;
    count += 1;
    if (pace.isOver(valueWeight + name.length)) yield;
  }
  return previous !== undefined && isSame && count === names?.length
    ? previous
    : Object.freeze(members);
}

function isParent(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isMembers(value: unknown): value is Members {
  return isParent(value) && !Array.isArray(value);
}
