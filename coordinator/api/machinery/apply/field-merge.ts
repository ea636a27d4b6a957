// Values put together and taken apart, after the schema's topology: a configuration laid over the
// live object, and an object without some of its fields.
//
//   M1. What does not change is the same value afterwards, not a copy: comparing is then cheap.

import { Pace } from '../../../../common/pure/steps.ts';
import { setMember } from '../../../../common/pure/set-member.ts';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldSet } from './field-set.ts';
import {
  isGranular,
  itemsOf,
  memberSchema,
  toElement,
  type Item,
  type ListSchema,
} from './field-walk.ts';
import { isList, isRecord, jsonEquals } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldsPerStep, runSteps, type Steps } from '../steps.ts';

/** `config` laid over `live`: granular parts member by member, the rest replaced. */
export function* mergeFields(
  schema: Schema,
  live: JsonObject,
  config: JsonObject,
): Steps<JsonObject> {
  const merged = yield* merge(schema, live, config, new Pace(fieldsPerStep));
  return isRecord(merged) ? merged : {};
}

function* merge(
  schema: Schema | undefined,
  live: Json | undefined,
  config: Json,
  pace: Pace,
): Steps<Json> {
  if (!isGranular(schema) || (isVoid(live) && isVoid(config))) {
    return replace(live, config);
  }
  if (schema.type === 'list') return mergeItems(schema, live, config);
  if (!isRecord(config)) return live ?? config;
  const before = isRecord(live) ? live : {};
  const merged: Record<string, Json | undefined> = { ...before };
  let isSame = isRecord(live);
  for (const key of Object.keys(config)) {
    const value = config[key];
    if (value === undefined) continue;
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (pace.isOver(1)) yield;
    const inner = memberSchema(schema, key);
    const next = isGranular(inner) ? yield* merge(inner, old, value, pace) : replace(old, value);
    if (next === old) continue;
    isSame = false;
    setMember(merged, key, next);
  }
  return isSame && live !== undefined ? live : merged;
}

/** M1. */
function replace(live: Json | undefined, config: Json): Json {
  return live !== undefined && jsonEquals(live, config) ? live : config;
}

function isVoid(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (isList(value)) return value.length === 0;
  return isRecord(value) && Object.keys(value).length === 0;
}

/**
 * structured-merge-diff's order: shared items in the order of the configuration; live items stay
 * before the shared item that they stood before; new items follow the one that they follow there.
 */
function mergeItems(schema: ListSchema, live: Json | undefined, config: Json): Json {
  const left = itemsOf(schema, live);
  const right = itemsOf(schema, config);
  const lefts = new Map<string, Json>();
  // Of several equal items none is merged: the configuration's replaces them.
  for (const { element, value } of left) lefts.set(element, lefts.has(element) ? null : value);
  const wanted = new Set(right.map(({ element }) => element));
  const shared = right.map(({ element }) => element).filter((element) => lefts.has(element));
  const merged: Json[] = [];
  const done = new Set<string>();
  let [l, r, s] = [0, 0, 0];
  const take = ({ element, value }: Item): void => {
    const pace = new Pace(fieldsPerStep);
    merged.push(runSteps(merge(schema.items, lefts.get(element), value, pace)));
    done.add(element);
    if (shared[s] === element) s += 1;
    r += 1;
  };
  while (l < left.length || r < right.length) {
    const [mine, other] = [left[l], right[r]];
    if (mine !== undefined && other !== undefined) {
      if (mine.element === other.element) {
        take(other);
        l += 1;
        continue;
      }
      // A shared item whose turn it is not: it comes where the configuration has it.
      const isAwaited = shared[s] === undefined || shared[s] === mine.element;
      if (wanted.has(mine.element) && !isAwaited) {
        l += 1;
        continue;
      }
    }
    if (mine !== undefined && !wanted.has(mine.element)) {
      merged.push(mine.value);
      l += 1;
      continue;
    }
    if (mine !== undefined && done.has(mine.element)) l += 1;
    if (other !== undefined) take(other);
  }
  return isList(live) && isSameList(live, merged) ? live : merged;
}

function isSameList(a: readonly Json[], b: readonly Json[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** `value` without the members and items of `gone`, and without what lies below them. */
export function removeFields(schema: Schema, value: JsonObject, gone: FieldSet): JsonObject {
  const left = remove(schema, value, gone);
  return isRecord(left) ? left : {};
}

/** Emptied containers become null, which a struct drops and a map's value keeps. */
function remove(schema: Schema | undefined, value: Json, gone: FieldSet): Json {
  if (gone.children.size === 0 || value === null) return value;
  if (!isGranular(schema)) return isRecord(value) || isList(value) ? null : value;
  if (schema.type === 'list') {
    const items = isList(value) ? value : [];
    const kept = items.flatMap((item) => removeItem(schema, item, gone));
    return kept.length === 0 ? null : kept;
  }
  return removeMembers(schema, isRecord(value) ? value : {}, gone);
}

function removeMembers(schema: Schema, value: JsonObject, gone: FieldSet): Json {
  const kept: Record<string, Json | undefined> = {};
  let isEmpty = true;
  for (const key of Object.keys(value)) {
    const member = value[key];
    const child = gone.children.get(`f:${key}`);
    if (child?.isMember === true && member !== undefined) continue;
    isEmpty = false;
    const isWhole = member === undefined || child === undefined;
    setMember(kept, key, isWhole ? member : remove(memberSchema(schema, key), member, child));
  }
  return isEmpty ? null : kept;
}

function removeItem(schema: ListSchema, item: Json, gone: FieldSet): readonly Json[] {
  const element = toElement(schema, item);
  const child = typeof element === 'string' ? gone.children.get(element) : undefined;
  if (child === undefined) return [item];
  return child.isMember ? [] : [remove(schema.items, item, child)];
}
