// What two versions of an object, or two objects, have in common is kept once.

import test from 'ava';
import fc from 'fast-check';
import { toLogKey, toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { SharedFieldSets } from '../../coordinator/desired/shared-field-sets.ts';
import { shareEqual } from '../../coordinator/desired/shared-values.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const parse = (text: string): unknown => JSON.parse(text) as unknown;

test('property: sharing changes no text, and shares what is equal', (t) => {
  fc.assert(
    fc.property(fc.json(), fc.json(), (before, after) => {
      const previous = parse(before);
      const shared = shareEqual(parse(after), previous);
      t.is(JSON.stringify(shared), JSON.stringify(parse(after)));
      t.is(JSON.stringify(previous), JSON.stringify(parse(before)), 'the former stays as it was');
      const isParent = typeof previous === 'object' && previous !== null;
      const isEqual = JSON.stringify(shared) === JSON.stringify(previous);
      if (isParent && isEqual) t.is(shared, previous);
    }),
  );
});

test('members in another order are another text, and not shared', (t) => {
  const previous = { spec: { a: { x: 1 }, b: { y: 2 } } };
  const current = shareEqual({ spec: { b: { y: 2 }, a: { x: 1 } } }, previous);
  t.not(current.spec, previous.spec);
  t.is(current.spec.a, previous.spec.a);
  t.is(JSON.stringify(current), '{"spec":{"b":{"y":2},"a":{"x":1}}}');
});

test('a member that JSON calls __proto__ is a member', (t) => {
  const text = '{"__proto__":{"a":{"b":1}},"c":1}';
  const shared = shareEqual(parse(text), parse('{"__proto__":{"a":{"b":1}},"c":2}'));
  t.is(JSON.stringify(shared), text);
  t.is(Object.getPrototypeOf(shared), Object.prototype);
});

function entry(fields: object, manager = 'kubectl'): JsonObject {
  return { manager, operation: 'Update', fieldsV1: fields as JsonObject };
}

test('field sets that are equal are one, but long ones', (t) => {
  const sets = new SharedFieldSets();
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`f:${index}`, {}]));
  const [one, two] = [0, 1].map(() => [
    entry({ 'f:spec': { 'f:type': {} } }),
    entry(structuredClone(many)),
  ]);
  sets.share(one);
  sets.share(two);
  t.is(one?.[0]?.['fieldsV1'], two?.[0]?.['fieldsV1']);
  t.not(one?.[1]?.['fieldsV1'], two?.[1]?.['fieldsV1']);
  t.deepEqual(two?.[1], entry(many));
});

test('of more different field sets than are kept, those that are met stay shared', (t) => {
  const sets = new SharedFieldSets();
  const often = (): JsonObject => entry({ 'f:often': {} });
  const first = often();
  sets.share([first]);
  for (let index = 0; index < 20_000; index += 1) {
    sets.share([entry({ [`f:${index}`]: {} })]);
    if (index % 1_000 !== 0) continue;
    const again = often();
    sets.share([again]);
    t.is(again['fieldsV1'], first['fieldsV1']);
  }
});

function at(name: string): LogKey {
  return toLogKey({ group: '', resource: 'services', namespace: 'default', name });
}

async function put(desired: Desired, object: KubeObject, expected: Revision): Promise<Revision> {
  const outcome = await desired.write({ key: at(object.metadata.name), object, expected });
  if (outcome.kind !== 'written') throw new Error(outcome.kind);
  return outcome.stored.revision;
}

test('a new status leaves spec, labels and field sets of the version before in their place', async (t) => {
  const desired = await createDesired({
    store: createMemoryStore({ disk: createMemoryDisk('test') }),
    clock: createVirtualClock(),
    log: silentLog,
    metrics: silentMetrics,
  });
  const toService = (name: string, phase: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: { app: 'web' }, managedFields: [entry({ 'f:spec': {} })] },
    spec: { ports: [{ name: 'http', port: 80 }] },
    status: { phase },
  });
  const revision = await put(desired, toService('one', 'new'), toRevision(0));
  const before = desired.get(at('one'))?.object;
  await put(desired, toService('one', 'done'), revision);
  await put(desired, toService('two', 'new'), toRevision(0));
  const [after, other] = [desired.get(at('one'))?.object, desired.get(at('two'))?.object];
  t.deepEqual([before?.status, after?.status], [{ phase: 'new' }, { phase: 'done' }]);
  t.is(after?.spec, before?.spec);
  t.is(after?.metadata.labels, before?.metadata.labels);
  t.is(after?.metadata.managedFields, before?.metadata.managedFields);
  const fieldsOf = (object: KubeObject | undefined) =>
    object?.metadata.managedFields?.[0]?.['fieldsV1'];
  t.is(fieldsOf(other), fieldsOf(after));
  t.true(Object.isFrozen(fieldsOf(other)));
  await desired.close();
});
