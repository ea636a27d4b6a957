// Which form an answer takes, from the Accept header. Pure.
//
// JSON and YAML are written; protobuf never is (clients that prefer it always list JSON too).
// Table and PartialObjectMetadata are forms of JSON and YAML, asked for by `as=`.

import { notAcceptable, toApiError } from '../answer/status-error.ts';

export type MetaVersion = 'v1' | 'v1beta1';

export interface AnswerForm {
  readonly format: 'json' | 'yaml';
  readonly as: 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
  readonly metaVersion: MetaVersion;
}

export const plainJson: AnswerForm = { format: 'json', as: 'object', metaVersion: 'v1' };

export interface Clause {
  /** Such as `application/json`; compared as it is, as kube-apiserver does. */
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
}

interface Ranked extends Clause {
  readonly quality: number;
}

/** The clauses of an Accept header, best first; a header that is absent is "anything". */
export function parseAccept(header: string | undefined): readonly Clause[] {
  if (header === undefined || header === '') return [{ type: '*/*', params: {} }];
  return rank(header.split(',').flatMap((text) => parseClause(text) ?? []));
}

/** Undefined for what is no media range; kube-apiserver's parser passes over it. */
function parseClause(text: string): Ranked | undefined {
  const [range = '', ...rest] = text.split(';');
  const [type = '', subtype = type.trim() === '*' ? '*' : '', ...more] = range.split('/');
  if (subtype === '' || more.length > 0) return undefined;
  const params: Record<string, string> = {};
  let quality = 1;
  for (const part of rest) {
    const [name = '', value = '', ...others] = part.split('=');
    if (value === '' || others.length > 0) continue;
    if (name.trim() === 'q') quality = Number.isFinite(Number(value)) ? Number(value) : 0;
    else params[name.trim()] = value.trim();
  }
  return { type: `${type.trim()}/${subtype.trim()}`, params, quality };
}

/**
 * By quality, and what is named before what is not: `*\/*, application/yaml;q=0.5` is YAML. That
 * order contradicts itself, so that the way of sorting is part of it: by insertion, as Go does.
 * Quality 0 comes last and counts all the same (github.com/munnerz/goautoneg).
 */
function rank(clauses: readonly Ranked[]): readonly Ranked[] {
  const ranked: Ranked[] = [];
  for (const clause of clauses.slice(0, clausesMax)) {
    let at = ranked.length;
    for (let before = ranked[at - 1]; before !== undefined; before = ranked[at - 1]) {
      if (!isBetter(clause, before)) break;
      at -= 1;
    }
    ranked.splice(at, 0, clause);
  }
  return ranked;
}

function isBetter(a: Ranked, b: Ranked): boolean {
  if (a.quality > b.quality) return true;
  if (!a.type.startsWith('*/') && b.type.startsWith('*/')) return true;
  return !a.type.endsWith('/*') && b.type.endsWith('/*');
}

// Go sorts no more than this by insertion; a header that names more is nobody's client.
const clausesMax = 12;

const acceptedText = 'application/json, application/yaml';
const protobufType = 'application/vnd.kubernetes.protobuf';
// What kube-apiserver's router lets through; protobuf is then not found to be written.
const routedTypes: ReadonlySet<string> = new Set([
  '*/*',
  'application/json',
  'application/yaml',
  protobufType,
]);

// A header names a few types; more is nobody's client.
const acceptBytesMax = 4096;

/**
 * Throws 406 when nothing that the client accepts can be written. A question that is answered and
 * never stored has no Table, as in kube-apiserver.
 */
export function negotiate(header: string | undefined, hasTable = true): AnswerForm {
  if (header === undefined || header === '*/*' || header === 'application/json') return plainJson;
  if (header.length > acceptBytesMax) throw notAcceptable('the Accept header is too long');
  if (header !== '' && !header.split(',').some(isRouted)) {
    const message = `406: Not Acceptable\n\nAvailable representations: ${acceptedText}`;
    throw toApiError({ code: 406, reason: 'NotAcceptable', message, details: {} });
  }
  for (const clause of parseAccept(header)) {
    const form = toForm(clause);
    if (form !== undefined && (hasTable || form.as !== 'Table')) return form;
  }
  throw notAcceptable(`only the following media types are accepted: ${acceptedText}`);
}

/** How errors are written: in what the client takes, else as indented JSON (writers.go). */
export function negotiateError(header: string | undefined): 'json' | 'yaml' | 'indented' {
  if (header === undefined || header.length > acceptBytesMax) return 'json';
  for (const { type, params } of parseAccept(header)) {
    const { as, g, v, sv, stream = 'watch' } = params;
    const isPlain = as === undefined && g === undefined && v === undefined && sv === undefined;
    // Protobuf would be taken, and is what we do not write: JSON stands for it.
    if (isPlain && stream === 'watch' && type === protobufType) return 'json';
    const format = type === 'application/*' ? 'json' : toFormat(type);
    if (isPlain && stream === 'watch' && format !== undefined) return format;
  }
  return 'indented';
}

function isRouted(text: string): boolean {
  return routedTypes.has((text.split(';', 1)[0] ?? '').trim());
}

function toForm({ type, params }: Clause): AnswerForm | undefined {
  const format = toFormat(type);
  if (format === undefined) return undefined;
  const { as, g, v, stream = 'watch', sv = 'v1' } = params;
  if (stream !== 'watch' || sv !== 'v1') return undefined;
  if (as === undefined && g === undefined && v === undefined) {
    return { format, as: 'object', metaVersion: 'v1' };
  }
  if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined;
  switch (as) {
    case 'Table':
    case 'PartialObjectMetadata':
    case 'PartialObjectMetadataList':
      return { format, as, metaVersion: v };
    default:
      return undefined;
  }
}

function toFormat(type: string): 'json' | 'yaml' | undefined {
  switch (type) {
    case '*/*':
    case 'application/*':
    case 'application/json':
      return 'json';
    case 'application/yaml':
      return 'yaml';
    default:
      return undefined;
  }
}

/** The media type of a request body without parameters; absent means JSON. */
export function bodyType(header: string | undefined): string {
  const type = (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return type === '' ? 'application/json' : type;
}
