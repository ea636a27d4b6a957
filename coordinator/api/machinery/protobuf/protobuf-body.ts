// Protobuf bodies as the plain JSON that a JSON body of the same object is. kubectl from 1.32 on
// and Kubernetes' own controllers send them.
//
// Input: bytes, and the schema with its field numbers. Output: JSON, not yet checked: it goes the
// way of every other body (decode.ts), which drops what proto2 writes although it is empty.
//
//   B1. What has no bytes on the wire has no member in the JSON: presence of pointers survives.
//   B2. The schema bounds the depth, the bytes bound the rest.
//   B3. Throws nothing but ProtobufError, whatever the bytes are.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { assertNever, invariant } from '../../../../common/pure/errors.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import { JsonBudgetError, JsonSyntaxError, parseJsonStrict } from '../schema/json-strict.ts';
import { ProtobufError, splitMessage, type WireValue } from './protobuf-fields.ts';
import type { Schema } from '../schema/schema.ts';

/** The schema of an object that has field numbers. */
export type NumberedSchema = Extract<Schema, { readonly type: 'object' }> & {
  readonly protobuf: Readonly<Record<string, number>>;
};

/** False for kinds without field numbers, such as ours: they take JSON and YAML only. */
export function isNumbered(schema: Schema): schema is NumberedSchema {
  return schema.type === 'object' && schema.protobuf !== undefined;
}

export interface Envelope {
  /** apiVersion and kind, each only when the body names it. */
  readonly typeMeta: JsonObject;
  readonly raw: Uint8Array;
}

// "k8s" and a zero byte.
const magic: readonly number[] = [0x6b, 0x38, 0x73, 0x00];

// Of the messages that no kind's table has: their fields are read by number.
const firstTwo: ReadonlySet<number> = new Set([1, 2]);
const intOrStringFields: ReadonlySet<number> = new Set([1, 2, 3]);

/** runtime.Unknown: what Kubernetes wraps each protobuf object in. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length === 0) throw new ProtobufError('empty data');
  if (!magic.every((byte, index) => bytes[index] === byte)) {
    const prefix = `[${magic.join(' ')}]`;
    throw new ProtobufError(
      `provided data does not appear to be a protobuf message, expected prefix ${prefix}`,
    );
  }
  if (bytes.length === magic.length) throw new ProtobufError('empty body');
  const fields = splitMessage('Unknown', bytes.subarray(magic.length), firstTwo);
  const typeMeta = splitMessage('TypeMeta', joined(fields.get(1), 'TypeMeta'), firstTwo);
  const named = [
    ['apiVersion', lastText(typeMeta.get(1), 'APIVersion')],
    ['kind', lastText(typeMeta.get(2), 'Kind')],
  ].filter(([, value]) => value !== '');
  return { typeMeta: Object.fromEntries(named), raw: lastBytes(fields.get(2), 'Raw') };
}

/** One message as an object of its schema. */
export function readMessage(schema: NumberedSchema, bytes: Uint8Array): JsonObject {
  return toMessageReader(schema)(bytes);
}

/** For many messages of one schema: what depends on the schema alone is done once. */
function toMessageReader(schema: NumberedSchema): (bytes: Uint8Array) => JsonObject {
  const fields = new Map(
    Object.entries(schema.protobuf).map(([name, number]) => {
      const field = schema.fields[name];
      invariant(field !== undefined, `a number without a field: ${name}`);
      return [number, { name, field }] as const;
    }),
  );
  return (bytes) => {
    const members: [string, Json][] = [];
    for (const [number, values] of splitMessage(schema.goName ?? 'struct', bytes, fields)) {
      const found = fields.get(number);
      if (found === undefined) continue;
      const { name, field } = found;
      const value = readField(field, values, name);
      if (value !== undefined) members.push([name, value]);
    }
    return Object.fromEntries(members);
  };
}

type WireValues = readonly WireValue[] | undefined;

/** A field as often as it stands in the message: the last scalar wins, messages are merged. */
function readField(schema: Schema, values: readonly WireValue[], name: string): Json | undefined {
  switch (schema.type) {
    case 'object':
      invariant(isNumbered(schema), `${name} has no field numbers`);
      return readMessage(schema, joined(values, name));
    case 'map':
      return Object.fromEntries(
        values.map((value) => readMapEntry(schema.values, toBytes(value, name), name)),
      );
    case 'list':
      return readItems(
        schema.items,
        schema.isWrapped === true ? unwrap(values, name) : values,
        name,
      );
    case 'any':
      return readRaw(joined(values, name));
    case 'intOrString':
      return readIntOrString(joined(values, name));
    case 'string':
      return readString(schema, values, name);
    case 'integer':
      return readInteger(schema.format, values, name);
    case 'boolean':
      return readInteger('int64', values, name) !== 0;
    case 'number':
      return readDouble(values, name);
    default:
      return assertNever(schema);
  }
}

/** The items of messages whose only field they are. */
function unwrap(values: readonly WireValue[], name: string): readonly WireValue[] {
  return splitMessage(name, joined(values, name), firstTwo).get(1) ?? [];
}

function readItems(items: Schema, values: readonly WireValue[], name: string): Json {
  if (!isNumbered(items)) return values.map((value) => readField(items, [value], name) ?? null);
  const readItem = toMessageReader(items);
  return values.map((value) => readItem(toBytes(value, name)));
}

function readMapEntry(schema: Schema, bytes: Uint8Array, name: string): readonly [string, Json] {
  const entry = splitMessage(name, bytes, firstTwo);
  // A value without bytes is the zero value; Kubernetes' maps hold texts and bytes only.
  const value = readField(schema, entry.get(2) ?? [], name) ?? '';
  return [lastText(entry.get(1), name), value];
}

/** FieldsV1 and RawExtension: JSON as bytes, within a message. */
function readRaw(bytes: Uint8Array): Json | undefined {
  const raw = lastBytes(splitMessage('FieldsV1', bytes, firstTwo).get(1), 'Raw');
  if (raw.length === 0) return undefined;
  try {
    return parseJsonStrict(toText(raw)).value;
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof JsonBudgetError) {
      throw new ProtobufError(error.message);
    }
    throw error;
  }
}

function readIntOrString(bytes: Uint8Array): Json {
  const fields = splitMessage('IntOrString', bytes, intOrStringFields);
  const type = readInteger('int64', fields.get(1), 'Type');
  const number = readInteger('int32', fields.get(2), 'IntVal');
  const text = lastText(fields.get(3), 'StrVal');
  if (type === 0) return number;
  if (type === 1) return text;
  throw new ProtobufError('impossible IntOrString.Type');
}

function readString(
  schema: Extract<Schema, { readonly type: 'string' }>,
  values: readonly WireValue[],
  name: string,
): Json | undefined {
  const bytes = lastBytes(values, name);
  if (schema.format === 'byte') return Buffer.from(bytes).toString('base64');
  if (schema.format === undefined) return toText(bytes);
  return readTime(bytes, schema.precision ?? 'seconds');
}

// Years 0 to 9999, as in RFC 3339; Go's zero time is the first second of year 1.
const secondsMin = -62_167_219_200;
const secondsMax = 253_402_300_799;
const zeroTimeSeconds = -62_135_596_800;

/** metav1.Time drops fractions, MicroTime has six digits of them; unset ones have no bytes. */
function readTime(bytes: Uint8Array, precision: 'seconds' | 'microseconds'): string | undefined {
  if (bytes.length === 0) return undefined;
  const fields = splitMessage('Timestamp', bytes, firstTwo);
  const nanos = precision === 'seconds' ? 0 : readInteger('int32', fields.get(2), 'Nanos');
  const carried = Math.floor(nanos / 1e9);
  const seconds = readInteger('int64', fields.get(1), 'Seconds') + carried;
  if (seconds < secondsMin || seconds > secondsMax) {
    throw new ProtobufError('year outside of range [0,9999]');
  }
  const micros = Math.floor((nanos - carried * 1e9) / 1000);
  if (seconds === zeroTimeSeconds && micros === 0) return undefined;
  const whole = toTimestamp(seconds * 1000);
  return precision === 'seconds'
    ? whole
    : whole.replace(/Z$/, `.${String(micros).padStart(6, '0')}Z`);
}

/** 0 when absent. Beyond 2^53 it is not exact, and the check of integers refuses it. */
function readInteger(format: 'int32' | 'int64', values: WireValues, name: string): number {
  let number = 0;
  for (const value of values ?? []) {
    if (value.kind !== 'varint') throw wrongType(value, name);
    const { low, high } = value;
    number = format === 'int32' ? low | 0 : (high | 0) * 2 ** 32 + low;
  }
  return number;
}

function readDouble(values: readonly WireValue[], name: string): number {
  let number = 0;
  for (const value of values) {
    if (value.kind !== 'fixed64') throw wrongType(value, name);
    number = Buffer.from(value.bytes).readDoubleLE();
  }
  return number;
}

const noBytes = new Uint8Array();

function lastText(values: WireValues, name: string): string {
  return toText(lastBytes(values, name));
}

function lastBytes(values: WireValues, name: string): Uint8Array {
  return (values ?? []).map((value) => toBytes(value, name)).at(-1) ?? noBytes;
}

/** A message that stands there in parts is the message that the parts are together. */
function joined(values: WireValues, name: string): Uint8Array {
  const parts = (values ?? []).map((value) => toBytes(value, name));
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}

function toBytes(value: WireValue, name: string): Uint8Array {
  if (value.kind === 'bytes') return value.bytes;
  throw wrongType(value, name);
}

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

function wrongType(value: WireValue, name: string): ProtobufError {
  const field = name.slice(0, 1).toUpperCase() + name.slice(1);
  return new ProtobufError(`proto: wrong wireType = ${wireTypes[value.kind]} for field ${field}`);
}

/** Bytes that are no UTF-8 become U+FFFD, as they do when Go writes such a string as JSON. */
function toText(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
