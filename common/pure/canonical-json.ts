// JSON with sorted keys, so that equal values have equal bytes and one hash.

/** UTF-8 text of `value` with the keys of every object sorted and undefined members left out. */
export function toCanonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : member,
  );
}

/** Whether both have one canonical JSON: ends at the first difference, and makes no text. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => isSameJson(item, b[index]));
  }
  const members = definedMembers(a);
  const others = new Map(definedMembers(b));
  if (members.length !== others.size) return false;
  return members.every(
    ([name, member]) => others.has(name) && isSameJson(member, others.get(name)),
  );
}

function definedMembers(object: object): [string, unknown][] {
  return Object.entries(object).filter(([, member]) => member !== undefined);
}
