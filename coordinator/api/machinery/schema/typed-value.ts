// Plain JSON seen through a kind's schema: unknown fields found, types checked, empty values
// dropped as Go's omitempty drops them, fields brought into the schema's order.
//
// Input: a schema and JSON. Output: the value as it is stored, and what was unknown.
//
//   T1. The result depends on the value only: equal inputs have equal bytes.
//   T2. null means absent. A list's or a map's members are never dropped.
//   T3. Paths are put together only for what is wrong: most values are right.

import { setMember } from '../../../../common/pure/set-member.ts';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { isList, isRecord } from './json-value.ts';
import type { Schema } from './schema.ts';
import { toTime } from './typed-time.ts';
import { describeMismatch, TypeMismatch, type Step } from './type-mismatch.ts';

export interface TypedValue {
  readonly value: JsonObject;
  /** What strict validation refuses, such as `unknown field "spec.ports[0].portz"`. */
  readonly strict: readonly string[];
}

type ObjectSchema = Extract<Schema, { readonly type: 'object' }>;

/** What the parser saw and JSON does not tell. */
export interface Notes {
  /** Paths of keys that stand there twice. */
  readonly duplicates: readonly string[];
  /** Numbers that are not written as plain integers, by path. */
  readonly numbers: ReadonlyMap<string, string>;
}

/** Throws TypeMismatch for the first value that is of another type. */
export function toTyped(schema: Schema, value: Json, notes?: Notes): TypedValue {
  const walk = new Walk(notes);
  if (schema.type !== 'object' || !isRecord(value)) {
    throw describeMismatch(schema, value, { struct: '', path: [] });
  }
  return { value: walk.object(schema, value), strict: walk.strict };
}

class Walk {
  readonly strict: string[] = [];
  readonly #duplicates: ReadonlySet<string> | undefined;
  readonly #numbers: ReadonlyMap<string, string> | undefined;
  readonly #path: Step[] = [];
  /** Go's names of the structs around, for errors. */
  readonly #structs: string[] = [];

  constructor(notes: Notes | undefined) {
    const { duplicates = [], numbers } = notes ?? {};
    this.#duplicates = duplicates.length > 0 ? new Set(duplicates) : undefined;
    this.#numbers = numbers !== undefined && numbers.size > 0 ? numbers : undefined;
  }

  object(schema: ObjectSchema, value: JsonObject): JsonObject {
    this.#structs.push(schema.goName ?? this.#structs.at(-1) ?? '');
    const found = this.#members(schema, value);
    this.#structs.pop();
    const typed: Record<string, Json> = {};
    for (const key of Object.keys(schema.fields)) {
      const field = schema.fields[key];
      if (field === undefined) continue;
      const member = found.get(key);
      if (member === undefined) {
        if (field.isAlways === true) typed[key] = zeroOf(field);
      } else if (field.keepsEmpty === true || field.isAlways === true || !isEmpty(field, member)) {
        typed[key] = member;
      }
    }
    return typed;
  }

  /** In the order of the text, so that faults come in the order in which Go finds them. */
  #members(schema: ObjectSchema, value: JsonObject): ReadonlyMap<string, Json> {
    const found = new Map<string, Json>();
    for (const key of Object.keys(value)) {
      const field = Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined;
      if (field === undefined) {
        this.strict.push(`unknown field ${JSON.stringify(this.#pathOf(key))}`);
        continue;
      }
      const member = value[key] ?? null;
      this.#path.push(key);
      if (member !== null) found.set(key, this.#value(field, member));
      this.#path.pop();
      this.#noteDuplicate(key);
    }
    return found;
  }

  #noteDuplicate(key: string): void {
    if (this.#duplicates === undefined) return;
    const path = this.#pathOf(key);
    if (this.#duplicates.has(path)) this.strict.push(`duplicate field ${JSON.stringify(path)}`);
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
    const members: Record<string, Json> = {};
    for (const key of Object.keys(value).sort()) {
      this.#path.push({ key });
      setMember(members, key, this.#value(values, value[key] ?? zeroOf(values)));
      this.#path.pop();
      this.#noteDuplicate(key);
    }
    return members;
  }

  #scalar(schema: Schema, value: Json): Json {
    switch (schema.type) {
      case 'string':
        if (typeof value !== 'string') return this.#fail(schema, value);
        if (schema.format === 'date-time') return toTime(value, schema.precision ?? 'seconds');
        return schema.format === 'byte' ? checkBase64(value) : value;
      case 'integer':
        if (this.#numbers !== undefined) this.#checkNumber(schema);
        return isIntegral(value, schema.format) ? value : this.#fail(schema, value);
      case 'number':
        return typeof value === 'number' ? value : this.#fail(schema, value);
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#fail(schema, value);
      default:
        if (this.#numbers !== undefined) this.#checkNumber(schema);
        if (typeof value === 'string' || isIntegral(value, 'int32')) return value;
        return this.#fail(schema, value);
    }
  }

  /** `80.0` is an integer to JavaScript, and none to Go. */
  #checkNumber(schema: Schema): void {
    const text = this.#numbers?.get(toPath(this.#path));
    if (text === undefined) return;
    const at = { struct: this.#structs.at(-1) ?? '', path: this.#path };
    throw describeMismatch(schema, Number(text), at, text);
  }

  #pathOf(last: string): string {
    return toPath([...this.#path, last]);
  }

  #fail(schema: Schema, value: Json): never {
    throw describeMismatch(schema, value, { struct: this.#structs.at(-1) ?? '', path: this.#path });
  }
}

function toPath(steps: readonly Step[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`;
    const name = typeof step === 'string' ? step : step.key;
    return path === '' ? name : `${path}.${name}`;
  }, '');
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
