// Makes two servers' answers comparable: what cannot be equal (uids, revisions, times, allocated
// addresses) becomes a word in angle brackets, and what has no order is put into one.
//
// Input: an answer as it came. Output: values by place, such as `status` or `body.spec.type`.
// Next file to read: compare.ts.

import type { Answer, HttpAnswer } from './perform.ts';
import type { Step } from './step.ts';

export type JsonLike =
  | null
  | boolean
  | number
  | string
  | readonly JsonLike[]
  | { readonly [key: string]: JsonLike };

/** Each place of the answer with its value. */
export type Normal = Readonly<Record<string, JsonLike>>;

// What clients act upon. Date, Audit-Id, length and the rest are each server's own affair.
const headersThatMatter = [
  'content-type',
  'warning',
  'retry-after',
  'cache-control',
  'vary',
  'etag',
  'location',
  'www-authenticate',
  'allow',
];

export function normalise(step: Step, answer: Answer): Normal {
  switch (answer.kind) {
    case 'http':
      return {
        status: answer.status,
        ...normaliseHeaders(answer.headers),
        body: normaliseBody(step, answer),
      };
    case 'watch':
      return {
        status: answer.status,
        ...normaliseHeaders(answer.headers),
        events: answer.lines
          .map(parse)
          .filter(isShown)
          .map((event) => normaliseValue(event, '')),
      };
    case 'kubectl':
      return {
        exit: answer.code,
        stdout: normaliseOutput(step, answer.stdout),
        stderr: normaliseOutput(step, answer.stderr),
      };
  }
}

function normaliseHeaders(headers: Readonly<Record<string, string>>): Normal {
  const found = headersThatMatter.flatMap((name) => {
    const value = headers[name];
    if (value === undefined) return [];
    const shown =
      name === 'etag' ? '<etag>' : name === 'vary' ? sortWords(value) : normaliseText(value);
    return [[`header.${name}`, shown] as const];
  });
  return Object.fromEntries(found);
}

/** The names in a header, in one order, however many headers carried them. */
function sortWords(value: string): string {
  return value
    .split(/[\s,]+/)
    .sort()
    .join(', ');
}

function normaliseBody(step: Step, answer: HttpAnswer): JsonLike {
  const pick = step.kind === 'http' ? step.pick : undefined;
  const body = parse(answer.body);
  if (pick === undefined) return normaliseValue(body, '');
  try {
    return normaliseValue(JSON.parse(JSON.stringify(pick(body) ?? null)) as JsonLike, '');
  } catch (error) {
    return `cannot pick: ${String(error)}`;
  }
}

function normaliseOutput(step: Step, text: string): JsonLike {
  const pick = step.kind === 'kubectl' ? step.pick : undefined;
  const shown = withoutRepairs(text);
  const normal = normaliseText(shown).replace(/ {2,}/g, '  ').replace(/ +$/gm, '');
  return pick === undefined ? normal : pick(normal);
}

function parse(text: string): JsonLike {
  try {
    return JSON.parse(text) as JsonLike; // JSON.parse gives nothing else
  } catch {
    return text;
  }
}

/** Not the event by which a Service that only we hold begins to go, which has no counterpart. */
function isShown(event: JsonLike): boolean {
  const text = JSON.stringify(event);
  if (text.includes(repairer)) return false;
  const isHeldByUs = text.includes('"finalizers":["isthmus.dev/shards"]');
  return !(isHeldByUs && text.includes('"type":"MODIFIED"') && text.includes('deletionTimestamp'));
}

const revisionKeys = new Set(['resourceVersion', 'storageVersionHash', 'hash', 'continue']);
// Managed fields are ordered by the second of their writing, which two servers do not share; a
// plan test holds their order.
const unordered = new Set(['verbs', 'acceptedTypes', 'groups', 'managedFields']);

function normaliseValue(value: JsonLike, key: string): JsonLike {
  if (typeof value === 'string') {
    if (value !== '' && revisionKeys.has(key)) return `<${key}>`;
    return normaliseText(value);
  }
  if (typeof value === 'number') return normaliseNumber(value, key);
  if (isList(value)) {
    const list = value
      .filter((item) => item !== shardsFinalizer && !isOfRepair(item, key))
      .map((item) => normaliseValue(item, key));
    return unordered.has(key)
      ? [...list].sort((a, b) => compareText(JSON.stringify(a), JSON.stringify(b)))
      : list;
  }
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value)
    .filter(([name, member]) => !isOnlyOurs(name, member))
    .map(([name, member]) => [normaliseText(name), normaliseValue(member, name)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => compareText(a, b)));
}

// Decided: every Service has it (decided.ts), so it is set aside wherever it shows.
const shardsFinalizer = 'isthmus.dev/shards';

function isOnlyOurs(name: string, value: JsonLike): boolean {
  if (name === `v:"${shardsFinalizer}"`) return true;
  const text = JSON.stringify(value);
  return (
    (name === 'finalizers' && text === `["${shardsFinalizer}"]`) ||
    (name === 'f:finalizers' && /^\{("\.":\{\},)?"v:\\"isthmus\.dev\/shards\\"":\{\}\}$/.test(text))
  );
}

/**
 * An Event of the loop in which kube-apiserver compares addresses with Services, every three
 * minutes: it meets one of a Service that is being made.
 */
const repairer = 'ipallocator-repair-controller';

function isOfRepair(item: JsonLike, key: string): boolean {
  return (key === 'items' || key === 'rows') && JSON.stringify(item).includes(repairer);
}

/** The same in kubectl's words: lines of tables, of which an empty one says <none>. */
function withoutRepairs(text: string): string {
  if (!text.includes(repairer)) return text;
  const lines = text.split('\n').filter((line) => !line.includes(repairer));
  return lines
    .join('\n')
    .replace(/^Events:\n +Type +Reason .*\n +---- .*\n(?! )/m, 'Events:  <none>\n');
}

function isList(value: JsonLike): value is readonly JsonLike[] {
  return Array.isArray(value);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Ports that the servers chose; the cases ask for ports of the lower band, which they keep. */
function normaliseNumber(value: number, key: string): JsonLike {
  const isAllocated = value > 30_085 && value <= 32_767;
  return isAllocated && (key === 'nodePort' || key === 'healthCheckNodePort') ? '<port>' : value;
}

const replacements: readonly (readonly [RegExp, string])[] = [
  // The finalizer of Services in YAML, in JSON, and in JSON inside of a message.
  [/\n *finalizers:\n *- isthmus\.dev\/shards(?=\n)/g, ''],
  [/\s*\\*"finalizers\\*": ?\[\s*\\*"isthmus\.dev\/shards\\*"\s*\],/g, ''],
  [/,\\*"isthmus\.dev\/shards\\*"/g, ''],
  [
    /\\*"f:finalizers\\*":\{(\\*"\.\\*":\{\},)?\\*"v:\\*"isthmus\.dev\/shards\\*"\\*":\{\}\},?/g,
    '',
  ],
  [/,\\*"v:\\*"isthmus\.dev\/shards\\*"\\*":\{\}/g, ''],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+A-Z0-9]+/g, '<time>'],
  // The lower band of the range is for addresses that a case asks for.
  [/\b10\.96\.(?!0\.)\d+\.\d+\b/g, '<ip>'],
  [/https:\/\/(127\.0\.0\.1|localhost):\d+/g, '<server>'],
  [/\b(3008[6-9]|3009\d|30[1-9]\d\d|31\d{3}|32[0-6]\d\d|327[0-5]\d|3276[0-7])\b/g, '<port>'],
  [/(resourceVersion\\*"?[:=] ?\\*"?)\d+/g, '$1<resourceVersion>'],
  [/(ResourceVersion in (?:the )?(?:precondition|record) \()\d+/g, '$1<resourceVersion>'],
  [/(resource version: )\d+( \(\d+\))?(, current: \d+)?/g, '$1<resourceVersion>'],
  [/\b(\d+[hms]){1,2}\b/g, '<age>'],
  [/\?hash=[0-9A-F]+/gi, '?hash=<hash>'],
  [/(generateName|name|gen)-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1-<random>'],
  // Where the Go program was built from.
  [/in scheme \\?"[^"]*\\?"/g, 'in scheme <scheme>'],
  [/A_[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, 'A_<random>'],
  [/\/tmp\/kubectl[-.\w]*-edit-\d+\.yaml/g, '<file>'],
  [/isthmus-kubectl-\w+/g, '<folder>'],
];

function normaliseText(text: string): string {
  return replacements.reduce((normal, [pattern, word]) => normal.replace(pattern, word), text);
}
