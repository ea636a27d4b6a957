// Reads the protobuf form of an OpenAPI v2 document back into what its JSON form says. It shares
// nothing with the encoder: protobufjs decodes, by a schema with the field numbers that
// google/gnostic publishes (openapiv2/OpenAPIv2.proto), as far as our documents use them.

import protobuf from 'protobufjs';
import { parse as parseYaml } from 'yaml';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';

const source = `
syntax = "proto3";
message Document { string swagger = 1; Info info = 2; Paths paths = 8; NamedSchemas definitions = 9; }
message Info { string title = 1; string version = 2; }
message Paths { repeated NamedPath path = 2; }
message NamedPath { string name = 1; PathItem value = 2; }
message PathItem {
  Operation get = 2; Operation put = 3; Operation post = 4; Operation delete = 5;
  Operation patch = 8; repeated ParametersItem parameters = 9;
}
message Operation {
  string description = 3; repeated string produces = 6; repeated string consumes = 7;
  repeated ParametersItem parameters = 8; Responses responses = 9; repeated string schemes = 10;
  repeated NamedAny extensions = 13;
}
message ParametersItem { Parameter parameter = 1; }
message Parameter { Body body = 1; NonBody other = 2; }
message Body { string name = 2; string in = 3; bool required = 4; Schema schema = 5; }
message NonBody { Query query = 3; Path path = 4; }
message Query {
  string in = 2; string description = 3; string name = 4; string type = 6; bool uniqueItems = 20;
}
message Path {
  bool required = 1; string in = 2; string description = 3; string name = 4; string type = 5;
}
message Responses { repeated NamedResponse code = 1; }
message NamedResponse { string name = 1; ResponseValue value = 2; }
message ResponseValue { Response response = 1; }
message Response { string description = 1; SchemaItem schema = 2; }
message SchemaItem { Schema schema = 1; }
message NamedSchemas { repeated NamedSchema entry = 1; }
message NamedSchema { string name = 1; Schema value = 2; }
message Any { string yaml = 2; }
message NamedAny { string name = 1; Any value = 2; }
message AdditionalProperties { Schema schema = 1; }
message Items { repeated Schema schema = 1; }
message Type { repeated string value = 1; }
message Schema {
  string ref = 1; string format = 2; string description = 4; double maximum = 7;
  double minimum = 9; uint32 maxLength = 11; string pattern = 13; uint32 maxItems = 14;
  repeated string required = 19;
  repeated Any enum = 20; AdditionalProperties additionalProperties = 21; Type type = 22;
  Items items = 23; NamedSchemas properties = 25; repeated NamedAny extensions = 31;
}
`;

/** Everything that protobufjs may give; absent fields are absent. */
type Decoded = { readonly [key: string]: unknown };

export function readSwagger(bytes: Uint8Array): JsonObject {
  const type = protobuf.parse(source, { keepCase: true }).root.lookupType('Document');
  const { paths, definitions, ...plain } = type.toObject(type.decode(bytes)) as Decoded;
  return {
    ...(plain as JsonObject),
    paths: named(one(paths)['path'], toPathItem),
    definitions: named(one(definitions)['entry'], toSchema),
  };
}

function one(value: unknown): Decoded {
  return (value ?? {}) as Decoded;
}

function many(value: unknown): readonly Decoded[] {
  return (value ?? []) as readonly Decoded[];
}

function named(entries: unknown, read: (value: Decoded) => Json): JsonObject {
  return Object.fromEntries(
    many(entries).map(({ name, value }) => [name as string, read(one(value))]),
  );
}

const fromYaml = (any: Decoded): Json => parseYaml(any['yaml'] as string) as Json;

function toPathItem({ parameters, ...operations }: Decoded): Json {
  const read = Object.entries(operations).map(([method, each]) => [method, toOperation(one(each))]);
  return { ...Object.fromEntries(read), parameters: many(parameters).map(toParameter) };
}

function toOperation({ parameters, responses, extensions, ...plain }: Decoded): Json {
  return {
    ...(plain as JsonObject),
    ...named(extensions, fromYaml),
    parameters: many(parameters).map(toParameter),
    responses: named(one(responses)['code'], (value) => {
      const { description, schema } = one(value['response']);
      const said = { description: description as string };
      if (schema === undefined) return said;
      return { ...said, schema: toSchema(one(one(schema)['schema'])) };
    }),
  };
}

function toParameter(item: Decoded): Json {
  const { body, other } = one(item['parameter']);
  const { query, path } = one(other);
  if (body === undefined) return (query ?? path) as Json;
  const { schema, ...plain } = one(body);
  return { ...(plain as JsonObject), schema: toSchema(one(schema)) };
}

function toSchema(schema: Decoded): Json {
  const { ref, type, items, properties, additionalProperties, extensions, ...others } = schema;
  const { enum: values, ...plain } = others;
  return {
    ...(plain as JsonObject),
    ...named(extensions, fromYaml),
    ...(ref === undefined ? {} : { $ref: ref as string }),
    ...(type === undefined ? {} : { type: many(one(type)['value'])[0] as unknown as string }),
    ...(values === undefined ? {} : { enum: many(values).map(fromYaml) }),
    ...(items === undefined ? {} : { items: toSchema(one(many(one(items)['schema'])[0])) }),
    ...(properties === undefined ? {} : { properties: named(one(properties)['entry'], toSchema) }),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: toSchema(one(one(additionalProperties)['schema'])) }),
  };
}
