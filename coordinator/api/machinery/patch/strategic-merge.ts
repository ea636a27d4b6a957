// Strategic merge patch: a merge patch that knows which lists are sets of keyed items.
//
// Input: the kind's schema, the live JSON, the patch. Output: the merged JSON. Directives:
// `$patch: delete|replace|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<field>` and
// `$setElementOrder/<field>` (strategic-merge-order.ts).
//
//   M1. A patch that says nothing of a field leaves it as it is.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { isList, isRecord, own, withMember } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';
import { plainError } from '../answer/status-error.ts';
import { formatGo, identityOf, orderItems, validateOrder } from './strategic-merge-order.ts';

const patchDirective = '$patch';
const retainKeys = '$retainKeys';
const orderPrefix = '$setElementOrder/';
const removePrefix = '$deleteFromPrimitiveList/';

export function mergeStrategically(
  schema: Schema,
  original: JsonObject,
  patch: JsonObject,
): JsonObject {
  return mergeMap(schema, original, patch);
}

function mergeMap(schema: Schema | undefined, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = own(patch, patchDirective);
  if (directive !== undefined) {
    const rest = withMember(patch, patchDirective, undefined);
    if (directive === 'delete') return {};
    if (directive === 'replace') return dropDirectives(rest);
    if (directive === 'merge') return mergeMap(schema, original, rest);
    throw unknownDirective(directive, patch);
  }
  const merged = new Map(Object.entries(retain(original, patch)));
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined || key === retainKeys) continue;
    if (key.startsWith(orderPrefix)) {
      const field = key.slice(orderPrefix.length);
      // Present fields are ordered when they are merged, below.
      if (own(patch, field) === undefined) reorder(schema, merged, field, value);
    } else if (key.startsWith(removePrefix)) {
      removePrimitives(merged, key.slice(removePrefix.length), value);
    } else {
      mergeField(schema, merged, patch, key);
    }
  }
  return Object.fromEntries(merged);
}

type Members = Map<string, Json | undefined>;

function mergeField(
  schema: Schema | undefined,
  target: Members,
  patch: JsonObject,
  key: string,
): void {
  const value = own(patch, key);
  const field = fieldOf(schema, key);
  const before = target.get(key);
  if (value === null || value === undefined) {
    target.delete(key);
  } else if (isList(value)) {
    target.set(key, mergeListField(field, before, value, own(patch, orderPrefix + key)));
  } else if (!isRecord(value)) {
    target.set(key, value);
  } else if (isRecord(before) || own(value, patchDirective) !== 'delete') {
    // Merging into nothing obeys the directives and drops the nulls.
    target.set(key, mergeMap(field, isRecord(before) ? before : {}, value));
  }
}

function mergeListField(
  field: Schema | undefined,
  before: Json | undefined,
  value: readonly Json[],
  order: Json | undefined,
): readonly Json[] {
  const original = isList(before) ? before : [];
  const merged = mergeList(field, original, value);
  const hasOrder = isList(order) && field?.type === 'list' && field.patch.kind === 'merge';
  if (!hasOrder) return merged;
  validateOrder(value, order, mergeKeyOf(field));
  return orderItems({ merged, order, before: original }, mergeKeyOf(field));
}

function fieldOf(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.type === 'map') return schema.values;
  if (schema?.type !== 'object' || !Object.hasOwn(schema.fields, key)) return undefined;
  return schema.fields[key];
}

function mergeKeyOf(schema: Schema | undefined): string | undefined {
  return schema?.type === 'list' && schema.patch.kind === 'merge' ? schema.patch.key : undefined;
}

function mergeList(
  schema: Schema | undefined,
  original: readonly Json[],
  patch: readonly Json[],
): readonly Json[] {
  if (schema?.type !== 'list' || schema.patch.kind === 'replace') return patch.map(dropIn);
  const key = schema.patch.key;
  if (key === undefined) return unite(original, patch);
  const items = patch.map((item) => requireMap(item, key));
  if (items.some((item) => own(item, patchDirective) === 'replace')) {
    return items.filter((item) => own(item, patchDirective) !== 'replace').map(dropDirectives);
  }
  return mergeItems(schema.items, original, { items, key });
}

function mergeItems(
  schema: Schema,
  original: readonly Json[],
  patch: { readonly items: readonly JsonObject[]; readonly key: string },
): readonly Json[] {
  const { items, key } = patch;
  const merged: (Json | undefined)[] = [...original];
  // Two live items may share the key (80/TCP and 80/UDP): the first one is meant, none is lost.
  const places = new Map(
    original.map((item, index) => [identityOf(item, key), index] as const).toReversed(),
  );
  for (const item of items) {
    const directive = own(item, patchDirective);
    if (own(item, key) === undefined) throw missingKey(item, key);
    const identity = identityOf(item, key);
    const place = places.get(identity);
    if (directive === 'delete') {
      if (place !== undefined) merged[place] = undefined;
      places.delete(identity);
      continue;
    }
    if (directive !== undefined) throw unknownDirective(directive, item);
    const found = place === undefined ? undefined : merged[place];
    places.set(identity, place ?? merged.length);
    merged[place ?? merged.length] = mergeMap(schema, isRecord(found) ? found : {}, item);
  }
  return merged.filter((item) => item !== undefined);
}

function requireMap(item: Json, key: string): JsonObject {
  if (isRecord(item)) return item;
  throw missingKey(item, key);
}

function missingKey(item: Json, key: string): Error {
  return plainError(`map: ${formatGo(item)} does not contain declared merge key: ${key}`);
}

/** A set of scalars: what is there, then what is new. */
function unite(original: readonly Json[], patch: readonly Json[]): readonly Json[] {
  return [...new Map([...original, ...patch].map((item) => [identityOf(item), item])).values()];
}

function removePrimitives(target: Members, field: string, removed: Json): void {
  const before = target.get(field);
  if (!isList(before) || !isList(removed)) return;
  const gone = new Set(removed.map((item) => identityOf(item)));
  target.set(
    field,
    before.filter((item) => !gone.has(identityOf(item))),
  );
}

function reorder(schema: Schema | undefined, target: Members, field: string, order: Json): void {
  const list = target.get(field);
  const listSchema = fieldOf(schema, field);
  if (!isList(list) || !isList(order)) return;
  if (listSchema?.type !== 'list' || listSchema.patch.kind !== 'merge') return;
  const lists = { merged: list, order, before: list };
  target.set(field, orderItems(lists, mergeKeyOf(listSchema)));
}

/** Only the named keys, and those that the patch sets, stay. */
function retain(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = own(patch, retainKeys);
  if (keys === undefined) return original;
  const kept = new Set(isList(keys) ? keys : []);
  for (const key of Object.keys(patch)) {
    if (key.startsWith('$') || kept.has(key)) continue;
    if (own(patch, key) === null) continue;
    throw plainError(
      `${retainKeys} and fields not in it are mixed in one map: field ${key} is not listed`,
    );
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.has(key)));
}

function dropIn(item: Json): Json {
  return isRecord(item) ? dropDirectives(item) : item;
}

/** A value that is taken as it is must not carry directives into the store. */
function dropDirectives(value: JsonObject): JsonObject {
  const kept = Object.entries(value).filter(
    ([key, member]) =>
      member !== null &&
      key !== patchDirective &&
      key !== retainKeys &&
      !key.startsWith(orderPrefix) &&
      !key.startsWith(removePrefix),
  );
  return Object.fromEntries(
    kept.map(([key, member]) => {
      if (isList(member)) return [key, member.map(dropIn)];
      return [key, isRecord(member) ? dropDirectives(member) : member];
    }),
  );
}

function unknownDirective(directive: Json, patch: JsonObject): Error {
  return plainError(`unknown patch type: ${String(directive)} in map: ${formatGo(patch)}`);
}
