// What differs between two values of one schema, as sets of fields.
//
//   C1. A container that appears or disappears counts, as well as everything in it.
//   C2. Work is proportional to what differs: parts that are one and the same are not looked into.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { Pace } from '../../../../common/pure/steps.ts';
import { FieldSetBuilder, type FieldSet } from './field-set.ts';
import { isGranular, itemsOf, memberSchema, type ListSchema } from './field-walk.ts';
import { isList, isRecord, jsonEquals } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldsPerStep, runSteps, type Steps } from '../steps.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

export function compareFields(schema: Schema, before: JsonObject, after: JsonObject): Comparison {
  return runSteps(compareInSteps(schema, before, after));
}

/** The same, of values that may have thousands of members. */
export function* compareInSteps(
  schema: Schema,
  before: JsonObject,
  after: JsonObject,
): Steps<Comparison> {
  const walk = new Walk();
  yield* walk.visit(schema, before, after);
  const { added, modified, removed } = walk;
  return { added: added.build(), modified: modified.build(), removed: removed.build() };
}

class Walk {
  readonly added = new FieldSetBuilder();
  readonly modified = new FieldSetBuilder();
  readonly removed = new FieldSetBuilder();
  readonly #path: string[] = [];
  readonly #pace = new Pace(fieldsPerStep);

  *visit(schema: Schema | undefined, a: Json | undefined, b: Json | undefined): Steps<void> {
    if (a === b) return;
    if (!isGranular(schema) || (isVoid(a) && isVoid(b))) return this.#compareWhole(a, b);
    if (schema.type === 'list') yield* this.#visitItems(schema, a, b);
    else yield* this.#visitMembers(schema, a, b);
    this.#note(a, b);
  }

  #compareWhole(a: Json | undefined, b: Json | undefined): void {
    if (a === undefined || b === undefined) this.#note(a, b);
    else if (!jsonEquals(a, b)) this.modified.insert(this.#path);
  }

  /** The path itself, when it is new or gone. */
  #note(a: Json | undefined, b: Json | undefined): void {
    if (this.#path.length === 0) return;
    if (a === undefined) this.added.insert(this.#path);
    else if (b === undefined) this.removed.insert(this.#path);
  }

  *#below(element: string, steps: Steps<void>): Steps<void> {
    if (this.#pace.isOver(1)) yield;
    this.#path.push(element);
    yield* steps;
    this.#path.pop();
  }

  *#visitMembers(schema: Schema, a: Json | undefined, b: Json | undefined): Steps<void> {
    const [left, right] = [isRecord(a) ? a : {}, isRecord(b) ? b : {}];
    for (const key of Object.keys(left)) {
      const other = Object.hasOwn(right, key) ? right[key] : undefined;
      if (left[key] !== other) yield* this.#visitMember(schema, key, left[key], other);
    }
    for (const key of Object.keys(right)) {
      if (!Object.hasOwn(left, key)) yield* this.#visitMember(schema, key, undefined, right[key]);
    }
  }

  *#visitMember(
    schema: Schema,
    key: string,
    one: Json | undefined,
    other: Json | undefined,
  ): Steps<void> {
    const inner = memberSchema(schema, key);
    if (isGranular(inner)) return yield* this.#below(`f:${key}`, this.visit(inner, one, other));
    if (this.#pace.isOver(1)) yield;
    this.#path.push(`f:${key}`);
    this.#compareWhole(one, other);
    this.#path.pop();
  }

  *#visitItems(schema: ListSchema, a: Json | undefined, b: Json | undefined): Steps<void> {
    const left = byElement(schema, a);
    const right = byElement(schema, b);
    for (const element of new Set([...left.keys(), ...right.keys()])) {
      const [ones, others] = [left.get(element) ?? [], right.get(element) ?? []];
      yield* this.#below(element, this.#visitEqualItems(schema, ones, others));
    }
  }

  /** Items that share an element are one thing, owned as a whole. */
  *#visitEqualItems(
    schema: ListSchema,
    ones: readonly Json[],
    others: readonly Json[],
  ): Steps<void> {
    const [a, b] = [ones[0], others[0]];
    if (ones.length < 2 && others.length < 2) yield* this.visit(schema.items, a, b);
    else if (ones.length >= 2 && others.length >= 2) {
      if (!jsonEquals(ones, others)) this.modified.insert(this.#path);
    } else if (ones.length >= 2) {
      if (b !== undefined) yield* this.visit(schema.items, undefined, b);
      this.removed.insert(this.#path);
    } else {
      if (a !== undefined) yield* this.visit(schema.items, a, undefined);
      this.added.insert(this.#path);
    }
  }
}

function byElement(schema: ListSchema, list: Json | undefined): ReadonlyMap<string, Json[]> {
  const found = new Map<string, Json[]>();
  for (const { element, value } of itemsOf(schema, list)) {
    const before = found.get(element);
    if (before === undefined) found.set(element, [value]);
    else before.push(value);
  }
  return found;
}

function isVoid(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (isList(value)) return value.length === 0;
  return isRecord(value) && Object.keys(value).length === 0;
}
