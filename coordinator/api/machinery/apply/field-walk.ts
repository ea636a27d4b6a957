// Values seen as sets of fields, after the schema's topology: which paths a value has, what
// differs between two values, and one merged into the other (structured-merge-diff v6).
//
//   F1. A list item's element depends on its keys only, not on its place.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { FieldSetBuilder, type FieldSet, type Path } from './field-set.ts';
import { isList, isRecord, jsonEquals, own } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';

export type ListSchema = Extract<Schema, { readonly type: 'list' }>;

/** Whether a value of this schema has fields of its own; else it is owned as a whole. */
export function isGranular(schema: Schema | undefined, value: Json | undefined): boolean {
  switch (schema?.type) {
    case 'object':
    case 'map':
      return schema.isAtomic !== true && (value === undefined || isRecord(value));
    case 'list':
      return schema.topology.kind !== 'atomic' && (value === undefined || isList(value));
    default:
      return false;
  }
}

export function memberSchema(schema: Schema, key: string): Schema | undefined {
  if (schema.type === 'map') return schema.values;
  if (schema.type !== 'object' || !Object.hasOwn(schema.fields, key)) return undefined;
  return schema.fields[key];
}

/** The element of one list item; undefined when it lacks a key. */
export function toElement(schema: ListSchema, item: Json): string | undefined {
  const { topology } = schema;
  if (topology.kind !== 'map') return `v:${JSON.stringify(item)}`;
  if (!isRecord(item)) return undefined;
  const pairs: [string, Json][] = [];
  for (const key of topology.keys.toSorted()) {
    const value = own(item, key) ?? topology.defaults?.[key];
    if (value === undefined || value === null) return undefined;
    pairs.push([key, value]);
  }
  return `k:${JSON.stringify(Object.fromEntries(pairs))}`;
}

interface Child {
  readonly schema: Schema | undefined;
  readonly value: Json;
}

/** The granular parts of a value by their element. Of equal elements the last counts. */
function childrenOf(schema: Schema, value: Json | undefined): ReadonlyMap<string, Child> {
  if (schema.type === 'list') {
    const items = isList(value) ? value : [];
    return new Map(
      items.flatMap((item, index) => {
        const element = toElement(schema, item) ?? `i:${index}`;
        return [[element, { schema: schema.items, value: item }] as const];
      }),
    );
  }
  const members = isRecord(value) ? Object.entries(value) : [];
  return new Map(
    members.flatMap(([key, member]) =>
      member === undefined
        ? []
        : [[`f:${key}`, { schema: memberSchema(schema, key), value: member }] as const],
    ),
  );
}

function isHollow(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (isList(value)) return value.length === 0;
  return isRecord(value) && Object.keys(value).length === 0;
}

/**
 * The paths that an apply configuration lays claim to: its leaves, and its list items. Nobody owns
 * an empty map or list: it is not stored, so whoever fills it would take it from its owner.
 */
export function toFieldSet(schema: Schema, value: JsonObject): FieldSet {
  const builder = new FieldSetBuilder();
  const visit = (at: Path, here: Schema, part: Json): void => {
    for (const [element, child] of childrenOf(here, part)) {
      const path = [...at, element];
      const isItem = here.type !== 'object';
      const isWhole = !isGranular(child.schema, child.value) || child.schema === undefined;
      if (isWhole || isItem) builder.insert(path);
      if (!isWhole && child.schema !== undefined) visit(path, child.schema, child.value);
    }
  };
  visit([], schema, value);
  return builder.build();
}

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** What an update changed. Containers that appear or disappear count as well as their leaves. */
export function compareFields(schema: Schema, before: JsonObject, after: JsonObject): Comparison {
  const added = new FieldSetBuilder();
  const modified = new FieldSetBuilder();
  const removed = new FieldSetBuilder();
  const visit = (
    path: Path,
    here: Schema | undefined,
    a: Json | undefined,
    b: Json | undefined,
  ) => {
    const isWhole = here === undefined || !isGranular(here, a) || !isGranular(here, b);
    if (isWhole || (isHollow(a) && isHollow(b))) {
      if (a === undefined) added.insert(path);
      else if (b === undefined) removed.insert(path);
      else if (!jsonEquals(a, b)) modified.insert(path);
      return;
    }
    const left = childrenOf(here, a);
    const right = childrenOf(here, b);
    for (const element of new Set([...left.keys(), ...right.keys()])) {
      const [one, other] = [left.get(element), right.get(element)];
      visit([...path, element], (one ?? other)?.schema, one?.value, other?.value);
    }
    if (a === undefined) added.insert(path);
    else if (b === undefined) removed.insert(path);
  };
  visit([], schema, before, after);
  return { added: added.build(), modified: modified.build(), removed: removed.build() };
}

/** `config` laid over `live`: granular parts member by member, the rest replaced. */
export function mergeFields(
  schema: Schema | undefined,
  live: Json | undefined,
  config: Json,
): Json {
  if (schema === undefined || !isGranular(schema, live) || !isGranular(schema, config)) {
    return config;
  }
  if (schema.type === 'list') return mergeItems(schema, isList(live) ? live : [], config);
  const merged = new Map(isRecord(live) ? Object.entries(live) : []);
  for (const [key, value] of isRecord(config) ? Object.entries(config) : []) {
    if (value === undefined) continue;
    merged.set(key, mergeFields(memberSchema(schema, key), merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

/** The configuration's items in its order; the others keep their places among them. */
function mergeItems(schema: ListSchema, live: readonly Json[], config: Json): readonly Json[] {
  const wanted = isList(config) ? config : [];
  const named = (list: readonly Json[]): readonly (readonly [string, Json])[] =>
    list.map((item, index) => [toElement(schema, item) ?? `i:${index}`, item]);
  const left = named(live);
  const right = named(wanted);
  const wantedElements = new Set(right.map(([element]) => element));
  const liveItems = new Map(left);
  const merged: Json[] = [];
  let next = 0;
  const passOthers = (): void => {
    for (let pair = left[next]; pair !== undefined; pair = left[next]) {
      if (wantedElements.has(pair[0])) return;
      merged.push(pair[1]);
      next += 1;
    }
  };
  for (const [element, item] of right) {
    passOthers();
    merged.push(mergeFields(schema.items, liveItems.get(element), item));
    if (liveItems.has(element)) next += 1;
  }
  for (const [element, item] of left.slice(next)) {
    if (!wantedElements.has(element)) merged.push(item);
  }
  return merged;
}

/**
 * `value` without the leaves and items in `given`, which nobody holds any more. `held` are the
 * paths that somebody does: an item stays while anything of it is held, and then keeps its keys.
 */
export function removeFields(
  schema: Schema,
  value: JsonObject,
  sets: { readonly given: FieldSet; readonly held: FieldSet },
): JsonObject {
  const left = removeIn(schema, value, sets);
  return isRecord(left) ? left : {};
}

interface Sets {
  readonly given: FieldSet;
  readonly held: FieldSet | undefined;
}

function removeIn(schema: Schema, value: Json, sets: Sets): Json {
  if (schema.type === 'list') return removeItems(schema, isList(value) ? value : [], sets);
  const kept = (isRecord(value) ? Object.entries(value) : []).flatMap(([key, member]) => {
    const element = `f:${key}`;
    const given = sets.given.children.get(element);
    if (given === undefined || member === undefined) return [[key, member] as const];
    const child = memberSchema(schema, key);
    if (child === undefined || !isGranular(child, member)) {
      return given.isMember ? [] : [[key, member] as const];
    }
    const held = sets.held?.children.get(element);
    const left = removeIn(child, member, { given, held });
    const isGone = isHollow(left) && held === undefined;
    return isGone ? [] : [[key, left] as const];
  });
  return Object.fromEntries(kept);
}

function removeItems(schema: ListSchema, items: readonly Json[], sets: Sets): readonly Json[] {
  return items.flatMap((item, index) => {
    const element = toElement(schema, item) ?? `i:${index}`;
    const given = sets.given.children.get(element);
    if (given === undefined) return [item];
    const held = sets.held?.children.get(element);
    if (given.isMember && held === undefined) return [];
    if (!isGranular(schema.items, item) || !isRecord(item)) return [item];
    const left = removeIn(schema.items, item, { given, held });
    return [{ ...keysOf(schema, item), ...(isRecord(left) ? left : {}) }];
  });
}

function keysOf(schema: ListSchema, item: JsonObject): JsonObject {
  if (schema.topology.kind !== 'map') return {};
  const keys = new Set(schema.topology.keys);
  return Object.fromEntries(Object.entries(item).filter(([key]) => keys.has(key)));
}
