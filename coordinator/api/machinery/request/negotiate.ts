// Which form an answer takes, from the Accept header. Pure.
//
// JSON and YAML are written; protobuf never is (clients that prefer it always list JSON too).
// Table and PartialObjectMetadata are forms of JSON and YAML, asked for by `as=`.

import { notAcceptable } from '../answer/status-error.ts';

export type MetaVersion = 'v1' | 'v1beta1';

export interface AnswerForm {
  readonly format: 'json' | 'yaml';
  readonly as: 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
  readonly metaVersion: MetaVersion;
}

export const plainJson: AnswerForm = { format: 'json', as: 'object', metaVersion: 'v1' };

export interface Clause {
  /** Lower case, such as `application/json`. */
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
}

/** The clauses of an Accept header, best first; a header that is absent is "anything". */
export function parseAccept(header: string | undefined): readonly Clause[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', params: {} }];
  return header
    .split(',')
    .map(parseClause)
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality); // stable: equal ones stay in the client's order
}

function parseClause(text: string): Clause & { readonly quality: number } {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const params: Record<string, string> = {};
  for (const part of rest) {
    const equals = part.indexOf('=');
    if (equals > 0) params[part.slice(0, equals).toLowerCase()] = part.slice(equals + 1);
  }
  const quality = Number(params['q'] ?? '1');
  return { type: type.toLowerCase(), params, quality: Number.isNaN(quality) ? 1 : quality };
}

const acceptedText = 'application/json, application/yaml';

// A header names a few types; more is nobody's client.
const acceptBytesMax = 4096;

/** Throws 406 when nothing that the client accepts can be written. */
export function negotiate(header: string | undefined): AnswerForm {
  if (header === undefined || header === '*/*' || header === 'application/json') return plainJson;
  if (header.length > acceptBytesMax) throw notAcceptable('the Accept header is too long');
  const clauses = parseAccept(header);
  for (const clause of clauses) {
    const form = toForm(clause);
    if (form !== undefined) return form;
  }
  if (clauses.some(({ params }) => params['as'] !== undefined)) {
    throw notAcceptable(`only the following media types are accepted: ${acceptedText}`);
  }
  throw notAcceptable(`406: Not Acceptable\n\nAvailable representations: ${acceptedText}`);
}

function toForm({ type, params }: Clause): AnswerForm | undefined {
  const format = toFormat(type);
  if (format === undefined) return undefined;
  const as = params['as'];
  if (as === undefined) return { format, as: 'object', metaVersion: 'v1' };
  const metaVersion = params['v'];
  if (params['g'] !== 'meta.k8s.io' || (metaVersion !== 'v1' && metaVersion !== 'v1beta1')) {
    return undefined;
  }
  switch (as) {
    case 'Table':
    case 'PartialObjectMetadata':
    case 'PartialObjectMetadataList':
      return { format, as, metaVersion };
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
