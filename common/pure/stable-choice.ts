// Choice by rendezvous hash: which values of many are taken depends on each value alone, so that
// one that comes or goes moves no other.

/** At most `countMax` of `values`, sorted. */
export function chooseStable(
  salt: string,
  values: readonly string[],
  countMax: number,
): readonly string[] {
  if (values.length <= countMax) return values;
  return ranked(salt, values).slice(0, countMax).sort();
}

/** The value that ranks first, or undefined of none. */
export function rankFirst(salt: string, values: readonly string[]): string | undefined {
  return ranked(salt, values)[0];
}

function ranked(salt: string, values: readonly string[]): readonly string[] {
  return values
    .map((value) => ({ value, rank: fnv1a(`${salt} ${value}`) }))
    .sort((a, b) => a.rank - b.rank || (a.value < b.value ? -1 : 1))
    .map(({ value }) => value);
}

/** FNV-1a, 32 bit, with a final mix, since its low differences alone rank badly. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 12;
  return hash >>> 0;
}
