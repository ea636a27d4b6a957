// What differs between two values of one schema, as sets of fields.
//
//   C1. A container that appears or disappears counts, as well as everything in it.
//   C2. Work is proportional to what differs: parts that are one and the same are not looked into.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { FieldSetBuilder, type FieldSet } from './field-set.ts';
import { isGranular, itemsOf, memberSchema, type ListSchema } from './field-walk.ts';
import { isList, isRecord, jsonEquals } from '../schema/json-value.ts';
import type { Schema } from '../schema/schema.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

export function compareFields(schema: Schema, before: JsonObject, after: JsonObject): Comparison {
  const walk = new Walk();
  walk.visit(schema, before, after);
  const { added, modified, removed } = walk;
  return { added: added.build(), modified: modified.build(), removed: removed.build() };
}

class Walk {
  readonly added = new FieldSetBuilder();
  readonly modified = new FieldSetBuilder();
  readonly removed = new FieldSetBuilder();
  readonly #path: string[] = [];

  visit(schema: Schema | undefined, a: Json | undefined, b: Json | undefined): void {
    if (a === b) return;
    if (!isGranular(schema) || (isVoid(a) && isVoid(b))) {
      if (a === undefined || b === undefined) this.#note(a, b);
      else if (!jsonEquals(a, b)) this.modified.insert(this.#path);
      return;
    }
    if (schema.type === 'list') this.#visitItems(schema, a, b);
    else this.#visitMembers(schema, a, b);
    this.#note(a, b);
  }

  /** The path itself, when it is new or gone. */
  #note(a: Json | undefined, b: Json | undefined): void {
    if (this.#path.length === 0) return;
    if (a === undefined) this.added.insert(this.#path);
    else if (b === undefined) this.removed.insert(this.#path);
  }

  #below(element: string, run: () => void): void {
    this.#path.push(element);
    run();
    this.#path.pop();
  }

  #visitMembers(schema: Schema, a: Json | undefined, b: Json | undefined): void {
    const [left, right] = [isRecord(a) ? a : {}, isRecord(b) ? b : {}];
    const visit = (key: string, one: Json | undefined, other: Json | undefined): void => {
      if (one === other) return;
      this.#below(`f:${key}`, () => this.visit(memberSchema(schema, key), one, other));
    };
    for (const key of Object.keys(left)) {
      visit(key, left[key], Object.hasOwn(right, key) ? right[key] : undefined);
    }
    for (const key of Object.keys(right)) {
      if (!Object.hasOwn(left, key)) visit(key, undefined, right[key]);
    }
  }

  #visitItems(schema: ListSchema, a: Json | undefined, b: Json | undefined): void {
    const left = byElement(schema, a);
    const right = byElement(schema, b);
    for (const element of new Set([...left.keys(), ...right.keys()])) {
      const [ones, others] = [left.get(element) ?? [], right.get(element) ?? []];
      this.#below(element, () => this.#visitEqualItems(schema, ones, others));
    }
  }

  /** Items that share an element are one thing, owned as a whole. */
  #visitEqualItems(schema: ListSchema, ones: readonly Json[], others: readonly Json[]): void {
    const [a, b] = [ones[0], others[0]];
    if (ones.length < 2 && others.length < 2) this.visit(schema.items, a, b);
    else if (ones.length >= 2 && others.length >= 2) {
      if (!jsonEquals(ones, others)) this.modified.insert(this.#path);
    } else if (ones.length >= 2) {
      if (b !== undefined) this.visit(schema.items, undefined, b);
      this.removed.insert(this.#path);
    } else {
      if (a !== undefined) this.visit(schema.items, a, undefined);
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
