// Strategic merge patch: a merge patch that knows which lists are sets of keyed items.
//
// Input: the kind's schema, the live JSON, the patch. Output: the merged JSON. Directives:
// `$patch: delete|replace`, `$retainKeys`, `$deleteFromPrimitiveList/<field>` and
// `$setElementOrder/<field>` (strategic-merge-order.ts).
//
//   M1. A patch that says nothing of a field leaves it as it is.
//   M2. Nothing that is not decoded as part of the object outlives the merge: directives go.

import { setMember } from '../../../../common/pure/set-member.ts';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { isList, isRecord, own } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';
import { badRequest, plainError } from '../answer/status-error.ts';
import { formatGo } from '../schema/format-go.ts';
import {
  badType,
  identityOf,
  missingKey,
  orderItems,
  validateOrder,
} from './strategic-merge-order.ts';

const patchDirective = '$patch';
const retainKeys = '$retainKeys';
const orderPrefix = '$setElementOrder/';
const removePrefix = '$deleteFromPrimitiveList/';

/** Throws 400 and 500 for directives that are wrong, as Kubernetes does. */
export function mergeStrategically(
  schema: Schema,
  original: JsonObject,
  patch: JsonObject,
): JsonObject {
  return mergeMap(schema, original, patch);
}

type Members = Record<string, Json | undefined>;

function mergeMap(schema: Schema | undefined, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = own(patch, patchDirective);
  if (directive !== undefined) return obey(directive, patch);
  const merged: Members = { ...retain(original, patch) };
  const ordered = new Set<string>();
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(orderPrefix)) continue;
    const field = key.slice(orderPrefix.length);
    orderField(schema, merged, patch, field);
    ordered.add(field);
  }
  for (const key of Object.keys(patch)) {
    if (key === retainKeys || key.startsWith(orderPrefix) || ordered.has(key)) continue;
    const value = patch[key] ?? null;
    if (key.startsWith(removePrefix)) {
      removePrimitives(merged, key.slice(removePrefix.length), value);
    } else {
      mergeField(schema, merged, key, value);
    }
  }
  return merged;
}

function obey(directive: Json, patch: JsonObject): JsonObject {
  const { [patchDirective]: _directive, ...rest } = patch;
  if (directive === 'replace') return rest;
  if (directive === 'delete') return {};
  throw plainError(`unknown patch type: ${formatGo(directive)} in map: ${formatGo(patch)}`);
}

function mergeField(schema: Schema | undefined, target: Members, key: string, value: Json): void {
  const before = Object.hasOwn(target, key) ? target[key] : undefined;
  if (value === null) {
    delete target[key];
  } else if (isRecord(before) && isRecord(value)) {
    setMember(target, key, mergeMap(fieldOf(schema, key), before, value));
  } else if (isList(before) && isList(value)) {
    setMember(target, key, mergeList(fieldOf(schema, key), before, value));
  } else {
    const kept = dropDirectives(value);
    if (kept === undefined) delete target[key];
    else setMember(target, key, kept);
  }
}

/** A list with a wanted order: merged here, whether the patch has the list or not. */
function orderField(
  schema: Schema | undefined,
  target: Members,
  patch: JsonObject,
  field: string,
): void {
  const order = own(patch, orderPrefix + field) ?? null;
  const value = own(patch, field);
  const before = Object.hasOwn(target, field) ? target[field] : undefined;
  for (const list of [order, before, value]) {
    if (list !== undefined && !isList(list)) throw badType('[]interface {}', list);
  }
  const list = fieldOf(schema, field);
  const key = mergeKeyOf(list);
  const wanted = isList(order) ? order : [];
  const items = isList(value) ? value : [];
  validateOrder(items, wanted, key);
  if (before === undefined && value === undefined) return;
  const original = isList(before) ? before : [];
  const merged = toMerged(list, { before, value, original, items });
  const wrong = key === undefined ? -1 : wanted.findIndex((item) => !isRecord(item));
  if (wrong >= 0 && merged.length > 0) throw plainError(`value for key ${wrong} is not a map`);
  setMember(target, field, orderItems({ merged, order: wanted, before: original }, key));
}

function toMerged(
  list: Schema | undefined,
  of: {
    readonly before: Json | undefined;
    readonly value: Json | undefined;
    readonly original: readonly Json[];
    readonly items: readonly Json[];
  },
): readonly Json[] {
  if (of.value === undefined) return of.original;
  if (of.before !== undefined) return mergeList(list, of.original, of.items);
  const kept = dropDirectives(of.items);
  return isList(kept) ? kept : [];
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
  if (schema?.type !== 'list' || schema.patch.kind === 'replace') return patch;
  if (original.length === 0 && patch.length === 0) return original;
  requireSameTypes(original, patch);
  const { key } = schema.patch;
  if (!isRecord(original[0] ?? patch[0])) {
    const merged = [...new Map([...original, ...patch].map((item) => [identityOf(item), item]))];
    return orderItems(
      { merged: merged.map(([, item]) => item), order: patch, before: original },
      undefined,
    );
  }
  if (key === undefined) throw plainError('cannot merge lists without merge key for ');
  const { kept, items } = obeyInItems(original, patch.filter(isRecord), key);
  const merged = mergeItems(schema.items, kept, { items, key });
  return orderItems({ merged, order: items, before: kept }, key);
}

function requireSameTypes(original: readonly Json[], patch: readonly Json[]): void {
  const types = new Set(
    [...original, ...patch].map((item) => (isRecord(item) ? 'map' : typeof item)),
  );
  if (types.size < 2) return;
  throw plainError(`list element types are not identical: ${formatGo([original, patch])}`);
}

/** Items with a directive act on the list, and are none of its items. */
function obeyInItems(
  original: readonly Json[],
  patch: readonly JsonObject[],
  key: string,
): { readonly kept: readonly Json[]; readonly items: readonly JsonObject[] } {
  const gone = new Set<string>();
  const items: JsonObject[] = [];
  let isReplaced = false;
  for (const item of patch) {
    const directive = own(item, patchDirective);
    switch (directive) {
      case undefined:
        items.push(item);
        break;
      case 'delete':
        if (own(item, key) === undefined) throw missingKey(item, key);
        gone.add(identityOf(item, key));
        break;
      case 'replace':
        isReplaced = true;
        break;
      case 'merge':
        throw plainError('merging lists cannot yet be specified in the patch');
      default:
        throw plainError(`unknown patch type: ${formatGo(directive)} in map: ${formatGo(item)}`);
    }
  }
  if (isReplaced) return { kept: items, items: [] };
  return { kept: original.filter((item) => !gone.has(identityOf(item, key))), items };
}

function mergeItems(
  schema: Schema,
  original: readonly Json[],
  patch: { readonly items: readonly JsonObject[]; readonly key: string },
): readonly Json[] {
  const { items, key } = patch;
  const merged: Json[] = [...original];
  // Two live items may share the key (80/TCP and 80/UDP): the first one is meant.
  const places = new Map(
    original.map((item, index) => [identityOf(item, key), index] as const).toReversed(),
  );
  for (const item of items) {
    if (own(item, key) === undefined) throw missingKey(item, key);
    const identity = identityOf(item, key);
    const place = places.get(identity);
    const found = place === undefined ? undefined : merged[place];
    if (place !== undefined && isRecord(found)) {
      merged[place] = mergeMap(schema, found, item);
    } else {
      places.set(identity, merged.length);
      merged.push(item);
    }
  }
  return merged;
}

function removePrimitives(target: Members, field: string, removed: Json): void {
  const before = Object.hasOwn(target, field) ? target[field] : undefined;
  if (!isList(before) || !isList(removed)) return;
  const gone = new Set(removed.map((item) => identityOf(item)));
  const kept = before.filter((item) => !gone.has(identityOf(item)));
  setMember(target, field, kept);
}

/** Only the named keys stay, and the patch may set no others. */
function retain(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = own(patch, retainKeys);
  if (keys === undefined) return original;
  const kept = new Set(isList(keys) ? keys : []);
  const isWrong = Object.keys(patch).some(
    (key) =>
      key !== retainKeys &&
      patch[key] !== null &&
      !key.startsWith(removePrefix) &&
      !key.startsWith(orderPrefix) &&
      !kept.has(key),
  );
  if (!isList(keys) || isWrong) throw badRequest('invalid patch format of retainKeys');
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.has(key)));
}

/** M2. A value that is taken as it is: without nulls and directives; undefined when it is one. */
function dropDirectives(value: Json): Json | undefined {
  if (isList(value)) return value.map(dropDirectives).filter((item) => item !== undefined);
  if (!isRecord(value)) return value;
  if (own(value, patchDirective) !== undefined) return undefined;
  const kept = Object.entries(value).flatMap(([key, member]) => {
    const left = member === null || member === undefined ? undefined : dropDirectives(member);
    return left === undefined ? [] : [[key, left] as const];
  });
  return Object.fromEntries(kept);
}
