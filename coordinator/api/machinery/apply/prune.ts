// What an apply gives up: the fields that its manager applied last time and not this time, and that
// nobody else holds.
//
// Input: the merged object, the manager's last set, what all managers hold now. Output: the object
// without them. The result is that of structured-merge-diff's prune:
//
// An object of thousands of labels is looked at a dozen times: each time is a step.
//
//   P1. An item of a keyed list goes when its keys are given up by the last who held any of it,
//       and stays with all that somebody holds otherwise.
//   P2. What nobody ever owned stays, unless the item or struct around it goes.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import {
  differenceInSteps,
  intersectionInSteps,
  isEmptySet,
  union,
  type FieldSet,
} from './field-set.ts';
import { removeFields } from './field-merge.ts';
import { memberSchema, toFieldSetInSteps } from './field-walk.ts';
import type { Schema } from '../schema/schema.ts';
import type { Steps } from '../steps.ts';

export function* prune(
  schema: Schema,
  merged: JsonObject,
  sets: { readonly last: FieldSet; readonly held: FieldSet },
): Steps<JsonObject> {
  // Most applies repeat what they said before: nothing is given up.
  if (isEmptySet(yield* differenceInSteps(sets.last, sets.held))) return merged;
  yield;
  const last = withNamedFields(schema, sets.last);
  yield;
  const held = withNamedFields(schema, sets.held);
  yield;
  const all = yield* toNamedSet(schema, merged);
  const withoutLast = yield* setWithout(schema, merged, last);
  const taken = union(withoutLast, held);
  yield;
  const unheld = yield* differenceInSteps(all, taken);
  yield;
  const owned = yield* setWithout(schema, merged, unheld);
  const unowned = yield* differenceInSteps(all, owned);
  yield;
  const gone = yield* intersectionInSteps(unowned, last);
  yield;
  return removeFields(schema, merged, gone);
}

function* setWithout(schema: Schema, merged: JsonObject, gone: FieldSet): Steps<FieldSet> {
  const left = removeFields(schema, merged, gone);
  yield;
  return yield* toNamedSet(schema, left);
}

function* toNamedSet(schema: Schema, value: JsonObject): Steps<FieldSet> {
  const set = yield* toFieldSetInSteps(schema, value);
  yield;
  const named = withNamedFields(schema, set);
  yield;
  return named;
}

/** The fields of structs on the way to a member count as members; items and map keys do not. */
function withNamedFields(schema: Schema | undefined, set: FieldSet): FieldSet {
  if (set.children.size === 0) return set;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const isField = element.startsWith('f:') && schema?.type === 'object';
    const below = withNamedFields(schemaOf(schema, element), child);
    const isNamed = isField && Object.hasOwn(schema.fields, element.slice(2));
    children.set(element, isNamed && !below.isMember ? { ...below, isMember: true } : below);
  }
  return { isMember: set.isMember, children };
}

function schemaOf(schema: Schema | undefined, element: string): Schema | undefined {
  if (schema?.type === 'list') return schema.items;
  return schema === undefined ? undefined : memberSchema(schema, element.slice(2));
}

/**
 * A set written when a field was still granular: whoever owned a part of what is now one whole
 * owns the whole. Needed for the sets that clients write themselves, too.
 */
export function reconcile(schema: Schema | undefined, set: FieldSet): FieldSet {
  if (set.children.size === 0 || schema === undefined) return set;
  const isWhole =
    (schema.type === 'list' && schema.topology.kind === 'atomic') ||
    ((schema.type === 'object' || schema.type === 'map') && schema.isAtomic === true);
  if (isWhole) return { isMember: true, children: new Map() };
  let changed: Map<string, FieldSet> | undefined;
  for (const [element, child] of set.children) {
    const next = reconcile(schemaOf(schema, element), child);
    if (next === child) continue;
    changed ??= new Map(set.children);
    changed.set(element, next);
  }
  return changed === undefined ? set : { isMember: set.isMember, children: changed };
}
