// A value of another type than the schema's, in the words of Go: of its JSON decoder, which reads
// bodies, and of Kubernetes' converter of untyped maps, which reads what patches have made.

import type { Json } from '../../../../common/model/kube-object.ts';
import { isList, isRecord } from './json-value.ts';
import type { Schema } from './schema.ts';

/** The message is the JSON decoder's. */
export class TypeMismatch extends Error {
  override readonly name = 'TypeMismatch';
  /** What the converter of maps says instead, when that is something else. */
  readonly fromMap: string | undefined;

  constructor(message: string, fromMap?: string) {
    super(message);
    this.fromMap = fromMap;
  }
}

/** One step of a path: a field's name, an item's number, or the key of a map. */
export type Step = string | number | { readonly key: string };

/** `text` is how a number is written, when that is what is wrong with it. */
export function describeMismatch(
  schema: Schema,
  value: Json,
  at: { readonly struct: string; readonly path: readonly Step[] },
  text = typeof value === 'number' ? String(value) : '',
): TypeMismatch {
  const isNumeric = schema.type === 'integer' || schema.type === 'intOrString';
  const found = typeof value === 'number' && isNumeric ? `number ${text}` : jsonName(value);
  const type = schema.type === 'intOrString' ? 'int32' : goType(schema);
  const whole = at.path.length === 0 && schema.type === 'object' ? `v1.${schema.goName}` : type;
  const bare = `json: cannot unmarshal ${found} into Go value of type ${whole}`;
  if (at.path.length === 0) return new TypeMismatch(bare);
  // Go names fields only: neither items nor the keys of maps.
  const names = at.path.filter((step) => typeof step === 'string').join('.');
  // Types that decode themselves do not know where they stand in an untyped map.
  const isOpaque =
    schema.type === 'intOrString' || (schema.type === 'string' && schema.format === 'date-time');
  return new TypeMismatch(
    `json: cannot unmarshal ${found} into Go struct field ${at.struct}.${names} of type ${type}`,
    isOpaque ? bare : fromMapMessage(schema, value),
  );
}

function fromMapMessage(schema: Schema, value: Json): string {
  const found = reflectKind(value);
  switch (schema.type) {
    case 'object':
      return `cannot restore struct from: ${found}`;
    case 'map':
      return `cannot restore map from ${found}`;
    case 'list':
      return `cannot restore slice from ${found}`;
    default: {
      const type = goType(schema);
      // Go could convert a number to text and back; Kubernetes does not let it.
      const isConvertible =
        typeof value === 'number' && (schema.type === 'string' || schema.type === 'integer');
      return isConvertible
        ? `cannot convert ${found} to ${type}`
        : `unrecognized type: ${schema.type === 'string' ? 'string' : type}`;
    }
  }
}

function reflectKind(value: Json): string {
  if (value === null) return 'invalid';
  if (isList(value)) return 'slice';
  if (isRecord(value)) return 'map';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** What Go's JSON decoder calls a value. */
export function jsonName(value: Json): string {
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
      return schema.format === 'byte' ? '[]uint8' : (schema.goName ?? 'string');
  }
}
