// What becomes of records that others kept, when they are taken over. Input: what stands in a zone
// at names of the federation's form, with marks, and the record sets that we would have there.
// Output: one line a record, sorted by what happens, its owner and name. Nothing is done by it: the
// coordinator decides each Service anew from what stands then.

import {
  formerOwnerOf,
  readExternalDnsOwner,
  toExternalDnsMarkNames,
} from './dns-former-owners.ts';

export interface StandingRecord {
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  readonly data: readonly string[];
}

export interface WantedRecord extends StandingRecord {
  /** `namespace/name`. */
  readonly service: string;
}

/**
 * keep: it says already what we would say. change: it says something else afterwards. remove: the
 * name is ours and says it by other types, or it is the former owner's mark. leave: not touched.
 */
export type ImportAction = 'keep' | 'change' | 'remove' | 'leave';

export interface ImportLine {
  readonly action: ImportAction;
  /** As spec.takeOverFrom has it; empty for what nobody can take over. */
  readonly owner: string;
  readonly name: string;
  readonly type: string;
  readonly data: string;
  readonly becomes?: string;
  readonly why: string;
  /** external-dns keeps it, as marks say that stand elsewhere than those of its default settings. */
  readonly isMarkedOtherwise?: true;
}

const actions: readonly ImportAction[] = ['change', 'remove', 'keep', 'leave'];

export function planImport(input: {
  readonly standing: readonly StandingRecord[];
  readonly wanted: readonly WantedRecord[];
  /** Ours, as our own marks have it. */
  readonly ownerId: string;
}): readonly ImportLine[] {
  const at = groupBy(input.standing);
  const wantedAt = groupBy(input.wanted);
  const otherwise = readOtherMarks(input.standing, wantedAt);
  const marked = new Map(
    input.standing.flatMap(({ name, type, data }) => {
      const mark = type === 'TXT' ? readMark(data[0] ?? '') : undefined;
      return name.startsWith('_fedowner.') && mark !== undefined
        ? [[prefixOf(name.slice('_fedowner.'.length)), mark] as const]
        : [];
    }),
  );
  const lines = input.standing.flatMap((record) => {
    if (record.name.startsWith('_fedowner.')) return [];
    const mark = marked.get(prefixOf(record.name));
    const isWanted = wantedAt.get(record.name)?.some(({ type }) => type === record.type) === true;
    if (mark === input.ownerId && isWanted) return []; // ours already
    return [toLine(record, { at, wantedAt, mark, otherwise, ownerId: input.ownerId })];
  });
  return lines.sort(
    (a, b) =>
      actions.indexOf(a.action) - actions.indexOf(b.action) ||
      compare(a.owner, b.owner) ||
      compare(a.name, b.name) ||
      compare(a.type, b.type),
  );
}

interface Around {
  readonly at: ReadonlyMap<string, readonly StandingRecord[]>;
  readonly wantedAt: ReadonlyMap<string, readonly WantedRecord[]>;
  /** Owner id in the mark of the record's Service, of an Isthmus. */
  readonly mark: string | undefined;
  readonly otherwise: OtherMarks;
  readonly ownerId: string;
}

function toLine(record: StandingRecord, around: Around): ImportLine {
  const { at, wantedAt, mark } = around;
  const names = toExternalDnsMarkNames(record.name);
  const near = names.flatMap((name) => at.get(name) ?? []).map(toOwned);
  const line = {
    owner: formerOwnerOf(toOwned(record), near) ?? '',
    name: record.name,
    type: record.type,
    data: record.data.join(' '),
  };
  const leave = (owner: string, why: string): ImportLine => ({
    ...line,
    action: 'leave',
    owner,
    why,
  });
  if (line.owner === '') return leave('', `${record.type} records are never ours`);
  if (readExternalDnsOwner(toOwned(record)) !== undefined) return toMarkLine(record, line, around);
  const wanted = wantedAt.get(record.name) ?? [];
  const [first] = wanted;
  if (first === undefined) return leave(line.owner, 'no Service publishes this name here');
  const isUnmarked = line.owner === 'federation-v1';
  if (isUnmarked && mark === around.ownerId) return leave('', 'somebody put it beside ours');
  if (isUnmarked && mark !== undefined) return leave('', `the mark beside it names ${mark}`);
  const same = wanted.find(({ type }) => type === record.type);
  const other = isUnmarked ? around.otherwise.ofRecord.get(record.name) : undefined;
  const of = `of Service ${first.service}${other === undefined ? '' : `, and external-dns', by ${other}`}`;
  const found = other === undefined ? line : { ...line, isMarkedOtherwise: true as const };
  if (same === undefined) {
    const becomes = wanted.map(({ type, data }) => `${type} ${data.join(' ')}`).join(', ');
    return { ...found, action: 'remove', becomes, why: `${of}, by another type` };
  }
  const becomes = same.data.join(' ');
  const isSame = sorted(same.data) === sorted(record.data);
  if (isSame && same.ttlSeconds === record.ttlSeconds) return { ...found, action: 'keep', why: of };
  const ttl = `TTL ${record.ttlSeconds} -> ${same.ttlSeconds}`;
  if (isSame) return { ...found, action: 'change', why: `${of}, ${ttl}` };
  return { ...found, action: 'change', becomes, why: of };
}

/** A mark goes with the record that it speaks of. */
function toMarkLine(
  record: StandingRecord,
  line: Omit<ImportLine, 'action' | 'why'>,
  { wantedAt, otherwise }: Pick<Around, 'wantedAt' | 'otherwise'>,
): ImportLine {
  const isOfOurs = [...prefixes, ''].some(
    (prefix) => record.name.startsWith(prefix) && wantedAt.has(record.name.slice(prefix.length)),
  );
  if (isOfOurs) return { ...line, action: 'remove', why: "external-dns' own mark of the name" };
  const name = otherwise.ofMark.get(record.name);
  const why =
    name === undefined
      ? 'no Service publishes the name that it marks'
      : `external-dns' mark of ${name}, by a prefix or suffix of its own: remove it by hand`;
  return { ...line, action: 'leave', why };
}

interface OtherMarks {
  /** Name of a record -> name of its mark. */
  readonly ofRecord: ReadonlyMap<string, string>;
  /** Name of a mark -> name of the record. */
  readonly ofMark: ReadonlyMap<string, string>;
}

/**
 * Marks of external-dns with a `--txt-prefix` or `--txt-suffix`. Which these are nobody tells us: a
 * mark is taken for that of the wanted name whose first label it holds, and whose others it shares.
 */
function readOtherMarks(
  standing: readonly StandingRecord[],
  wantedAt: Around['wantedAt'],
): OtherMarks {
  const heads = new Map<string, string[]>(); // all labels but the first -> first labels
  for (const name of wantedAt.keys()) {
    const [head, tail] = splitName(name);
    heads.set(tail, [...(heads.get(tail) ?? []), head]);
  }
  const ofRecord = new Map<string, string>();
  const ofMark = new Map<string, string>();
  for (const record of standing) {
    if (readExternalDnsOwner(toOwned(record)) === undefined) continue;
    const name = findMarked(record.name, heads);
    if (name === undefined || toExternalDnsMarkNames(name).includes(record.name)) continue;
    ofMark.set(record.name, name);
    ofRecord.set(name, record.name);
  }
  return { ofRecord, ofMark };
}

/** The longest that fits: `a-my-shop` marks `my-shop`, and not `shop`. */
function findMarked(
  mark: string,
  heads: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  for (let [, tail] = splitName(mark); tail !== ''; [, tail] = splitName(tail)) {
    const own = mark.slice(0, -tail.length - 1);
    const fitting = (heads.get(tail) ?? []).filter((head) =>
      new RegExp(`(^|[^a-z0-9])${head}($|[^a-z0-9])`).test(own),
    );
    const [best] = fitting.sort((a, b) => b.length - a.length);
    if (best !== undefined) return `${best}.${tail}`;
  }
  return undefined;
}

function splitName(name: string): readonly [string, string] {
  const at = name.indexOf('.');
  return at < 0 ? [name, ''] : [name.slice(0, at), name.slice(at + 1)];
}

const prefixes = ['a-', 'aaaa-', 'cname-', 'srv-'];

function toOwned({ name, type, data }: StandingRecord) {
  return { name, type, values: data };
}

function readMark(text: string): string | undefined {
  return /^v=1 fed=\S+ id=(\S+)$/.exec(text)?.[1];
}

/** `<service>.<namespace>.<federation>.svc`, of a name of the federation's form. */
function prefixOf(name: string): string {
  return name.split('.').slice(0, 4).join('.');
}

function groupBy<T extends StandingRecord>(
  records: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const record of records) {
    const group = groups.get(record.name);
    if (group === undefined) groups.set(record.name, [record]);
    else group.push(record);
  }
  return groups;
}

function sorted(data: readonly string[]): string {
  return [...data].sort().join('\n');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
