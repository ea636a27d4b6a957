// Hostile inputs: names that JavaScript objects inherit, JSON of any shape, texts and bytes that are
// almost right.

import fc from 'fast-check';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';

export const hostileKey = fc.constantFrom(
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '$patch',
  '$retainKeys',
  '$deleteFromPrimitiveList/finalizers',
  '$setElementOrder/ports',
  '',
  '.',
  '~0',
  'a/b',
);

const hostileScalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, '', 'null', 'delete', 'replace', 'merge', '80', '-1'),
  fc.constantFrom<Json>(0, -0, -1, 1, 80, 65_535, 65_536, 2 ** 31, -(2 ** 31), 2 ** 53, 1e308, 0.5),
  fc.constantFrom<Json>('10.96.0.1', '::1', '1.2.3.4/33', '2026-01-02T03:04:05Z', 'not-a-time'),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ maxLength: 70 }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** JSON whose keys are mostly of `names`. */
export function jsonOf(names: readonly string[], depth = 4): fc.Arbitrary<Json> {
  const key = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: hostileKey },
    { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
  );
  const { json } = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: depth },
      hostileScalar,
      fc.dictionary(key, tie('json'), { maxKeys: 5, noNullPrototype: true }),
      fc.array(tie('json'), { maxLength: 4 }),
    ),
  }));
  return json;
}

export const anyJson = jsonOf(['a', 'b', 'metadata', 'spec', 'status', 'name', 'ports', 'port']);

/** An edit at a place of a text or of bytes, as a part of its length. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  removed: fc.oneof(fc.constant(0), fc.constant(1), fc.nat({ max: 8 })),
  added: fc.uint8Array({ maxLength: 6 }),
});

/** Bytes with up to `most` edits. */
export function damaged(bytes: fc.Arbitrary<Uint8Array>, most = 3): fc.Arbitrary<Uint8Array> {
  return fc.tuple(bytes, fc.array(edit, { maxLength: most })).map(([whole, edits]) =>
    edits.reduce<Uint8Array>((before, { at, removed, added }) => {
      const start = Math.floor(at * before.length);
      const rest = before.subarray(start + removed);
      return Buffer.concat([before.subarray(0, start), added, rest]);
    }, whole),
  );
}

/** Texts made of pieces of a grammar, most of them nearly right. */
export function textOf(pieces: readonly string[], maxLength = 12): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
  );
  return fc.array(piece, { maxLength }).map((parts) => parts.join(''));
}

/** What one mutation does to an object: replaces, adds or takes away a member somewhere in it. */
export interface Mutation {
  readonly at: readonly number[];
  readonly how: 'replace' | 'remove' | 'add' | 'double';
  readonly key: string;
  readonly value: Json;
}

export function mutationsOf(
  value: fc.Arbitrary<Json>,
  maxLength: number,
): fc.Arbitrary<readonly Mutation[]> {
  const mutation = fc.record({
    at: fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 5 }),
    how: fc.constantFrom('replace', 'replace', 'remove', 'add', 'double'),
    key: hostileKey,
    value,
  });
  return fc.array(mutation, { maxLength });
}

export function mutate(object: JsonObject, mutations: readonly Mutation[]): JsonObject {
  return mutations.reduce((before, each) => mutateAt(before, each.at, each), object);
}

function mutateAt(object: JsonObject, path: readonly number[], mutation: Mutation): JsonObject {
  const names = Object.keys(object);
  const [index = 0, ...deeper] = path;
  const name = names[index % Math.max(1, names.length)];
  if (name === undefined) return withMember(object, mutation.key, mutation.value);
  const below = object[name];
  if (deeper.length > 0 && typeof below === 'object' && below !== null) {
    return withMember(object, name, mutateInside(below, deeper, mutation));
  }
  switch (mutation.how) {
    case 'remove':
      return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
    case 'add':
      return withMember(object, mutation.key, mutation.value);
    case 'double':
      return Array.isArray(below)
        ? withMember(object, name, [...(below as readonly Json[]), ...(below as readonly Json[])])
        : object;
    case 'replace':
      return withMember(object, name, mutation.value);
  }
}

function mutateInside(value: Json, path: readonly number[], mutation: Mutation): Json {
  if (!Array.isArray(value)) return mutateAt(value as JsonObject, path, mutation);
  const wrapped = mutateAt(Object.fromEntries(Object.entries(value)), path, mutation);
  return Object.values(wrapped).map((each) => each ?? null);
}

function withMember(object: JsonObject, name: string, value: Json): JsonObject {
  return Object.fromEntries([...Object.entries(object), [name, value]]);
}
