// Plain JSON seen through a kind's schema: unknown fields found, types checked, empty values
// dropped as Go's omitempty drops them, fields brought into the schema's order.
//
// Input: a schema and JSON. Output: the value as it is stored, and what was unknown.
//
//   T1. The result depends on the value only: equal inputs have equal bytes.
//   T2. null means absent. A list's or a map's members are never dropped.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { parseTimestamp, toTimestamp } from '../../../../common/runtime/clock.ts';
import { isList, isRecord, own } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';

/** A value of another type than the schema's. The message is that of Go's decoder. */
export class TypeMismatch extends Error {
  override readonly name = 'TypeMismatch';
}

export interface TypedValue {
  readonly value: JsonObject;
  /** Paths of fields that the schema does not have, such as `spec.ports[0].portz`. */
  readonly unknown: readonly string[];
}

type ObjectSchema = Extract<Schema, { readonly type: 'object' }>;

/** Where the walk stands: for people, for Go's messages, and the struct that holds the field. */
interface Place {
  readonly path: string;
  readonly goPath: string;
  readonly struct: string;
}

export function toTyped(schema: Schema, value: Json): TypedValue {
  const unknown: string[] = [];
  if (schema.type !== 'object' || !isRecord(value)) {
    throw new TypeMismatch(
      `json: cannot unmarshal ${kindOf(value)} into Go value of type ${goType(schema)}`,
    );
  }
  const root = { path: '', goPath: '', struct: schema.goName ?? '' };
  return { value: walkObject(schema, value, root, unknown), unknown };
}

function walk(schema: Schema, value: Json, place: Place, unknown: string[]): Json {
  switch (schema.type) {
    case 'object':
      if (!isRecord(value)) throw mismatch(value, schema, place);
      return walkObject(schema, value, place, unknown);
    case 'map':
      if (!isRecord(value)) throw mismatch(value, schema, place);
      return walkMap(schema.values, value, place, unknown);
    case 'list':
      if (!isList(value)) throw mismatch(value, schema, place);
      return value.map((item, index) => {
        const here = { ...place, path: `${place.path}[${index}]` };
        return walk(schema.items, item ?? zeroOf(schema.items), here, unknown);
      });
    case 'any':
      return value;
    default:
      return walkScalar(schema, value, place);
  }
}

function walkObject(
  schema: ObjectSchema,
  value: JsonObject,
  place: Place,
  unknown: string[],
): JsonObject {
  const struct = schema.goName ?? place.struct;
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(schema.fields, key)) unknown.push(join(place.path, key));
  }
  const members: [string, Json][] = [];
  for (const [key, field] of Object.entries(schema.fields)) {
    const member = own(value, key) ?? null;
    if (member === null) continue;
    const here = { path: join(place.path, key), goPath: join(place.goPath, key), struct };
    const typed = walk(field, member, here, unknown);
    if (field.keepsEmpty === true || !isEmpty(field, typed)) members.push([key, typed]);
  }
  return Object.fromEntries(members);
}

function walkMap(values: Schema, value: JsonObject, place: Place, unknown: string[]): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const here = { ...place, path: join(place.path, key) };
      return [key, walk(values, member ?? zeroOf(values), here, unknown)];
    }),
  );
}

function walkScalar(schema: Schema, value: Json, place: Place): Json {
  switch (schema.type) {
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, schema, place);
      if (schema.format === 'date-time') return toTime(value);
      return schema.format === 'byte' ? checkBase64(value) : value;
    case 'integer':
      if (!isIntegral(value, schema.format)) throw mismatch(value, schema, place);
      return value;
    case 'number':
      if (typeof value !== 'number') throw mismatch(value, schema, place);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw mismatch(value, schema, place);
      return value;
    default:
      if (typeof value === 'string' || isIntegral(value, 'int32')) return value;
      throw mismatch(value, schema, place);
  }
}

function isIntegral(value: Json, format: 'int32' | 'int64'): value is number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return false;
  return format === 'int64' || (value >= -(2 ** 31) && value < 2 ** 31);
}

/** What omitempty leaves out. Structs are always written, as Go writes them. */
function isEmpty(schema: Schema, value: Json): boolean {
  if (schema.type === 'object' || schema.type === 'any') return false;
  if (isList(value)) return value.length === 0;
  if (isRecord(value)) return Object.keys(value).length === 0;
  return value === '' || value === 0 || value === false;
}

/** The value of a list's or map's member that was given as null. */
function zeroOf(schema: Schema): Json {
  switch (schema.type) {
    case 'object':
    case 'map':
      return {};
    case 'list':
      return [];
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'any':
      return null;
    default:
      return 0;
  }
}

const utc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?[+-]\d\d:\d\d$/;

function toTime(text: string): string {
  if (text === '') return text;
  const ms = utc.test(text) || zoned.test(text) ? parseTimestamp(text) : undefined;
  if (ms === undefined) {
    const layout = '2006-01-02T15:04:05Z07:00';
    const quoted = JSON.stringify(text);
    throw new TypeMismatch(
      `parsing time ${quoted} as "${layout}": cannot parse ${quoted} as "2006"`,
    );
  }
  return utc.test(text) ? text : toTimestamp(ms);
}

function checkBase64(text: string): string {
  const packed = text.replace(/[\r\n]/g, '');
  const bad = packed.search(/[^A-Za-z0-9+/=]/);
  const isWhole = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(packed);
  if (isWhole) return packed;
  throw new TypeMismatch(`illegal base64 data at input byte ${bad < 0 ? packed.length : bad}`);
}

function mismatch(value: Json, schema: Schema, place: Place): TypeMismatch {
  const found =
    typeof value === 'number' && schema.type === 'integer' ? `number ${value}` : kindOf(value);
  return new TypeMismatch(
    `json: cannot unmarshal ${found} into Go struct field ` +
      `${place.struct}.${place.goPath} of type ${goType(schema)}`,
  );
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (isList(value)) return 'array';
  if (isRecord(value)) return 'object';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function goType(schema: Schema): string {
  switch (schema.type) {
    case 'object':
      return schema.goName === undefined ? 'struct' : `v1.${schema.goName}`;
    case 'map':
      return `map[string]${goType(schema.values)}`;
    case 'list':
      return `[]${goType(schema.items)}`;
    case 'integer':
      return schema.format;
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'intOrString':
      return 'intstr.IntOrString';
    case 'any':
      return 'interface {}';
    case 'string':
      return schema.format === 'byte' ? '[]uint8' : 'string';
  }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
