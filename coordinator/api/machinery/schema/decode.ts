// A request's body as an object of one kind: JSON, YAML or protobuf in, checked and defaulted object out.
//
// Input: bytes, media type, kind, how strict to be. Output: the object and the warnings.
//
//   D1. An unknown or duplicate field never reaches the store: it is refused (Strict), warned of
//       (Warn) or dropped (Ignore).

import type { Json, JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { invariant } from '../../../../common/pure/errors.ts';
import { parseJsonBody, toParsedYaml, type ParsedAhead } from './parse-ahead.ts';
import { isRecord, own, toKubeObject } from './json-value.ts';
import type { KindDefinition } from '../kind.ts';
import { isNumbered, readEnvelope, readMessage } from '../protobuf/protobuf-body.ts';
import { ProtobufError } from '../protobuf/protobuf-fields.ts';
import { badRequest } from '../answer/status-error.ts';
import { jsonName, TypeMismatch } from './type-mismatch.ts';
import { toTyped, type Notes } from './typed-value.ts';
import { YamlSyntaxError, type ParsedYaml } from './yaml-body.ts';

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

export type BodyMediaType = 'application/json' | 'application/yaml' | typeof protobufMediaType;
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface Decoded {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

export interface DecodeRequest {
  readonly bytes: Uint8Array;
  readonly mediaType: BodyMediaType;
  readonly kind: KindDefinition;
  readonly validation: FieldValidation;
  /** What was read of the bytes before (parseAhead). */
  readonly ahead?: ParsedAhead | undefined;
}

/** 400 for whatever is no object of `kind`. Defaults are set (kind.setDefaults). */
export function decodeObject(request: DecodeRequest): Decoded {
  const { bytes, mediaType, kind, validation } = request;
  if (mediaType === protobufMediaType) {
    return checkAgainstSchema(kind, withTypeMeta(kind, readProtobuf(bytes, kind)), validation);
  }
  if (mediaType === 'application/yaml') return decodeYaml(request);
  const refuse = (problem: string): Error =>
    unrecognized(kind, `${parseProblem}${problem} (${summarize(bytes)})`);
  const parsed = parseJsonBody(bytes, refuse, request.ahead);
  const whole = requireTyped(parsed.value, refuse);
  const version = own(whole, 'apiVersion');
  if (typeof version === 'string' && version.split('/').length > 2) {
    const problem = `unexpected GroupVersion string: ${version}`;
    throw unrecognized(kind, `${problem} (${summarize(bytes)})`);
  }
  const named = withTypeMeta(kind, whole);
  return checkAgainstSchema(kind, named, validation, parsed);
}

function decodeYaml({ bytes, kind, validation, ahead }: DecodeRequest): Decoded {
  const refuse = (problem: string): Error => unrecognized(kind, `${problem} (${summarize(bytes)})`);
  const { value, duplicates } = parseYamlOrRefuse(() => toParsedYaml(bytes, ahead), refuse);
  const whole = requireTyped(value, (problem) => refuse(`${parseProblem}${problem}`));
  const decoded = checkAgainstSchema(kind, withTypeMeta(kind, whole), validation);
  if (validation === 'Ignore' || duplicates.length === 0) return decoded;
  // Keys that stand there twice are named by their lines, as the YAML parser sees them.
  if (validation === 'Warn') {
    return { ...decoded, warnings: [...duplicates, ...decoded.warnings] };
  }
  const problem = `yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}`;
  throw cannotHandle(kind, whole, `strict decoding error: ${problem}`);
}

function parseYamlOrRefuse(read: () => ParsedYaml, refuse: (problem: string) => Error): ParsedYaml {
  try {
    return read();
  } catch (error) {
    if (error instanceof YamlSyntaxError) throw refuse(error.message);
    throw error;
  }
}

const parseProblem = "couldn't get version/kind; json parse error: ";
const typeMetaStruct =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; ' +
  'Kind string "json:\\"kind,omitempty\\"" }';

/** What the body says of its type must be readable; null says nothing. */
function requireTyped(value: Json, refuse: (problem: string) => Error): JsonObject {
  if (value === null) return {};
  if (!isRecord(value)) {
    throw refuse(
      `json: cannot unmarshal ${jsonName(value)} into Go value of type ${typeMetaStruct}`,
    );
  }
  for (const key of ['apiVersion', 'kind']) {
    const member = own(value, key) ?? null;
    if (member !== null && typeof member !== 'string') {
      const found = jsonName(member);
      throw refuse(`json: cannot unmarshal ${found} into Go struct field .${key} of type string`);
    }
  }
  return value;
}

/**
 * A value as an object of `kind`, defaults set: types, unknown fields, empty values. 400 for what
 * is none. `notes` are what the parser saw and the value does not tell.
 */
export function checkAgainstSchema(
  kind: KindDefinition,
  value: Json,
  validation: FieldValidation,
  notes?: Notes,
): Decoded {
  const checked = check(kind, value, notes);
  if ('problem' in checked) throw cannotHandle(kind, value, checked.problem);
  const { object, strict } = checked;
  if (validation === 'Strict' && strict.length > 0) {
    throw cannotHandle(kind, value, `strict decoding error: ${strict.join(', ')}`);
  }
  return { object, warnings: validation === 'Warn' ? strict : [] };
}

export type Checked =
  /** `fromMap` is what Go's converter of untyped maps says instead of its JSON decoder. */
  | { readonly problem: string; readonly fromMap?: string | undefined }
  | { readonly object: KubeObject; readonly strict: readonly string[] };

/** The check itself, for callers that refuse with another Status. */
export function check(kind: KindDefinition, value: Json, notes?: Notes): Checked {
  const foreign = describeForeign(kind, value);
  if (foreign !== undefined) return { problem: foreign };
  try {
    const typed = toTyped(kind.schema, value, notes);
    const object = toKubeObject(typed.value);
    return { object: kind.setDefaults?.(object) ?? object, strict: typed.strict };
  } catch (error) {
    if (error instanceof TypeMismatch) return { problem: error.message, fromMap: error.fromMap };
    throw error;
  }
}

export function toApiVersion(kind: KindDefinition): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** Bodies of one kind may leave out what the URL says: apiVersion and kind. */
export function withTypeMeta(kind: KindDefinition, value: Json): Json {
  if (!isRecord(value)) return value;
  return {
    ...value,
    kind: own(value, 'kind') || kind.kind,
    apiVersion: own(value, 'apiVersion') || toApiVersion(kind),
    metadata: own(value, 'metadata') ?? {},
  };
}

/** Unknown fields never arrive: a protobuf decoder skips numbers that it does not know. */
function readProtobuf(bytes: Uint8Array, kind: KindDefinition): Json {
  invariant(isNumbered(kind.schema), `${kind.kind} has no protobuf form`);
  const { typeMeta, raw } = orRefuse(
    () => readEnvelope(bytes),
    (problem) => unrecognized(kind, `${problem} (${summarize(bytes)})`),
  );
  const foreign = describeForeign(kind, typeMeta);
  if (foreign !== undefined) throw cannotHandle(kind, typeMeta, foreign);
  const { schema } = kind;
  const message = orRefuse(
    () => readMessage(schema, raw),
    (problem) => cannotHandle(kind, typeMeta, problem),
  );
  return { ...typeMeta, ...message };
}

function orRefuse<T>(read: () => T, refuse: (problem: string) => Error): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtobufError) throw refuse(error.message);
    throw error;
  }
}

function unrecognized(kind: KindDefinition, problem: string): Error {
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind.kind}): ${problem}`,
  );
}

const summaryBytes = 30;

/** The beginning of a body, as apiserver prints it. */
function summarize(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const head = Buffer.from(bytes.subarray(0, summaryBytes));
  const text = bytes[0] === 0x7b ? head.toString('utf8') : head.toString('hex');
  return bytes.length > summaryBytes ? `${text} ...` : text;
}

function describeForeign(kind: KindDefinition, value: Json): string | undefined {
  if (!isRecord(value)) return undefined;
  const givenKind = own(value, 'kind');
  const givenVersion = own(value, 'apiVersion');
  if (givenVersion !== undefined && givenVersion !== toApiVersion(kind)) {
    const { group, version, name } = typeOf(kind, value);
    const scheme = 'in scheme "pkg/api/legacyscheme/scheme.go:30"';
    const full = group === '' ? version : `${group}/${version}`;
    return `no kind "${name}" is registered for version "${full}" ${scheme}`;
  }
  if (givenKind !== undefined && givenKind !== kind.kind) {
    const { version, name } = typeOf(kind, value);
    return `converting (${version}.${name}) to (core.${kind.kind}): unknown conversion`;
  }
  return undefined;
}

function typeOf(
  kind: KindDefinition,
  value: JsonObject,
): { readonly group: string; readonly version: string; readonly name: string } {
  const apiVersion = textAt(value, 'apiVersion') ?? toApiVersion(kind);
  const slash = apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    name: textAt(value, 'kind') ?? kind.kind,
  };
}

function cannotHandle(kind: KindDefinition, value: Json, problem: string): Error {
  const { version, name } = isRecord(value)
    ? typeOf(kind, value)
    : { version: kind.version, name: kind.kind };
  return badRequest(
    `${name} in version "${version}" cannot be handled as a ${kind.kind}: ${problem}`,
  );
}

/** As text; an object in its place may have a toString of its own. */
function textAt(value: JsonObject, key: string): string | undefined {
  const given = own(value, key);
  if (given === undefined || given === null) return undefined;
  return typeof given === 'string' ? given : JSON.stringify(given);
}
