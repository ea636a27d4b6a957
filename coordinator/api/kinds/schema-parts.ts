// Short forms for writing schemas: one call per field, its description first.

import type { ListTopology, PatchStrategy, Schema } from '../machinery/schema/schema.ts';

export function text(description: string, values?: readonly string[]): Schema {
  return values === undefined
    ? { type: 'string', description }
    : { type: 'string', description, enum: values };
}

interface TextBounds {
  /** An ECMAScript pattern that RE2 reads too, with its anchors. */
  readonly pattern?: string;
  readonly maxLength?: number;
}

/** A text within bounds, which kinds of ours are held to. */
export function boundText(description: string, bounds: TextBounds): Schema {
  return { type: 'string', description, ...bounds };
}

/** RFC 1123 label: what names a cluster or a Service. */
export function labelText(description: string): Schema {
  return boundText(description, { pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', maxLength: 63 });
}

interface Range {
  readonly minimum?: number;
  readonly maximum?: number;
}

/** A text of a type of its own in Go, which errors name: `v1.ServiceType`. */
export function named(goName: string, schema: Schema): Schema {
  return schema.type === 'string' ? { ...schema, goName } : schema;
}

export function time(description: string): Schema {
  return { type: 'string', format: 'date-time', description };
}

/** Like `time`, with six digits of fractions: a MicroTime in Go. */
export function microTime(description: string): Schema {
  return { type: 'string', format: 'date-time', precision: 'microseconds', description };
}

export function bytes(description: string): Schema {
  return { type: 'string', format: 'byte', description };
}

export function int32(description: string, range: Range = {}): Schema {
  return { type: 'integer', format: 'int32', description, ...range };
}

export function int64(description: string, range: Range = {}): Schema {
  return { type: 'integer', format: 'int64', description, ...range };
}

export function flag(description: string): Schema {
  return { type: 'boolean', description };
}

export function intOrString(description: string): Schema {
  return { type: 'intOrString', description };
}

export function anything(description: string): Schema {
  return { type: 'any', description };
}

/** Written even when nobody gave it: a value in Go that is not left out. */
export function always(schema: Schema): Schema {
  return { ...schema, isAlways: true };
}

/** Kept even when it is the zero value: a pointer in Go. */
export function kept(schema: Schema): Schema {
  return { ...schema, keepsEmpty: true };
}

interface StructOptions {
  readonly required?: readonly string[];
  readonly isAtomic?: boolean;
  /** Field numbers, when Kubernetes has the struct as a protobuf message. */
  readonly protobuf?: Readonly<Record<string, number>>;
}

export function struct(
  goName: string,
  description: string,
  fields: Readonly<Record<string, Schema>>,
  options: StructOptions = {},
): Schema {
  return { type: 'object', goName, description, fields, ...options };
}

export function textMap(description: string, isAtomic = false): Schema {
  return { type: 'map', description, values: text('The value of one key.'), isAtomic };
}

const atomic: ListTopology = { kind: 'atomic' };
const replace: PatchStrategy = { kind: 'replace' };

/** A list that is replaced as a whole by patches and owned as a whole. */
export function list(description: string, items: Schema): Schema {
  return { type: 'list', description, items, topology: atomic, patch: replace };
}

/** Such a list of so many items at most. */
export function boundList(description: string, items: Schema, maxItems: number): Schema {
  return { type: 'list', description, items, topology: atomic, patch: replace, maxItems };
}

export function texts(description: string): Schema {
  return list(description, text('One entry.'));
}

/** Texts that each stand once, each owned by itself. */
export function textSet(description: string, items: Schema, maxItems: number): Schema {
  const topology: ListTopology = { kind: 'set' };
  return { type: 'list', description, items, topology, patch: replace, maxItems };
}

/** A list of structs with an identity. `patchKey` is for strategic merge, absent to replace. */
export function keyedList(
  description: string,
  items: Schema,
  keys: readonly [string, ...string[]],
  patchKey: string | undefined = keys[0],
): Schema {
  return {
    type: 'list',
    description,
    items,
    topology: { kind: 'map', keys },
    patch: patchKey === undefined ? replace : { kind: 'merge', key: patchKey },
  };
}
