// Options of a delete, from the body when there is one, else from the query, as kube-apiserver
// reads them: JSON, YAML or protobuf. Refused as meta.k8s.io's own validation does. Pure.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { badRequest, invalid } from '../answer/status-error.ts';
import type { FieldError } from '../kind.ts';
import { readProtobufDeleteOptions } from '../protobuf/protobuf-delete-options.ts';
import { invalidValue } from '../rules/field-errors.ts';
import { protobufMediaType, type BodyMediaType } from '../schema/decode.ts';
import { isList, isRecord, own } from '../schema/json-value.ts';
import { toParsedJson, toParsedYaml, type ParsedAhead } from '../schema/parse-ahead.ts';
import { checkDryRun, unsupported } from './options.ts';
import { isTrue } from './routes.ts';

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

export interface DeleteOptions {
  readonly isDryRun: boolean;
  /** Undefined leaves it to the finalizers that the object has, then to Background. */
  readonly propagation: Propagation | undefined;
  /** orphanDependents was false: 202 while the object is still there. */
  readonly answersAccepted: boolean;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
}

/** What a controller of ours asks for: delete exactly this object, its dependents after it. */
export function toDeleteOptions(
  uid: string | undefined,
  propagation: Propagation = 'Background',
): DeleteOptions {
  return {
    isDryRun: false,
    propagation,
    answersAccepted: false,
    uid,
    resourceVersion: undefined,
  };
}

export function parseDeleteOptions(
  body: Uint8Array,
  query: URLSearchParams,
  mediaType: BodyMediaType,
  ahead?: ParsedAhead,
): DeleteOptions {
  const given = body.length > 0 ? readBody(body, mediaType, ahead) : readQuery(query);
  const { propagation, orphan } = given;
  const errors: FieldError[] = [];
  if (propagation !== undefined && orphan !== undefined) {
    const detail = 'orphanDependents and deletionPropagation cannot be both set';
    errors.push(invalidValue('propagationPolicy', propagation, detail));
  }
  if (propagation !== undefined && !isPropagation(propagation)) {
    const supported = ['Foreground', 'Background', 'Orphan', 'nil'];
    errors.push(unsupported('propagationPolicy', JSON.stringify(propagation), supported));
  }
  errors.push(...checkDryRun(given.dryRun));
  if (errors.length > 0) {
    throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions', name: '', errors });
  }
  return {
    isDryRun: given.dryRun.length > 0,
    propagation: isPropagation(propagation) ? propagation : toPropagation(orphan),
    answersAccepted: orphan === false,
    uid: given.uid,
    resourceVersion: given.resourceVersion,
  };
}

function isPropagation(text: string | undefined): text is Propagation {
  return text === 'Background' || text === 'Foreground' || text === 'Orphan';
}

function toPropagation(orphan: boolean | undefined): Propagation | undefined {
  if (orphan === undefined) return undefined;
  return orphan ? 'Orphan' : 'Background';
}

interface Given {
  readonly dryRun: readonly string[];
  readonly propagation: string | undefined;
  readonly orphan: boolean | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
}

function readQuery(query: URLSearchParams): Given {
  const orphan = query.get('orphanDependents');
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null && grace !== '' && !/^[-+]?\d{1,18}$/.test(grace)) {
    throw badRequest(`strconv.ParseInt: parsing "${grace}": invalid syntax`);
  }
  return {
    dryRun: query.getAll('dryRun'),
    propagation: query.get('propagationPolicy') ?? undefined,
    orphan: orphan === null ? undefined : isTrue(orphan),
    uid: undefined,
    resourceVersion: undefined,
  };
}

function readBody(
  body: Uint8Array,
  mediaType: BodyMediaType,
  ahead: ParsedAhead | undefined,
): Given {
  const options =
    mediaType === protobufMediaType
      ? readProtobufDeleteOptions(body)
      : parseText(body, mediaType, ahead);
  const kind = own(options, 'kind') ?? 'DeleteOptions';
  const version = own(options, 'apiVersion') ?? 'v1';
  if (!isText(kind) || !isText(version)) throw badRequest(unrecognized);
  if (kind !== 'DeleteOptions') {
    throw badRequest(`${kind} in version "${version}" cannot be handled as a DeleteOptions`);
  }
  const preconditions = typed(options, 'preconditions', isRecord, 'v1.Preconditions') ?? {};
  typed(options, 'gracePeriodSeconds', Number.isSafeInteger, 'int64');
  return {
    dryRun: readDryRun(options),
    propagation: typed(options, 'propagationPolicy', isText, 'v1.DeletionPropagation'),
    orphan: typed(options, 'orphanDependents', isFlag, 'bool'),
    uid: typed(preconditions, 'uid', isText, 'types.UID'),
    resourceVersion: typed(preconditions, 'resourceVersion', isText, 'string'),
  };
}

function readDryRun(options: JsonObject): readonly string[] {
  const given = typed(options, 'dryRun', isList, '[]string') ?? [];
  const wrong = given.find((each) => each !== null && !isText(each));
  if (wrong !== undefined) throw refuseType('dryRun', wrong, 'string');
  return given.map((each) => (isText(each) ? each : ''));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

/** The member when it has the type, undefined when it is absent or null. Throws 400. */
function typed<T>(
  object: JsonObject,
  name: string,
  is: ((value: unknown) => value is T) | ((value: unknown) => boolean),
  goType: string,
): T | undefined {
  const value = own(object, name);
  if (value === undefined || value === null) return undefined;
  if (is(value)) return value as T; // the guard has looked
  throw refuseType(name, value, goType);
}

function refuseType(name: string, value: Json, goType: string): Error {
  return badRequest(
    'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json: cannot unmarshal ' +
      `${goNameOf(value)} into Go struct field DeleteOptions.${name} of type ${goType}`,
  );
}

function goNameOf(value: Json): string {
  if (isList(value)) return 'array';
  return { object: 'object', boolean: 'bool' }[typeof value as string] ?? typeof value;
}

function parseText(
  body: Uint8Array,
  mediaType: BodyMediaType,
  ahead: ParsedAhead | undefined,
): JsonObject {
  try {
    const { value } =
      mediaType === 'application/yaml' ? toParsedYaml(body, ahead) : toParsedJson(body, ahead);
    if (isRecord(value)) return value;
  } catch {
    // Answered below: the client learns the same from either fault.
  }
  throw badRequest(unrecognized);
}

const unrecognized = 'the object provided is unrecognized (must be of type DeleteOptions)';
