// The OpenAPI v2 document as a protobuf message `openapi.v2.Document` (google/gnostic,
// openapiv2/OpenAPIv2.proto): the form that kubectl and Argo CD ask for.
//
// Input: the document, as of openapi-v2.ts. Output: its bytes. Pure.
//
//   P1. Nothing is lost: a key whose field number is not known here is a programmer error.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { invariant } from '../../../../common/pure/errors.ts';
import { isList, isRecord } from '../schema/json-value.ts';

export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  const output = new Output();
  encodeMessage(output, documentFields, document);
  return Buffer.concat(output.parts);
}

/** Pieces of a message, put together once: a length stands before what it is the length of. */
class Output {
  readonly parts: Uint8Array[] = [];
  #size = 0;

  /** Wire type 0. */
  flag(field: number): void {
    this.#varint(field * 8);
    this.#varint(1);
  }

  /** Wire type 2. */
  bytes(field: number, value: Uint8Array): void {
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    this.#add(value);
  }

  /** Wire type 2: what `write` puts into the nested message. */
  nested(field: number, write: (inner: Output) => void): void {
    const inner = new Output();
    write(inner);
    this.#varint(field * 8 + 2);
    this.#varint(inner.#size);
    for (const part of inner.parts) this.#add(part);
  }

  #varint(value: number): void {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
    bytes.push(rest);
    this.#add(Buffer.from(bytes)); // from the pool: there are tens of thousands
  }

  #add(part: Uint8Array): void {
    this.parts.push(part);
    this.#size += part.length;
  }
}

/** Writes one field, its key included. */
type Encode = (output: Output, field: number, value: Json) => void;

/** By JSON key: the field's number and how it is encoded. */
interface Message {
  readonly fields: Readonly<Record<string, readonly [number, Encode]>>;
  /** Number of `vendor_extension`, where the message has x- keys. */
  readonly extensions?: number;
}

function encodeMessage(output: Output, { fields, extensions }: Message, value: Json): void {
  for (const [key, member] of entriesOf(value)) {
    if (extensions !== undefined && key.startsWith('x-')) {
      encodeNamed(output, extensions, [key, member], yaml);
      continue;
    }
    const field = fields[key];
    invariant(field !== undefined, `no field number is known for ${key}`); // P1
    const [number, encode] = field;
    encode(output, number, member);
  }
}

function entriesOf(value: Json): readonly (readonly [string, Json])[] {
  invariant(isRecord(value), 'a message or map is made of an object');
  return Object.entries(value).flatMap(([key, member]) =>
    member === undefined ? [] : [[key, member] as const],
  );
}

/** Maps are repeated messages of a name (1) and a value (2). */
function encodeNamed(
  output: Output,
  field: number,
  [name, value]: readonly [string, Json],
  encode: Encode,
): void {
  output.nested(field, (inner) => {
    text(inner, 1, name);
    encode(inner, 2, value);
  });
}

function text(output: Output, field: number, value: Json): void {
  invariant(typeof value === 'string', 'a string field is a string');
  output.bytes(field, Buffer.from(value));
}

function flag(output: Output, field: number, value: Json): void {
  if (value === true) output.flag(field);
}

/** Message `Any`: any value as YAML, of which JSON is a part. */
function yaml(output: Output, field: number, value: Json): void {
  output.nested(field, (inner) => text(inner, 2, `${JSON.stringify(value)}\n`));
}

function message(of: Message): Encode {
  return (output, field, value) =>
    output.nested(field, (inner) => encodeMessage(inner, of, value));
}

/** A message around one field of its own: a oneof, a map or a list that has a name. */
function inside(number: number, encode: Encode): Encode {
  return (output, field, value) =>
    output.nested(field, (inner) => encode(inner, number, value));
}

function each(encode: Encode): Encode {
  return (output, field, value) => {
    invariant(isList(value), 'a repeated field is a list');
    for (const item of value) encode(output, field, item);
  };
}

function named(encode: Encode): Encode {
  return (output, field, value) => {
    for (const entry of entriesOf(value)) encodeNamed(output, field, entry, encode);
  };
}

/** Schemas hold schemas: the table is looked up when it is there. */
function schema(output: Output, field: number, value: Json): void {
  output.nested(field, (inner) => encodeMessage(inner, schemaFields, value));
}

const schemaFields: Message = {
  fields: {
    $ref: [1, text],
    format: [2, text],
    description: [4, text],
    required: [19, each(text)],
    enum: [20, each(yaml)],
    additionalProperties: [21, inside(1, schema)],
    type: [22, inside(1, text)],
    items: [23, inside(1, schema)],
    properties: [25, inside(1, named(schema))],
  },
  extensions: 31,
};

const bodyFields: Message = {
  fields: { name: [2, text], in: [3, text], required: [4, flag], schema: [5, schema] },
};

const queryFields: Message = {
  fields: {
    in: [2, text],
    description: [3, text],
    name: [4, text],
    type: [6, text],
    uniqueItems: [20, flag],
  },
};

const pathFields: Message = {
  fields: {
    required: [1, flag],
    in: [2, text],
    description: [3, text],
    name: [4, text],
    type: [5, text],
  },
};

const bodyParameter = inside(1, inside(1, message(bodyFields)));
const queryParameter = inside(1, inside(2, inside(3, message(queryFields))));
const pathParameter = inside(1, inside(2, inside(4, message(pathFields))));

/** ParametersItem > Parameter > where it is. */
function parameter(output: Output, field: number, value: Json): void {
  const place = isRecord(value) ? value['in'] : undefined;
  switch (place) {
    case 'body':
      return bodyParameter(output, field, value);
    case 'query':
      return queryParameter(output, field, value);
    default:
      invariant(place === 'path', 'a parameter is in the body, the query or the path');
      return pathParameter(output, field, value);
  }
}

const responseFields: Message = {
  fields: { description: [1, text], schema: [2, inside(1, schema)] },
};

const operationFields: Message = {
  fields: {
    description: [3, text],
    produces: [6, each(text)],
    consumes: [7, each(text)],
    parameters: [8, each(parameter)],
    responses: [9, inside(1, named(inside(1, message(responseFields))))],
    schemes: [10, each(text)],
  },
  extensions: 13,
};

const operation = message(operationFields);

const pathItemFields: Message = {
  fields: {
    get: [2, operation],
    put: [3, operation],
    post: [4, operation],
    delete: [5, operation],
    patch: [8, operation],
    parameters: [9, each(parameter)],
  },
};

const documentFields: Message = {
  fields: {
    swagger: [1, text],
    info: [2, message({ fields: { title: [1, text], version: [2, text] } })],
    paths: [8, inside(2, named(message(pathItemFields)))],
    definitions: [9, inside(1, named(schema))],
  },
};
