// An apply configuration: what one manager says it wants. Parsed, and checked against the schema
// more strictly than a whole object is: what the schema does not declare cannot be owned.
//
// Input: a request's bytes. Output: plain JSON, nulls and all, and what strict validation says.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { formatElement } from './field-element.ts';
import { toElement, type ListSchema } from './field-walk.ts';
import { JsonSyntaxError } from '../schema/json-strict.ts';
import {
  isWhole,
  startsJson,
  toParsedJson,
  toParsedYaml,
  toText,
  type ParsedAhead,
} from '../schema/parse-ahead.ts';
import { isList, isRecord, own, ownRecord, ownText } from '../schema/json-value.ts';
import type { KindDefinition } from '../kind.ts';
import { toApiVersion } from '../answer/answers.ts';
import type { Schema } from '../schema/schema.ts';
import { formatGo, goTypeName } from '../schema/format-go.ts';
import { jsonName } from '../schema/type-mismatch.ts';
import { badRequest, plainError } from '../answer/status-error.ts';
import { YamlSyntaxError, type ParsedYaml } from '../schema/yaml-body.ts';

export interface ApplyConfig {
  readonly config: JsonObject;
  /** What strict validation refuses, such as `line 5: key "a" already set in map`. */
  readonly strict: string | undefined;
}

/** Throws 400 for what is no configuration of this kind, 500 for what the schema does not allow. */
export function parseApplyConfig(
  kind: KindDefinition,
  bytes: Uint8Array,
  ahead?: ParsedAhead,
): ApplyConfig {
  const { value, duplicates } = parse(bytes, ahead);
  const config = value ?? {};
  if (!isRecord(config)) {
    throw badRequest(
      'error decoding YAML: error unmarshaling JSON: while decoding JSON: ' +
        `json: cannot unmarshal ${jsonName(config)} into Go value of type map[string]interface {}`,
    );
  }
  checkType(kind, config);
  const metadata = ownRecord(config, 'metadata');
  if (isList(own(metadata, 'managedFields')))
    throw badRequest('metadata.managedFields must be nil');
  const problems = findProblems(kind.schema, config, '');
  if (problems.length > 0) {
    const [only] = problems;
    const text = problems.length === 1 ? only : ['errors:', ...problems].join('\n  ');
    throw plainError(`failed to create typed patch object (${describe(kind, config)}): ${text}`);
  }
  const strict = duplicates.length > 0 ? duplicates.join('\n  ') : undefined;
  return { config, strict };
}

/** `default/nginx; /v1, Kind=Service`, as errors name the object. */
export function describe(kind: KindDefinition, config: JsonObject): string {
  const metadata = ownRecord(config, 'metadata');
  const subject = `${ownText(metadata, 'namespace')}/${ownText(metadata, 'name')}`;
  return `${subject}; ${kind.group}/${kind.version}, Kind=${kind.kind}`;
}

function parse(bytes: Uint8Array, ahead: ParsedAhead | undefined): ParsedYaml {
  try {
    return readJsonAlone(bytes, ahead) ?? toParsedYaml(bytes, ahead);
  } catch (error) {
    if (!(error instanceof YamlSyntaxError)) throw error;
    throw badRequest(`error decoding YAML: error converting YAML to JSON: ${error.message}`);
  }
}

/** JSON is YAML, and the faster parser is ours; but `{a: b}` is YAML only: undefined. */
function readJsonAlone(bytes: Uint8Array, ahead: ParsedAhead | undefined): ParsedYaml | undefined {
  if (ahead?.json === undefined && !startsJson(toText(bytes))) return undefined;
  try {
    const json = toParsedJson(bytes, ahead);
    return isWhole(json) ? json : undefined;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

function checkType(kind: KindDefinition, config: JsonObject): void {
  const apiVersion = ownText(config, 'apiVersion');
  const given = ownText(config, 'kind');
  if (apiVersion === toApiVersion(kind) && given === kind.kind) return;
  const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
  throw badRequest(`invalid object type: ${version}, Kind=${given}`);
}

/** All that the schema does not allow, as structured-merge-diff says it. */
function findProblems(schema: Schema, value: Json, path: string): readonly string[] {
  if (value === null) return [];
  switch (schema.type) {
    case 'object':
    case 'map':
      if (!isRecord(value)) return [`${path}: expected map, got &{${formatGo(value)}}`];
      return findInMembers(schema, value, path);
    case 'list':
      if (!isList(value)) return [`${path}: expected list, got &{${formatGo(value)}}`];
      return findInItems(schema, value, path);
    default: {
      const problem = findInScalar(schema, value);
      return problem === undefined ? [] : [`${path}: ${problem}`];
    }
  }
}

function findInMembers(
  schema: Extract<Schema, { readonly type: 'object' | 'map' }>,
  value: JsonObject,
  path: string,
): readonly string[] {
  const problems: string[] = [];
  for (const key of Object.keys(value)) {
    const here = `${path}.${key}`;
    const member = schema.type === 'map' ? schema.values : fieldNamed(schema.fields, key);
    if (member === undefined) {
      problems.push(`${here}: field not declared in schema`);
      break; // as there: the rest of this map is not looked at
    }
    problems.push(...findProblems(member, value[key] ?? null, here));
  }
  return problems;
}

function fieldNamed(fields: Readonly<Record<string, Schema>>, key: string): Schema | undefined {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

function findInItems(schema: ListSchema, value: readonly Json[], path: string): readonly string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const isAtomic = schema.topology.kind === 'atomic';
    const element = isAtomic ? `i:${index}` : toElement(schema, item);
    if (typeof element !== 'string') {
      return [...problems, `${path}: element ${index}: ${element.why}`];
    }
    if (seen.has(element)) {
      problems.push(`${path}: duplicate entries for key ${formatElement(element)}`);
    }
    seen.add(element);
    // Where it stands is put into words when something is wrong, which is seldom.
    const found = findProblems(schema.items, item, '');
    if (found.length > 0) {
      const here = `${path}${formatElement(element)}`;
      problems.push(...found.map((problem) => `${here}${problem}`));
    }
  }
  return problems;
}

function findInScalar(schema: Schema, value: Json): string | undefined {
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' ? undefined : `expected string, got ${formatPointer(value)}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got &{${formatGo(value)}}`;
    case 'integer':
    case 'number':
      return typeof value === 'number'
        ? undefined
        : `expected numeric (int or float), got ${goTypeName(value)}`;
    default:
      return undefined; // of any type: the decoder says what it may be
  }
}

/** Go's %#v of a value in the library's own wrapping. */
function formatPointer(value: Json): string {
  return `&value.valueUnstructured{Value:${formatSyntax(value)}}`;
}

function formatSyntax(value: Json | undefined): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (isList(value)) return `[]interface {}{${value.map(formatSyntax).join(', ')}}`;
  if (!isRecord(value)) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const texts = members.map(([key, member]) => `${JSON.stringify(key)}:${formatSyntax(member)}`);
  return `map[string]interface {}{${texts.join(', ')}}`;
}
