// Plain JSON seen through a kind's schema: unknown fields found, types checked, empty values
// dropped as Go's omitempty drops them, fields brought into the schema's order.
//
// Input: a schema and JSON. Output: the value as it is stored, and what was unknown.
//
//   T1. The result depends on the value only: equal inputs have equal bytes.
//   T2. null means absent. A list's or a map's members are never dropped.
//   T3. Paths are put together only for what is wrong: most values are right.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { isList, isRecord } from './json-value.ts';
import type { Schema } from './schema.ts';
import { toTime } from './typed-time.ts';
import { describeMismatch, TypeMismatch, type Step } from './type-mismatch.ts';

export interface TypedValue {
  readonly value: JsonObject;
  /** Paths of fields that the schema does not have, such as `spec.ports[0].portz`. */
  readonly unknown: readonly string[];
}

type ObjectSchema = Extract<Schema, { readonly type: 'object' }>;

export function toTyped(schema: Schema, value: Json): TypedValue {
  const walk = new Walk();
  if (schema.type !== 'object' || !isRecord(value)) {
    throw describeMismatch(schema, value, { struct: '', path: [] });
  }
  return { value: walk.object(schema, value), unknown: walk.unknown };
}

class Walk {
  readonly unknown: string[] = [];
  readonly #path: Step[] = [];
  /** Go's names of the structs around, for errors. */
  readonly #structs: string[] = [];

  object(schema: ObjectSchema, value: JsonObject): JsonObject {
    const { fields } = schema;
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(fields, key)) this.unknown.push(this.#pathOf(key));
    }
    this.#structs.push(schema.goName ?? this.#structs.at(-1) ?? '');
    const typed: Record<string, Json> = {};
    for (const key of Object.keys(fields)) {
      const field = fields[key];
      if (field === undefined) continue;
      const member = (Object.hasOwn(value, key) ? value[key] : undefined) ?? null;
      if (member === null) {
        if (field.isAlways === true) typed[key] = zeroOf(field);
        continue;
      }
      this.#path.push(key);
      const found = this.#value(field, member);
      this.#path.pop();
      if (field.keepsEmpty === true || field.isAlways === true || !isEmpty(field, found)) {
        typed[key] = found;
      }
    }
    this.#structs.pop();
    return typed;
  }

  #value(schema: Schema, value: Json): Json {
    switch (schema.type) {
      case 'object':
        return isRecord(value) ? this.object(schema, value) : this.#fail(schema, value);
      case 'map':
        return isRecord(value) ? this.#map(schema.values, value) : this.#fail(schema, value);
      case 'list':
        return isList(value) ? this.#list(schema.items, value) : this.#fail(schema, value);
      case 'any':
        return value;
      default:
        return this.#scalar(schema, value);
    }
  }

  #list(items: Schema, value: readonly Json[]): Json {
    return value.map((item, index) => {
      this.#path.push(index);
      const typed = this.#value(items, item ?? zeroOf(items));
      this.#path.pop();
      return typed;
    });
  }

  #map(values: Schema, value: JsonObject): JsonObject {
    // Keys in order, as Go writes maps: the answer does not depend on who wrote what first.
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      members.map(([key, member]) => {
        this.#path.push({ key });
        const typed = this.#value(values, member ?? zeroOf(values));
        this.#path.pop();
        return [key, typed];
      }),
    );
  }

  #scalar(schema: Schema, value: Json): Json {
    switch (schema.type) {
      case 'string':
        if (typeof value !== 'string') return this.#fail(schema, value);
        if (schema.format === 'date-time') return toTime(value, schema.precision ?? 'seconds');
        return schema.format === 'byte' ? checkBase64(value) : value;
      case 'integer':
        return isIntegral(value, schema.format) ? value : this.#fail(schema, value);
      case 'number':
        return typeof value === 'number' ? value : this.#fail(schema, value);
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#fail(schema, value);
      default:
        if (typeof value === 'string' || isIntegral(value, 'int32')) return value;
        return this.#fail(schema, value);
    }
  }

  #pathOf(last: string): string {
    return [...this.#path, last].reduce<string>((path, step) => {
      if (typeof step === 'number') return `${path}[${step}]`;
      const name = typeof step === 'string' ? step : step.key;
      return path === '' ? name : `${path}.${name}`;
    }, '');
  }

  #fail(schema: Schema, value: Json): never {
    throw describeMismatch(schema, value, { struct: this.#structs.at(-1) ?? '', path: this.#path });
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

/** The value of what was given as null, or is there by value. */
export function zeroOf(schema: Schema): Json {
  switch (schema.type) {
    case 'object':
    case 'map':
      return {};
    case 'list':
      return [];
    case 'string':
      return schema.format === 'date-time' ? null : '';
    case 'boolean':
      return false;
    case 'any':
      return null;
    default:
      return 0;
  }
}

function checkBase64(text: string): string {
  const packed = text.replace(/[\r\n]/g, '');
  const isWhole = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(packed);
  if (isWhole) return packed;
  const bad = packed.search(/[^A-Za-z0-9+/=]/);
  const at = bad < 0 ? packed.length - (packed.length % 4) : bad;
  throw new TypeMismatch(`illegal base64 data at input byte ${at}`);
}
