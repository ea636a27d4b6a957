// Query and body options of requests: parsed and refused as meta.k8s.io's own validation does.
// Pure. Unknown parameters are ignored, as Kubernetes does.

import type { FieldError } from '../kind.ts';
import { badRequest, invalid } from '../answer/status-error.ts';
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
  if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(name)) return [];
  const why = 'should only contain printable characters';
  const message = `Invalid value: ${JSON.stringify(name)}: ${why}`;
  return [{ field: 'fieldManager', reason: 'FieldValueInvalid', message }];
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
  readonly match: 'Exact' | 'NotOlderThan' | undefined;
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly includeObject: IncludeObject;
  readonly timeoutSeconds: number | undefined;
  readonly allowBookmarks: boolean;
  readonly sendInitialEvents: boolean;
}

export function parseListOptions(query: URLSearchParams, isWatch: boolean): ListOptions {
  const options: ListOptions = {
    limit: Math.max(0, parseInteger(query, 'limit') ?? 0),
    continueToken: query.get('continue') || undefined,
    resourceVersion: query.get('resourceVersion') ?? '',
    match: parseMatch(query.get('resourceVersionMatch') ?? ''),
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    includeObject: parseIncludeObject(query.get('includeObject')),
    timeoutSeconds: parseInteger(query, 'timeoutSeconds'),
    allowBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: isTrue(query.get('sendInitialEvents')),
  };
  refuse('ListOptions', isWatch ? checkWatch(options, query) : checkList(options, query));
  return options;
}

function checkWatch(options: ListOptions, query: URLSearchParams): FieldError[] {
  const errors: FieldError[] = [];
  const hasInitial = query.has('sendInitialEvents');
  if (options.match !== undefined && !hasInitial) {
    errors.push(
      forbidden(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      ),
    );
  }
  if (hasInitial && options.match !== 'NotOlderThan') {
    errors.push(
      forbidden(
        'resourceVersionMatch',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      ),
    );
  }
  return errors;
}

function checkList(options: ListOptions, query: URLSearchParams): FieldError[] {
  const { match, resourceVersion } = options;
  const errors: FieldError[] = [];
  if (query.has('sendInitialEvents')) {
    errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  if (match === undefined) return errors;
  const refuseMatch = (why: string): void => {
    errors.push(forbidden('resourceVersionMatch', `resourceVersionMatch is forbidden ${why}`));
  };
  if (options.continueToken !== undefined) refuseMatch('when continue is provided');
  else if (resourceVersion === '') refuseMatch('unless resourceVersion is provided');
  else if (match === 'Exact' && resourceVersion === '0') {
    errors.push(
      forbidden(
        'resourceVersionMatch',
        'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      ),
    );
  }
  return errors;
}

function parseMatch(text: string): 'Exact' | 'NotOlderThan' | undefined {
  if (text === '') return undefined;
  if (text === 'Exact' || text === 'NotOlderThan') return text;
  const error = unsupported('resourceVersionMatch', JSON.stringify(text), [
    'Exact',
    'NotOlderThan',
    '',
  ]);
  throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions', name: '', errors: [error] });
}

function parseIncludeObject(text: string | null): IncludeObject {
  switch (text) {
    case null:
    case '':
      return 'Metadata';
    case 'None':
    case 'Metadata':
    case 'Object':
      return text;
    default:
      throw badRequest(`unrecognized includeObject value: "${text}"`);
  }
}

function parseInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`);
}

/** Resource versions are decimal; anything else is refused with 400. */
export function parseResourceVersion(text: string): number {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  throw badRequest(
    `invalid resource version: strconv.ParseUint: parsing "${text}": invalid syntax`,
  );
}
