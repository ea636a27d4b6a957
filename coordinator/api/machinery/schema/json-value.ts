// Reading and comparing plain JSON without falling for what JavaScript objects inherit.

import type { Json, JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import type { Steps } from '../steps.ts';

export function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

/** The member of that name, never an inherited one: `constructor` is a legal label key. */
export function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export function ownRecord(object: JsonObject, key: string): JsonObject {
  const value = own(object, key);
  return isRecord(value) ? value : {};
}

export function ownList(object: JsonObject, key: string): readonly Json[] {
  const value = own(object, key);
  return isList(value) ? value : [];
}

export function ownText(object: JsonObject, key: string): string {
  const value = own(object, key);
  return typeof value === 'string' ? value : '';
}

/** Walks down members; undefined as soon as one is missing. */
export function at(object: JsonObject, ...path: readonly string[]): Json | undefined {
  let value: Json | undefined = object;
  for (const key of path) {
    if (!isRecord(value)) return undefined;
    value = own(value, key);
  }
  return value;
}

/** `object` with one member set, or removed when `value` is undefined. */
export function withMember(object: JsonObject, key: string, value: Json | undefined): JsonObject {
  if (value !== undefined) return { ...object, [key]: value };
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

/** Deep equality; a member that is undefined counts as absent. */
export function jsonEquals(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (isList(a)) {
    return isList(b) && a.length === b.length && a.every((item, i) => jsonEquals(item, b[i]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = definedKeys(a);
  return (
    keys.length === definedKeys(b).length && keys.every((key) => jsonEquals(a[key], own(b, key)))
  );
}

/** Labels, annotations and data are two or three levels down. */
const steppedLevels = 3;
const keysPerStep = 500;

/** The same, of values that may have thousands of fields. */
export function* equalsInSteps(
  a: Json | undefined,
  b: Json | undefined,
  levels = steppedLevels,
): Steps<boolean> {
  if (a === b) return true;
  if (!isRecord(a) || !isRecord(b)) return jsonEquals(a, b);
  const keys = definedKeys(a);
  if (keys.length !== definedKeys(b).length) return false;
  let done = 0;
  for (const key of keys) {
    done += 1;
    if (done % keysPerStep === 0) yield;
    const [mine, theirs] = [a[key], own(b, key)];
    const isEqual =
      levels === 1 ? jsonEquals(mine, theirs) : yield* equalsInSteps(mine, theirs, levels - 1);
    if (!isEqual) return false;
  }
  return true;
}

function definedKeys(object: JsonObject): readonly string[] {
  return Object.keys(object).filter((key) => object[key] !== undefined);
}

/** A deep copy that may be written to, for libraries that patch in place. */
export function cloneJson(value: Json): Json {
  return structuredClone(value);
}

// A KubeObject is JSON by construction: it was decoded, or built from JSON values.
export function toJsonObject(object: KubeObject): JsonObject {
  return object as unknown as JsonObject;
}

/** Trusts the shape: for values that passed the kind's schema. */
export function toKubeObject(json: JsonObject): KubeObject {
  return json as unknown as KubeObject;
}
