// An apply configuration: what one manager says it wants. Parsed, and checked against the schema
// more strictly than a whole object is: what the schema does not declare cannot be owned.
//
// Input: a request's bytes. Output: plain JSON without what this endpoint does not write.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { toApiVersion } from '../schema/decode.ts';
import { formatPath, type Path } from './field-set.ts';
import { toElement, type ListSchema } from './field-walk.ts';
import { JsonSyntaxError, parseJsonStrict } from '../schema/json-strict.ts';
import { isList, isRecord, own, ownRecord, ownText } from '../schema/json-value.ts';
import type { KindDefinition } from '../kind.ts';
import type { Schema } from '../schema/schema.ts';
import { badRequest, plainError } from '../answer/status-error.ts';
import { parseYamlBody, YamlSyntaxError } from '../schema/yaml-body.ts';

export function parseApplyConfig(request: {
  readonly kind: KindDefinition;
  readonly bytes: Uint8Array;
  readonly subresource: '' | 'status';
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}): JsonObject {
  const { kind, bytes, subresource } = request;
  const config = dropNulls(parse(bytes));
  if (!isRecord(config)) {
    throw badRequest(
      'error decoding YAML: json: cannot unmarshal into Go value of type map[string]interface {}',
    );
  }
  checkType(kind, config);
  const metadata = ownRecord(config, 'metadata');
  if (own(metadata, 'managedFields') !== undefined) {
    throw badRequest('metadata.managedFields must be nil');
  }
  const problem = findProblem(kind.schema, config);
  if (problem !== undefined) {
    const subject = `${ownText(metadata, 'namespace')}/${ownText(metadata, 'name')}`;
    const type = `${kind.group}/${kind.version}, Kind=${kind.kind}`;
    throw plainError(`failed to create typed patch object (${subject}; ${type}): ${problem}`);
  }
  const named = {
    ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
    ...(request.name === undefined ? {} : { name: request.name }),
    ...metadata,
  };
  return { ...forEndpoint(kind, config, subresource), metadata: named };
}

function parse(bytes: Uint8Array): Json {
  const text = new TextDecoder().decode(bytes);
  try {
    return text.trimStart().startsWith('{') ? parseJsonOrYaml(text) : parseYamlBody(text).value;
  } catch (error) {
    if (!(error instanceof YamlSyntaxError)) throw error;
    throw badRequest(`error decoding YAML: ${error.message}`);
  }
}

/** JSON is YAML, and the faster parser is ours; but `{a: b}` is YAML only. */
function parseJsonOrYaml(text: string): Json {
  try {
    return parseJsonStrict(text).value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return parseYamlBody(text).value;
  }
}

function dropNulls(value: Json): Json {
  if (isList(value)) return value.map(dropNulls);
  if (!isRecord(value)) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([key, member]) => [key, dropNulls(member ?? null)]));
}

function checkType(kind: KindDefinition, config: JsonObject): void {
  const apiVersion = ownText(config, 'apiVersion');
  const given = ownText(config, 'kind');
  if (apiVersion === '' || given === '') {
    const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
    throw badRequest(`invalid object type: ${version}, Kind=${given}`);
  }
  const expected = toApiVersion(kind);
  if (apiVersion !== expected) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${apiVersion}, ` +
        `expected: ${expected}`,
    );
  }
  if (given !== kind.kind) {
    throw badRequest(
      `invalid object type: ${kind.group}/${kind.version}, Kind=${given}, expected ${kind.kind}`,
    );
  }
}

/** The main endpoint does not write status; the status endpoint writes it and metadata only. */
function forEndpoint(
  kind: KindDefinition,
  config: JsonObject,
  subresource: '' | 'status',
): JsonObject {
  if (!kind.hasStatus) return config;
  const entries = Object.entries(config).filter(([key]) =>
    subresource === 'status'
      ? ['apiVersion', 'kind', 'metadata', 'status'].includes(key)
      : key !== 'status',
  );
  return Object.fromEntries(entries);
}

/** The first thing that the schema does not allow, as structured-merge-diff says it. */
function findProblem(schema: Schema, value: Json, path: Path = []): string | undefined {
  switch (schema.type) {
    case 'object':
      if (!isRecord(value)) return `${formatPath(path)}: expected map, got ${nameOf(value)}`;
      return findIn(value, path, (key) => {
        if (Object.hasOwn(schema.fields, key)) return schema.fields[key];
        return undefined;
      });
    case 'map':
      if (!isRecord(value)) return `${formatPath(path)}: expected map, got ${nameOf(value)}`;
      return findIn(value, path, () => schema.values);
    case 'list':
      if (!isList(value)) return `${formatPath(path)}: expected list, got ${nameOf(value)}`;
      return findInList(schema, value, path);
    default:
      return findInScalar(schema, value, path);
  }
}

function findIn(
  value: JsonObject,
  path: Path,
  schemaOf: (key: string) => Schema | undefined,
): string | undefined {
  for (const [key, member] of Object.entries(value)) {
    const here = [...path, `f:${key}`];
    const schema = schemaOf(key);
    if (schema === undefined) return `${formatPath(here)}: field not declared in schema`;
    const problem = findProblem(schema, member ?? null, here);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function findInList(schema: ListSchema, value: readonly Json[], path: Path): string | undefined {
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const { topology } = schema;
    const element = topology.kind === 'atomic' ? `i:${index}` : toElement(schema, item);
    if (element === undefined) {
      const keys = topology.kind === 'map' ? topology.keys.join(', ') : '';
      return (
        `${formatPath(path)}: element ${index}: associative list with keys has an element that ` +
        `omits key field ${JSON.stringify(keys)} (and doesn't have default value)`
      );
    }
    if (seen.has(element)) {
      const entry = formatPath([element]);
      return `${formatPath(path)}: duplicate entries for key ${entry}`;
    }
    seen.add(element);
    const problem = findProblem(schema.items, item, [...path, element]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function findInScalar(schema: Schema, value: Json, path: Path): string | undefined {
  const isRight =
    schema.type === 'any' ||
    (schema.type === 'string' && typeof value === 'string') ||
    (schema.type === 'boolean' && typeof value === 'boolean') ||
    ((schema.type === 'integer' || schema.type === 'number') && typeof value === 'number') ||
    (schema.type === 'intOrString' && (typeof value === 'string' || typeof value === 'number'));
  if (isRight) return undefined;
  const expected = schema.type === 'integer' || schema.type === 'number' ? 'numeric' : schema.type;
  return `${formatPath(path)}: expected ${expected}, got ${nameOf(value)}`;
}

function nameOf(value: Json): string {
  if (value === null) return 'null';
  if (isList(value)) return 'list';
  return isRecord(value) ? 'map' : typeof value;
}
