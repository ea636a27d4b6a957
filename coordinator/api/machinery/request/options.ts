// Query and body options of requests: parsed and refused as meta.k8s.io's own validation does.
// Pure. Unknown parameters are ignored, as Kubernetes does.

import type { FieldError } from '../kind.ts';
import { badRequest, invalid, plainError } from '../answer/status-error.ts';
import type { IncludeObject } from '../answer/table.ts';
import { isTrue } from './routes.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteOptions {
  readonly isDryRun: boolean;
  readonly manager: string;
  readonly validation: FieldValidation;
  /** Server-side apply only. */
  readonly force: boolean;
}

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'ListOptions';

export function parseWriteOptions(
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  query: URLSearchParams,
  request: { readonly userAgent: string | undefined; readonly isApply: boolean },
): WriteOptions {
  const named = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  const force = query.get('force');
  const errors = [
    ...checkDryRun(query.getAll('dryRun')),
    ...checkManager(named),
    ...checkValidation(validation),
  ];
  if (kind === 'PatchOptions' && force !== null && !request.isApply) {
    errors.push(forbidden('force', 'may not be specified for non-apply patch'));
  }
  if (request.isApply && named === '') {
    errors.push({
      field: 'fieldManager',
      reason: 'FieldValueRequired',
      message: 'Required value: is required for apply patch',
    });
  }
  refuse(kind, errors);
  return {
    isDryRun: query.has('dryRun'),
    manager: named === '' ? defaultManager(request.userAgent) : named,
    validation: toValidation(validation),
    force: isTrue(force),
  };
}

/** Kubernetes' default: the User-Agent up to the first slash. */
function defaultManager(userAgent: string | undefined): string {
  const head = (userAgent ?? '').split('/', 1)[0] ?? '';
  const printable = head.replace(/[^\x20-\x7e]/g, '').slice(0, managerBytesMax);
  return printable === '' ? 'unknown' : printable;
}

function toValidation(text: string): FieldValidation {
  return text === 'Strict' || text === 'Ignore' ? text : 'Warn';
}

const managerBytesMax = 128; // validation.FieldManagerMaxLength

function checkManager(name: string): FieldError[] {
  if (Buffer.byteLength(name) > managerBytesMax) {
    const message = `Too long: may not be more than ${managerBytesMax} bytes`;
    return [{ field: 'fieldManager', reason: 'FieldValueTooLong', message }];
  }
  const odd = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(name);
  if (odd === null) return [];
  const code = (odd[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  const at = Buffer.byteLength(name.slice(0, odd.index));
  const why = `invalid character U+${code} (at position ${at})`;
  const message = `Invalid value: ${quoteAsGo(name)}: ${why}`;
  return [{ field: 'fieldManager', reason: 'FieldValueInvalid', message }];
}

/** JSON's escapes are Go's, but for two that have letters in Go, and for the short hexadecimals. */
function quoteAsGo(text: string): string {
  return JSON.stringify(text)
    .replaceAll('\\u0007', '\\a')
    .replaceAll('\\u000b', '\\v')
    .replace(/\\u00([01][0-9a-f])/g, '\\x$1');
}

function checkValidation(text: string): FieldError[] {
  if (['', 'Ignore', 'Warn', 'Strict'].includes(text)) return [];
  return [unsupported('fieldValidation', JSON.stringify(text), ['', 'Ignore', 'Strict', 'Warn'])];
}

export function checkDryRun(values: readonly string[]): FieldError[] {
  if (values.every((value) => value === 'All')) return [];
  return [unsupported('dryRun', JSON.stringify(values), ['All'])];
}

export function unsupported(
  field: string,
  value: string,
  supported: readonly string[],
): FieldError {
  const list = supported.map((each) => JSON.stringify(each)).join(', ');
  const message = `Unsupported value: ${value}: supported values: ${list}`;
  return { field, reason: 'FieldValueNotSupported', message };
}

function forbidden(field: string, why: string): FieldError {
  return { field, reason: 'FieldValueForbidden', message: `Forbidden: ${why}` };
}

function refuse(kind: OptionsKind, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind, name: '', errors });
}

export interface ListOptions {
  /** 0: all. */
  readonly limit: number;
  readonly continueToken: string | undefined;
  /** As sent; `''` is the most recent. */
  readonly resourceVersion: string;
  /** As sent; `''` when it was not. */
  readonly match: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly timeoutSeconds: number | undefined;
  readonly allowBookmarks: boolean;
  /** Undefined when nothing was said. */
  readonly sendInitialEvents: boolean | undefined;
}

export function parseListOptions(query: URLSearchParams, isWatch: boolean): ListOptions {
  const options: ListOptions = {
    limit: Math.max(0, parseInteger(query, 'limit') ?? 0),
    continueToken: query.get('continue') || undefined,
    resourceVersion: query.get('resourceVersion') ?? '',
    match: query.get('resourceVersionMatch') ?? '',
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    timeoutSeconds: parseInteger(query, 'timeoutSeconds'),
    allowBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: query.has('sendInitialEvents')
      ? isTrue(query.get('sendInitialEvents'))
      : undefined,
  };
  refuse('ListOptions', isWatch ? checkWatch(options) : checkList(options));
  return options;
}

// apimachinery, meta/internalversion/validation: the same refusals in the same order.
function checkWatch(options: ListOptions): FieldError[] {
  const { match, sendInitialEvents, continueToken } = options;
  const errors: FieldError[] = [];
  const refuseMatch = (why: string): void => {
    errors.push(forbidden('resourceVersionMatch', why));
  };
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    refuseMatch('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (match === '') return errors;
  if (sendInitialEvents === undefined) {
    refuseMatch('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  }
  if (match !== 'NotOlderThan') {
    errors.push(unsupported('resourceVersionMatch', JSON.stringify(match), ['NotOlderThan']));
  }
  if (continueToken !== undefined) {
    refuseMatch('resourceVersionMatch is forbidden when continue is provided');
  }
  return errors;
}

function checkList({
  match,
  resourceVersion,
  continueToken,
  sendInitialEvents,
}: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  const refuseMatch = (why: string): void => {
    errors.push(forbidden('resourceVersionMatch', `resourceVersionMatch ${why}`));
  };
  if (match !== '') {
    if (resourceVersion === '') refuseMatch('is forbidden unless resourceVersion is provided');
    if (continueToken !== undefined) refuseMatch('is forbidden when continue is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      const supported = ['Exact', 'NotOlderThan', ''];
      errors.push(unsupported('resourceVersionMatch', JSON.stringify(match), supported));
    }
    if (match === 'Exact' && resourceVersion === '0') {
      refuseMatch('"exact" is forbidden for resourceVersion "0"');
    }
  }
  if (sendInitialEvents !== undefined) {
    errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  return errors;
}

/** Which part of each object a Table carries. Throws 400 for another word. */
export function parseIncludeObject(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject') ?? '';
  switch (text) {
    case '':
      return 'Metadata';
    case 'None':
    case 'Metadata':
    case 'Object':
      return text;
    default:
      throw badRequest(
        'Unable to convert to Table as requested: includeObject: Invalid value: ' +
          `${JSON.stringify(text)}: must be 'Metadata', 'Object', 'None', or empty`,
      );
  }
}

function parseInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`);
}

/** Of a list: resource versions are decimal; anything else is refused with 400. */
export function parseResourceVersion(text: string): number {
  if (isRevision(text)) return Number(text);
  throw badRequest(`invalid resource version: ${revisionFault(text)}`);
}

/** Of a get or a watch, where kube-apiserver answers 500 without a reason. */
export function parseSingleResourceVersion(text: string): number {
  if (text === '' || isRevision(text)) return Number(text);
  throw plainError(revisionFault(text));
}

function isRevision(text: string): boolean {
  return /^\d{1,16}$/.test(text);
}

function revisionFault(text: string): string {
  const quoted = JSON.stringify(text);
  const why = `strconv.ParseUint: parsing ${quoted}: invalid syntax`;
  return `resourceVersion: Invalid value: ${quoted}: ${why}`;
}
