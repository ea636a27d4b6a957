// OpenAPI v2 (Swagger): all groups in one document, made from the same components and operations
// as v3. kubectl up to 1.28 reads it before create and apply, Argo CD before everything.
//
// Input: the documents of OpenAPI v3. Output: the document, as JSON and as the protobuf message
// that clients prefer, each with its hash. Pure; made once, when first asked for.
//
//   V1. Every $ref resolves within the document; a dangling one stops Argo CD's whole cache.
//   V2. No two definitions are of one group, version and kind.
//   V3. One name is one definition, whichever group refers to it.
//
// Next file to read: openapi-v2-protobuf.ts.

import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { invariant } from '../../../../common/pure/errors.ts';
import { at, isList, isRecord } from '../schema/json-value.ts';
import { encodeInSlices } from './openapi-v2-protobuf.ts';
import type { OpenApiV3 } from './openapi.ts';

export interface EncodedOpenApi {
  readonly bytes: Uint8Array;
  /** Upper-case hex SHA-512 of the bytes. */
  readonly hash: string;
}

export interface OpenApiV2 {
  json(): Promise<EncodedOpenApi>;
  protobuf(): Promise<EncodedOpenApi>;
}

/**
 * Builds nothing yet: most clients never ask, and a start should not wait for it. The first who
 * asks waits while it is built in slices, with a `turn` for everybody else between them.
 */
export function createOpenApiV2(v3: OpenApiV3, turn: () => Promise<void>): OpenApiV2 {
  const document = once(() => run(buildInSlices(v3), turn));
  return {
    json: once(async () => toEncoded(await run(printInSlices(await document()), turn), turn)),
    protobuf: once(async () => toEncoded(await run(encodeInSlices(await document()), turn), turn)),
  };
}

async function run<T>(slices: Generator<void, T>, turn: () => Promise<void>): Promise<T> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    await turn();
  }
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

async function toEncoded(bytes: Uint8Array, turn: () => Promise<void>): Promise<EncodedOpenApi> {
  await turn();
  return { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() };
}

/** As JSON.stringify, member by member of what is large. */
function* printInSlices(document: JsonObject): Generator<void, Uint8Array> {
  const parts: Uint8Array[] = [];
  let text = '';
  let before = '{';
  for (const [name, value] of Object.entries(document)) {
    text += `${before}${JSON.stringify(name)}:`;
    before = ',';
    if (!isRecord(value)) {
      text += JSON.stringify(value);
      continue;
    }
    let beforeMember = '{';
    for (const [key, member] of Object.entries(value)) {
      text += `${beforeMember}${JSON.stringify(key)}:${JSON.stringify(member)}`;
      beforeMember = ',';
      if (text.length < charactersPerSlice) continue;
      parts.push(Buffer.from(text));
      text = '';
      yield;
    }
    text += beforeMember === '{' ? '{}' : '}';
  }
  return Buffer.concat([...parts, Buffer.from(`${text}}`)]);
}

export function buildOpenApiV2(v3: OpenApiV3): JsonObject {
  const slices = buildInSlices(v3);
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
  }
}

// Half a millisecond, and five when they are the first.
const entriesPerSlice = 4;
// A millisecond or so.
const charactersPerSlice = 128 * 1024;

function* buildInSlices({ documents }: OpenApiV3): Generator<void, JsonObject> {
  const paths = new Map<string, JsonObject>();
  const definitions = new Map<string, JsonObject>();
  for (const document of documents.values()) {
    for (const [path, item] of recordsAt(document, 'paths')) {
      paths.set(path, toPathItem(item));
      if (paths.size % entriesPerSlice === 0) yield;
    }
    yield;
    for (const [name, component] of recordsAt(document, 'components', 'schemas')) {
      addDefinition(definitions, name, toSchema(component));
      if (definitions.size % entriesPerSlice === 0) yield;
    }
    yield;
  }
  const sortedPaths = toSorted(paths);
  yield;
  return {
    swagger: '2.0',
    info: { title: 'Isthmus', version: 'v1' },
    paths: sortedPaths,
    definitions: toSorted(definitions),
  };
}

function addDefinition(
  definitions: Map<string, JsonObject>,
  name: string,
  definition: JsonObject,
): void {
  const known = definitions.get(name);
  // V3. Documents are made by the same code, so equal definitions are equal texts.
  const isSame = known === undefined || JSON.stringify(known) === JSON.stringify(definition);
  invariant(isSame, `two definitions are named ${name}`);
  definitions.set(name, definition);
}

function toSorted(map: ReadonlyMap<string, JsonObject>): JsonObject {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function recordsAt(value: unknown, ...path: readonly string[]): [string, JsonObject][] {
  const record = isRecord(value) ? at(value, ...path) : undefined;
  return isRecord(record) ? Object.entries(record).map(([key, each]) => [key, toRecord(each)]) : [];
}

function toRecord(value: Json | undefined): JsonObject {
  invariant(isRecord(value), 'a part of an OpenAPI document is no object');
  return value;
}

function toList(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}

/**
 * v3 wraps a $ref that has a description in allOf and gives defaults to structs; v2 lets both
 * stand together, and real servers leave the defaults out of it.
 */
function toSchema(v3: JsonObject): JsonObject {
  const { $ref, allOf, oneOf, default: _default, ...others } = v3;
  const { properties, items, additionalProperties, ...plain } = others;
  const ref = $ref ?? toList(allOf).flatMap((each) => (isRecord(each) ? [each['$ref']] : []))[0];
  return {
    ...plain,
    ...(typeof ref === 'string' ? { $ref: toDefinitionRef(ref) } : {}),
    // v2 knows no alternatives: a number or a name is a string of the format int-or-string.
    ...(oneOf === undefined ? {} : { type: 'string' }),
    ...(items === undefined ? {} : { items: toSchema(toRecord(items)) }),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: toSchema(toRecord(additionalProperties)) }),
    ...toProperties(properties),
  };
}

/** Without properties an object is a map to kubectl: an empty list of them says the opposite. */
function toProperties(properties: Json | undefined): JsonObject {
  const entries = recordsAt(properties ?? {});
  if (entries.length === 0) return {};
  return {
    properties: Object.fromEntries(entries.map(([name, schema]) => [name, toSchema(schema)])),
  };
}

function toDefinitionRef(ref: string): string {
  return ref.replace('#/components/schemas/', '#/definitions/');
}

function toPathItem(v3: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(v3).map(([key, value]): [string, Json] =>
      key === 'parameters'
        ? [key, toList(value).map((each) => toParameter(toRecord(each)))]
        : [key, toOperation(toRecord(value))],
    ),
  );
}

function toOperation(v3: JsonObject): JsonObject {
  const { requestBody, parameters, responses, ...plain } = v3;
  const answers = recordsAt(responses ?? {});
  const [, answer] = answers[0] ?? [];
  const others = toList(parameters).map((each) => toParameter(toRecord(each)));
  return {
    ...plain,
    consumes: requestBody === undefined ? ['*/*'] : contentTypes(toRecord(requestBody)),
    produces: answer === undefined ? [] : contentTypes(answer),
    schemes: ['https'],
    parameters: [...(requestBody === undefined ? [] : [toBody(toRecord(requestBody))]), ...others],
    responses: Object.fromEntries(answers.map(([code, each]) => [code, toResponse(each)])),
  };
}

function contentTypes(carrier: JsonObject): readonly string[] {
  return recordsAt(carrier, 'content').map(([type]) => type);
}

/** Every content type of ours has the same schema. */
function schemaOf(carrier: JsonObject): JsonObject {
  const [, content] = recordsAt(carrier, 'content')[0] ?? [];
  return toSchema(toRecord(content?.['schema']));
}

function toBody(body: JsonObject): JsonObject {
  return {
    name: 'body',
    in: 'body',
    ...(body['required'] === true ? { required: true } : {}),
    schema: schemaOf(body),
  };
}

function toResponse(response: JsonObject): JsonObject {
  const { description = '', content } = response;
  return content === undefined ? { description } : { description, schema: schemaOf(response) };
}

function toParameter({ schema, ...plain }: JsonObject): JsonObject {
  return { ...plain, ...toRecord(schema) };
}
