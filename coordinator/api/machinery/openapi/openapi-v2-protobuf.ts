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
  const slices = encodeInSlices(document);
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
  }
}

// A millisecond or two, when the code runs for the first time: later a tenth of that.
const entriesPerSlice = 2;

/** The same with pauses, in which a caller lets others have their turn. */
export function* encodeInSlices(document: JsonObject): Generator<void, Uint8Array> {
  const output = new Output();
  for (const [key, member] of entriesOf(document)) {
    const group = groups[key];
    if (group === undefined) {
      encodeMessage(output, documentFields, { [key]: member });
      continue;
    }
    const inner = new Output();
    for (const [index, entry] of entriesOf(member).entries()) {
      encodeNamed(inner, group.entry, entry, group.encode);
      if (index % entriesPerSlice === entriesPerSlice - 1) yield;
    }
    output.bytes(group.field, inner.toBytes());
  }
  return output.toBytes();
}

/** A message that is written front to back into one buffer. */
class Output {
  #buffer = Buffer.allocUnsafe(1024);
  #size = 0;

  toBytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  /** Wire type 0. */
  flag(field: number): void {
    this.#varint(field * 8);
    this.#varint(1);
  }

  /** Wire type 1. */
  double(field: number, value: number): void {
    this.#varint(field * 8 + 1);
    this.#reserve(8);
    this.#buffer.writeDoubleLE(value, this.#size);
    this.#size += 8;
  }

  /** Wire type 0. */
  count(field: number, value: number): void {
    this.#varint(field * 8);
    this.#varint(value);
  }

  /** Wire type 2. */
  bytes(field: number, value: Uint8Array): void {
    this.#varint(field * 8 + 2);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#size);
    this.#size += value.length;
  }

  /** Wire type 2: what `write` puts into the nested message. */
  nested(field: number, write: (inner: Output) => void): void {
    this.#varint(field * 8 + 2);
    const start = this.#size;
    write(this);
    const length = this.#size - start;
    // The length stands before what it is known after: that moves on to make room.
    this.#varint(length);
    const prefix = this.#size - start - length;
    const varint = Buffer.from(this.#buffer.subarray(this.#size - prefix, this.#size));
    this.#buffer.copyWithin(start + prefix, start, start + length);
    this.#buffer.set(varint, start);
  }

  #varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) {
      this.#buffer[this.#size] = (rest % 0x80) + 0x80;
      this.#size += 1;
    }
    this.#buffer[this.#size] = rest;
    this.#size += 1;
  }

  #reserve(bytes: number): void {
    if (this.#size + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(2 * (this.#size + bytes));
    this.#buffer.copy(grown, 0, 0, this.#size);
    this.#buffer = grown;
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

function double(output: Output, field: number, value: Json): void {
  invariant(typeof value === 'number', 'a bound is a number');
  output.double(field, value);
}

function count(output: Output, field: number, value: Json): void {
  invariant(typeof value === 'number' && value >= 0, 'a length is a number');
  output.count(field, value);
}

function flag(output: Output, field: number, value: Json): void {
  if (value === true) output.flag(field);
}

/** Message `Any`: any value as YAML, of which JSON is a part. */
function yaml(output: Output, field: number, value: Json): void {
  output.nested(field, (inner) => text(inner, 2, `${JSON.stringify(value)}\n`));
}

function message(of: Message): Encode {
  return (output, field, value) => output.nested(field, (inner) => encodeMessage(inner, of, value));
}

/** A message around one field of its own: a oneof, a map or a list that has a name. */
function inside(number: number, encode: Encode): Encode {
  return (output, field, value) => output.nested(field, (inner) => encode(inner, number, value));
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
    maximum: [7, double],
    minimum: [9, double],
    maxLength: [11, count],
    pattern: [13, text],
    maxItems: [14, count],
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
  },
};

/** The two long maps of the document, each a message of its own around its entries. */
const groups: Readonly<
  Record<string, { readonly field: number; readonly entry: number; readonly encode: Encode }>
> = {
  paths: { field: 8, entry: 2, encode: message(pathItemFields) },
  definitions: { field: 9, entry: 1, encode: schema },
};
