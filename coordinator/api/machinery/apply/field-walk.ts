// Values seen as sets of fields, after the schema's topology: which parts a value has, what each is
// called, which paths a whole value claims.
//
//   F1. A list item's element depends on its keys only, not on its place.
//   F2. undefined is absent; null is a value, as it is to structured-merge-diff.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { Pace } from '../../../../common/pure/steps.ts';
import { emptySet, type FieldSet } from './field-set.ts';
import { toKeyElement, toValueElement } from './field-element.ts';
import { isList, isRecord, own } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldsPerStep, runSteps, type Steps } from '../steps.ts';

export type ListSchema = Extract<Schema, { readonly type: 'list' }>;

/** Whether values of this schema have fields of their own; others are owned as a whole. */
export function isGranular(schema: Schema | undefined): schema is Schema {
  switch (schema?.type) {
    case 'object':
    case 'map':
      return schema.isAtomic !== true;
    case 'list':
      return schema.topology.kind !== 'atomic';
    default:
      return false;
  }
}

export function memberSchema(schema: Schema, key: string): Schema | undefined {
  if (schema.type === 'map') return schema.values;
  if (schema.type !== 'object' || !Object.hasOwn(schema.fields, key)) return undefined;
  return schema.fields[key];
}

/** The element of one list item, or why it has none. */
export function toElement(schema: ListSchema, item: Json): string | { readonly why: string } {
  const { topology } = schema;
  if (topology.kind !== 'map') return toSetElement(item);
  if (item === null) return { why: 'associative list with keys may not have a null element' };
  if (!isRecord(item)) {
    return { why: 'associative list with keys may not have non-map elements' };
  }
  const pairs: [string, Json][] = [];
  for (const key of topology.keys) {
    const value = own(item, key) ?? topology.defaults?.[key];
    if (value !== undefined) pairs.push([key, value]);
  }
  if (pairs.length === 0) {
    const keys = topology.keys.map((key) => JSON.stringify(key)).join(' ');
    return {
      why:
        `associative list with keys has an element that omits all key fields [${keys}] ` +
        "(and doesn't have default values for any key fields)",
    };
  }
  return toKeyElement(pairs.length < 2 ? pairs : pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function toSetElement(item: Json): string | { readonly why: string } {
  if (item === null) {
    return { why: "associative list without keys has an element that's an explicit null" };
  }
  if (isList(item)) return { why: 'not supported: associative list with lists as elements' };
  if (isRecord(item)) {
    return { why: "associative list without keys has an element that's a map type" };
  }
  return toValueElement(item);
}

export interface Item {
  readonly element: string;
  readonly value: Json;
}

/** The items of a list; those without an element cannot be told apart and are left out. */
export function itemsOf(schema: ListSchema, list: Json | undefined): readonly Item[] {
  if (!isList(list)) return [];
  const items: Item[] = [];
  for (const value of list) {
    const element = toElement(schema, value);
    if (typeof element === 'string') items.push({ element, value });
  }
  return items;
}

/** The set of a value's leaves and list items: what an apply configuration lays claim to. */
export function toFieldSet(schema: Schema, value: JsonObject): FieldSet {
  return runSteps(toFieldSetInSteps(schema, value));
}

/** The same, of a value that may have thousands of members. */
export function* toFieldSetInSteps(schema: Schema, value: JsonObject): Steps<FieldSet> {
  const children = yield* childrenOf(schema, value, new Pace(fieldsPerStep));
  return { isMember: false, children: children ?? emptySet.children };
}

const leaf: FieldSet = { isMember: true, children: emptySet.children };

type Children = ReadonlyMap<string, FieldSet>;

/** Undefined for what is owned as a whole. */
function* childrenOf(
  schema: Schema | undefined,
  value: Json,
  pace: Pace,
): Steps<Children | undefined> {
  if (!isGranular(schema)) return undefined;
  const children = new Map<string, FieldSet>();
  if (schema.type === 'list') {
    for (const { element, value: item } of itemsOf(schema, value)) {
      if (pace.isOver(1)) yield;
      // The second of two equal items tells that they are owned as one.
      const isSecond = children.has(element);
      const below = isSecond ? undefined : yield* childrenOf(schema.items, item, pace);
      children.set(element, below === undefined ? leaf : { isMember: true, children: below });
    }
    return children;
  }
  if (!isRecord(value)) return children;
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined) continue;
    if (pace.isOver(1)) yield;
    const inner = memberSchema(schema, key);
    const below = isGranular(inner) ? yield* childrenOf(inner, member, pace) : undefined;
    const isMember = below === undefined || schema.type === 'map' || isHollow(member);
    if (isMember || below.size > 0) {
      children.set(`f:${key}`, { isMember, children: below ?? emptySet.children });
    }
  }
  return children;
}

/** null, or an object without members: owned itself, for nothing below it could be. */
function isHollow(value: Json): boolean {
  return value === null || (isRecord(value) && Object.keys(value).length === 0);
}
