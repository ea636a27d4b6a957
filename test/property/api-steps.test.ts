// What is done in steps comes to the same as at one go, and no step is long.

import test from 'ava';
import fc from 'fast-check';
import type { Json, JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import {
  emptySet,
  fieldsInSteps,
  fromFieldsV1,
  toFieldsV1,
} from '../../coordinator/api/machinery/apply/field-set.ts';
import { equalsInSteps, jsonEquals } from '../../coordinator/api/machinery/schema/json-value.ts';
import { sameInSteps } from '../../coordinator/api/machinery/schema/shape.ts';
import { runSteps } from '../../coordinator/api/machinery/steps.ts';

const json = fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<Json>;
const large = (count: number, value: Json): JsonObject =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));

test('values are equal in steps when they are at one go', (t) => {
  fc.assert(
    fc.property(json, json, fc.boolean(), (a, b, isCopy) => {
      const other = isCopy ? structuredClone(a) : b;
      return runSteps(equalsInSteps(a, other)) === jsonEquals(a, other);
    }),
  );
  for (const name of ['__proto__', 'constructor', 'toString'])
    t.false(runSteps(equalsInSteps({ m: { [name]: 1 } }, { m: { a: 1 } })));
  t.false(runSteps(equalsInSteps({ m: { a: undefined as unknown as Json } }, { m: { a: 1 } })));
});

test('thousands of labels are compared in many steps, and the last of them counts', (t) => {
  const [a, b] = [large(4_900, 'x'), large(4_900, 'x')];
  const steps = equalsInSteps({ metadata: { labels: a } }, { metadata: { labels: b } });
  let count = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      t.true(step.value);
      break;
    }
    count += 1;
  }
  t.is(count, 9);
  const last = { ...b, k4899: 'y' };
  t.false(runSteps(equalsInSteps({ metadata: { labels: a } }, { metadata: { labels: last } })));
});

test('the owners of thousands of fields are compared in many steps', (t) => {
  const toObject = (time: string, last: string): KubeObject => {
    const labels = Object.fromEntries(Array.from({ length: 4_900 }, (_, i) => [`f:k${i}`, {}]));
    const fieldsV1 = { 'f:metadata': { 'f:labels': { ...labels, [last]: {} } } };
    const entry = { manager: 'kubectl', operation: 'Update', time, fieldsV1 };
    return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', managedFields: [entry] } };
  };
  const steps = sameInSteps(toObject('earlier', 'f:a'), toObject('later', 'f:a'));
  let count = 0;
  for (let step = steps.next(); ; step = steps.next(), count += 1) {
    if (step.done !== true) continue;
    t.true(step.value);
    break;
  }
  t.true(count >= 10, `${count}`);
  t.false(runSteps(sameInSteps(toObject('a', 'f:a'), toObject('a', 'f:b'))));
});

test('thousands of owned fields are told in many steps', (t) => {
  const labels = Object.fromEntries(Array.from({ length: 4_900 }, (_, i) => [`f:k${i}`, {}]));
  const tree = { 'f:metadata': { 'f:labels': { '.': {}, ...labels } } };
  const many = fromFieldsV1(tree);
  t.deepEqual(toFieldsV1(many ?? emptySet), tree);
  const steps = fieldsInSteps(many ?? emptySet);
  let count = 0;
  while (steps.next().done !== true) count += 1;
  t.is(count, 10);
});
