// Who kept a record before us, as far as its zone tells: external-dns says so in TXT records,
// Federation v1 said nothing at all and is known by the form of its names. Input: record sets as
// they stand. Output: the id by which a person lets us take them over (DNSZone spec.takeOverFrom).
//
//   X1. A record without a word of its owner has none that we know: it is Federation v1's only at
//       the names of a Service of this federation, and only where no mark of anybody stands.

/** Of the form of a provider's record set. */
export interface OwnedRecord {
  readonly name: string;
  readonly type: string;
  readonly values: readonly string[];
}

/** In spec.takeOverFrom: names of our form that carry no mark, as Federation v1 left them. */
export const federationV1 = 'federation-v1';

/** In spec.takeOverFrom: records that external-dns with this `--txt-owner-id` wrote. */
export function toExternalDnsId(owner: string): string {
  return `external-dns/${owner}`;
}

const addressTypes: ReadonlySet<string> = new Set(['A', 'AAAA', 'CNAME', 'SRV']);

/** The owner in external-dns' TXT (`heritage=external-dns,external-dns/owner=...`), or undefined. */
export function readExternalDnsOwner(set: OwnedRecord): string | undefined {
  const [text] = set.values;
  if (set.type !== 'TXT' || set.values.length !== 1 || text === undefined) return undefined;
  // Some of its providers wrote the quotes into the text as well.
  const fields = text.replace(/^"|"$/g, '').split(',');
  if (fields[0] !== 'heritage=external-dns') return undefined;
  const owner = fields.find((field) => field.startsWith('external-dns/owner='));
  return owner?.slice('external-dns/owner='.length) || undefined;
}

// Since 0.12 it marks each type by a prefix of the first label; before, at the name itself.
const prefixes = ['a-', 'aaaa-', 'cname-', 'srv-'];

/** Where external-dns keeps its marks of a name. */
export function toExternalDnsMarkNames(name: string): readonly string[] {
  const [label = ''] = name.split('.');
  const fits = prefixes.filter((prefix) => prefix.length + label.length <= 63);
  return [name, ...fits.map((prefix) => `${prefix}${name}`)];
}

/** The name that a mark of external-dns speaks of, if it is one of those with a prefix. */
export function ofExternalDnsMark(name: string): string {
  const prefix = prefixes.find((each) => name.startsWith(each));
  return prefix === undefined ? name : name.slice(prefix.length);
}

/**
 * Id of the former owner of one of our types, or of a mark of external-dns; undefined for what
 * nobody may take over. `standing`: everything at the set's name and its marks' names.
 */
export function formerOwnerOf(
  set: OwnedRecord,
  standing: readonly OwnedRecord[],
): string | undefined {
  const marked = readExternalDnsOwner(set);
  if (marked !== undefined) return toExternalDnsId(marked);
  if (!addressTypes.has(set.type)) return undefined;
  const own = `${set.type.toLowerCase()}-${set.name}`;
  const owners = new Map(
    standing.flatMap((mark) => {
      const owner = readExternalDnsOwner(mark);
      return owner === undefined ? [] : [[mark.name, owner] as const];
    }),
  );
  // The mark of its own type counts more: a name may have several owners' types.
  const byAny = toExternalDnsMarkNames(set.name).find((name) => owners.has(name));
  const owner = owners.get(own) ?? owners.get(byAny ?? '');
  return owner === undefined ? federationV1 : toExternalDnsId(owner);
}
