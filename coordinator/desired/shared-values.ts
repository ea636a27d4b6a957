// What two versions of an object have in common is kept once. Pure.

/**
 * Puts the equal parts of `previous` in the place of those of `current`, which nobody else has yet,
 * and returns `previous` where all is equal. Equal is equal in its JSON text, so the order of
 * members counts. Costs a look at each value.
 */
export function shareEqual<T>(current: T, previous: unknown): T {
  if (!isParent(current) || !isParent(previous)) return current;
  const isSame = Array.isArray(current)
    ? Array.isArray(previous) && shareItems(current, previous)
    : !Array.isArray(previous) && shareMembers(current, previous);
  return isSame ? (previous as T) : current; // equal, so of the same type
}

type Parent = Record<string, unknown> | unknown[];

function isParent(value: unknown): value is Parent {
  return typeof value === 'object' && value !== null;
}

/** Whether all are the same now. */
function shareItems(current: unknown[], previous: readonly unknown[]): boolean {
  let isSame = current.length === previous.length;
  for (let at = 0; at < current.length && at < previous.length; at += 1) {
    if (!shareAt(current, at, previous[at])) isSame = false;
  }
  return isSame;
}

/** Whether all are the same now, in the same order. */
function shareMembers(
  current: Record<string, unknown>,
  previous: Readonly<Record<string, unknown>>,
): boolean {
  const names = Object.keys(current);
  const before = Object.keys(previous);
  let isSame = names.length === before.length;
  names.forEach((name, index) => {
    if (name !== before[index]) isSame = false;
    if (!Object.hasOwn(previous, name) || !shareAt(current, name, previous[name])) isSame = false;
  });
  return isSame;
}

function shareAt(parent: Parent, at: string | number, before: unknown): boolean {
  const members = parent as Record<string | number, unknown>; // `at` is one of its own
  const value = members[at];
  const shared = shareEqual(value, before);
  if (shared !== value) members[at] = shared;
  return shared === before;
}
