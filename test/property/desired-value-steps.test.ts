// A large object is made text, and what it will be folded as, in steps: to what JSON itself makes of it.

import test from 'ava';
import fc from 'fast-check';
import { runAtOnce } from '../../common/pure/steps.ts';
import { shareEqual } from '../../coordinator/desired/shared-values.ts';
import { deepFreeze } from '../../coordinator/desired/stored-object.ts';
import {
  foldedInSteps,
  isLarge,
  largeWeight,
  textInSteps,
} from '../../coordinator/desired/value-steps.ts';

const json = fc.jsonValue({ maxDepth: 5 });
/** Most values are smaller than a step: these are not. */
const long = fc
  .tuple(fc.array(json, { maxLength: 8 }), fc.integer({ min: 1, max: 150 }))
  .map(([values, times]) =>
    Object.fromEntries(
      Array.from({ length: times }, (_, at) => [`member-${at}`, [...values, 'x'.repeat(at)]]),
    ),
  );
const any = fc.oneof(
  json,
  long,
  fc.dictionary(fc.constantFrom('a', '__proto__', 'constructor'), long),
);

function parse(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test('text in steps is the text', (t) => {
  fc.assert(
    fc.property(any, (value) => {
      t.is(runAtOnce(textInSteps(value)), JSON.stringify(value));
    }),
  );
  const hole = { a: undefined, b: [undefined, 1], c: 'x'.repeat(largeWeight) };
  t.is(runAtOnce(textInSteps(hole)), JSON.stringify(hole));
});

test('what is folded in steps is what is read back, frozen, and shares what is equal before it', (t) => {
  fc.assert(
    fc.property(any, any, fc.boolean(), (value, other, isChanged) => {
      const before = deepFreezeAny(parse(isChanged ? { ...(value as object), other } : other));
      const folded = runAtOnce(foldedInSteps(value, before));
      t.deepEqual(parse(folded), parse(value));
      t.is(JSON.stringify(folded), JSON.stringify(value));
      // As what shares at one go: the same parts of the one before it.
      const shared = shareEqual(parse(value), before);
      t.is(folded === before, shared === before);
      for (const name of Object.keys((value ?? {}) as object)) {
        const at = (whole: unknown): unknown => (whole as Record<string, unknown>)[name];
        const was = Object.hasOwn((before ?? {}) as object, name) ? at(before) : undefined;
        if (typeof was === 'object' && was !== null)
          t.is(at(folded) === was, at(shared) === was, name);
      }
      t.true(isDeepFrozen(folded));
    }),
  );
});

test('a step is small, and only what is large is worth steps', (t) => {
  const labels = Object.fromEntries(Array.from({ length: 4_900 }, (_, at) => [`label-${at}`, 'x']));
  const object = { metadata: { labels, managedFields: [{ fieldsV1: { 'f:labels': labels } }] } };
  t.true(isLarge(object));
  t.false(isLarge({ metadata: { labels: { a: 'b' } }, spec: { ports: [{ port: 80 }] } }));
  for (const steps of [textInSteps(object), foldedInSteps(object, undefined)]) {
    let count = 0;
    while (steps.next().done !== true) count += 1;
    t.true(count >= 10, String(count));
  }
});

function deepFreezeAny(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? deepFreeze(value) : value;
}

function isDeepFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeepFrozen);
}
