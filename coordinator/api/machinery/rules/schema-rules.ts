// What a schema itself says of an object: required fields, enums, bounds, patterns, identities of
// list entries. Kinds that are like custom resources are held to it, in the words that
// kube-apiserver has for those. Pure.
//
//   S1. What an update leaves as it was is not looked at: a rule that became stricter with a
//       release holds up no write of something else (upstream's validation ratcheting).

import type { Json } from '../../../../common/model/kube-object.ts';
import type { FieldError } from '../kind.ts';
import { isList, isRecord, jsonEquals, own } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';
import {
  duplicate,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from './field-errors.ts';

type Of<Type extends Schema['type']> = Extract<Schema, { readonly type: Type }>;

export interface Judged {
  readonly value: Json | undefined;
  /** The value before, of an update. */
  readonly old: Json | undefined;
  /** Path such as `spec.clusters`. */
  readonly field: string;
}

/** Every way in which a value is not as its schema demands; types are the decoder's to check. */
export function validateBySchema(schema: Schema, judged: Judged): readonly FieldError[] {
  const { value, old, field } = judged;
  if (value === undefined || value === null) return [];
  if (old !== undefined && jsonEquals(value, old)) return []; // S1
  switch (schema.type) {
    case 'object':
      return validateFields(schema, judged);
    case 'map':
      return isRecord(value)
        ? Object.entries(value).flatMap(([key, member]) =>
            validateBySchema(schema.values, {
              value: member,
              old: isRecord(old) ? own(old, key) : undefined,
              field: `${field}.${key}`,
            }),
          )
        : [];
    case 'list':
      return isList(value) ? validateItems(schema, value, field) : [];
    case 'string':
      return typeof value === 'string' ? validateText(schema, value, field) : [];
    case 'integer':
      return typeof value === 'number' ? validateNumber(schema, value, field) : [];
    default:
      return [];
  }
}

function validateFields(
  schema: Of<'object'>,
  { value, old, field }: Judged,
): readonly FieldError[] {
  if (!isRecord(value)) return [];
  const toPath = (name: string): string => (field === '' ? name : `${field}.${name}`);
  const missing = (schema.required ?? []).filter((name) => own(value, name) === undefined);
  return [
    ...missing.map((name) => required(toPath(name))),
    ...Object.entries(schema.fields).flatMap(([name, member]) =>
      validateBySchema(member, {
        value: own(value, name),
        old: isRecord(old) ? own(old, name) : undefined,
        field: toPath(name),
      }),
    ),
  ];
}

function validateItems(
  schema: Of<'list'>,
  items: readonly Json[],
  field: string,
): readonly FieldError[] {
  const { topology, maxItems } = schema;
  if (maxItems !== undefined && items.length > maxItems) {
    return [tooMany(field, items.length, maxItems)];
  }
  const seen = new Set<string>();
  return items.flatMap((item, index): readonly FieldError[] => {
    const at = `${field}[${index}]`;
    const wrong = validateBySchema(schema.items, { value: item, old: undefined, field: at });
    if (topology.kind === 'atomic') return wrong;
    const identity = topology.kind === 'set' ? item : toIdentity(item, topology.keys);
    const id = JSON.stringify(identity);
    if (seen.has(id)) return [...wrong, duplicate(at, identity)];
    seen.add(id);
    return wrong;
  });
}

function toIdentity(item: Json, keys: readonly string[]): Json {
  if (!isRecord(item)) return item;
  return Object.fromEntries(keys.map((key) => [key, own(item, key) ?? null]));
}

function validateText(schema: Of<'string'>, text: string, field: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { maxLength, pattern } = schema;
  // JSON Schema counts characters, as Go's runes.
  if (maxLength !== undefined && [...text].length > maxLength) {
    errors.push(tooLong(field, maxLength));
  }
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) {
    errors.push(invalidValue(field, text, `${inBody(field)} in body should match '${pattern}'`));
  }
  if (schema.enum !== undefined && !schema.enum.includes(text)) {
    errors.push(notSupported(field, text, schema.enum));
  }
  return errors;
}

function validateNumber(
  schema: Of<'integer'>,
  value: number,
  field: string,
): readonly FieldError[] {
  const { minimum, maximum } = schema;
  if (minimum !== undefined && value < minimum) {
    const detail = `${inBody(field)} in body should be greater than or equal to ${minimum}`;
    return [invalidValue(field, value, detail)];
  }
  if (maximum !== undefined && value > maximum) {
    const detail = `${inBody(field)} in body should be less than or equal to ${maximum}`;
    return [invalidValue(field, value, detail)];
  }
  return [];
}

/** A status is judged as a body of its own. */
function inBody(field: string): string {
  return field.replace(/^status\./, '');
}
