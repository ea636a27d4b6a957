// Objects as Kubernetes' protobuf, made from the same field numbers that ours are read with: what
// a Go client would send for a JSON object.

import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import { isList, isRecord, own } from '../../coordinator/api/machinery/schema/json-value.ts';
import { isNumbered } from '../../coordinator/api/machinery/protobuf/protobuf-body.ts';
import type { Schema } from '../../coordinator/api/machinery/schema/schema.ts';

/** The whole body: `k8s`, a zero byte, and runtime.Unknown around the object. */
export function toProtobufBody(schema: Schema, object: JsonObject): Uint8Array {
  const typeMeta = [
    lengthPrefixed(1, text(String(object['apiVersion'] ?? ''))),
    lengthPrefixed(2, text(String(object['kind'] ?? ''))),
  ];
  return toEnvelope(Buffer.concat(typeMeta), toMessage(schema, object));
}

export function toEnvelope(typeMeta: Uint8Array, raw: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from('k8s\0'),
    lengthPrefixed(1, typeMeta),
    lengthPrefixed(2, raw),
    lengthPrefixed(3, text('')),
    lengthPrefixed(4, text('')),
  ]);
}

export function toMessage(schema: Schema, object: JsonObject): Uint8Array {
  if (!isNumbered(schema)) throw new Error('no field numbers');
  return Buffer.concat(
    Object.entries(schema.protobuf).flatMap(([name, number]) => {
      const field = schema.fields[name];
      if (field === undefined) throw new Error(`no field ${name}`);
      return toField(number, field, own(object, name) ?? null);
    }),
  );
}

/** proto2 in Go: what is no pointer is written although it is empty. */
function toField(number: number, schema: Schema, value: Json): readonly Uint8Array[] {
  if (value === null) return schema.keepsEmpty === true ? [] : toEmpty(number, schema);
  if (schema.type === 'list') {
    const items = isList(value) ? value : [];
    return items.map((item) => toSingle(number, schema.items, item));
  }
  if (schema.type === 'map') {
    const entries = Object.entries(isRecord(value) ? value : {});
    return entries.map(([key, member]) =>
      lengthPrefixed(
        number,
        Buffer.concat([lengthPrefixed(1, text(key)), toSingle(2, schema.values, member ?? null)]),
      ),
    );
  }
  return [toSingle(number, schema, value)];
}

function toEmpty(number: number, schema: Schema): readonly Uint8Array[] {
  switch (schema.type) {
    case 'string':
      return [lengthPrefixed(number, new Uint8Array())];
    case 'integer':
    case 'boolean':
      return [toVarintField(number, 0n)];
    case 'intOrString':
      return [toSingle(number, schema, 0)];
    default:
      return [];
  }
}

function toSingle(number: number, schema: Schema, value: Json): Uint8Array {
  switch (schema.type) {
    case 'object':
      return lengthPrefixed(number, toMessage(schema, isRecord(value) ? value : {}));
    case 'list': {
      if (schema.isWrapped !== true) throw new Error('no list here');
      const items = isList(value) ? value : [];
      const inner = items.map((item) => toSingle(1, schema.items, item));
      return lengthPrefixed(number, Buffer.concat(inner));
    }
    case 'any':
      return lengthPrefixed(number, lengthPrefixed(1, text(JSON.stringify(value))));
    case 'intOrString':
      return lengthPrefixed(number, toIntOrString(value));
    case 'string':
      return lengthPrefixed(number, toStringBytes(schema, String(value)));
    case 'integer':
    case 'boolean':
      return toVarintField(number, BigInt(Number(value)));
    default:
      throw new Error(`no ${schema.type} here`);
  }
}

function toIntOrString(value: Json): Uint8Array {
  const isText = typeof value === 'string';
  return Buffer.concat([
    toVarintField(1, isText ? 1n : 0n),
    toVarintField(2, isText ? 0n : BigInt(Number(value))),
    lengthPrefixed(3, text(isText ? value : '')),
  ]);
}

function toStringBytes(
  schema: Extract<Schema, { readonly type: 'string' }>,
  value: string,
): Uint8Array {
  if (schema.format === 'byte') return Buffer.from(value, 'base64');
  return schema.format === 'date-time' ? toTime(value) : text(value);
}

export function toTime(value: string): Uint8Array {
  const seconds = BigInt(Date.parse(`${value.slice(0, 19)}Z`)) / 1000n;
  const nanos = BigInt(value.slice(20, -1).padEnd(9, '0'));
  return Buffer.concat([toVarintField(1, seconds), toVarintField(2, nanos)]);
}

export function text(value: string): Uint8Array {
  return Buffer.from(value, 'utf8');
}

export function lengthPrefixed(number: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(bytes.length)), bytes]);
}

export function toVarintField(number: number, value: bigint): Uint8Array {
  return Buffer.concat([varint(BigInt(number * 8)), varint(value)]);
}

/** Negative numbers take ten bytes, as in Go. */
export function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
}
