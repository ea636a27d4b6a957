// What two versions of an object, or two objects, have in common is kept once.

import test from 'ava';
import fc from 'fast-check';
import { toLogKey, toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { SharedParts } from '../../coordinator/desired/shared-parts.ts';
import { shareEqual } from '../../coordinator/desired/shared-values.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { deepFreeze } from '../../coordinator/desired/stored-object.ts';
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
  const parts = new SharedParts();
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`f:${index}`, {}]));
  const [one, two] = [0, 1].map(() => [
    entry({ 'f:spec': { 'f:type': {} } }),
    entry(structuredClone(many)),
  ]);
  parts.share({ one });
  parts.share({ two });
  t.is(one?.[0]?.['fieldsV1'], two?.[0]?.['fieldsV1']);
  t.not(one?.[1]?.['fieldsV1'], two?.[1]?.['fieldsV1']);
  t.deepEqual(two?.[1], entry(many));
});

test('of more different field sets than are kept, those that are met stay shared', (t) => {
  const parts = new SharedParts();
  const often = (): JsonObject => entry({ 'f:often': {} });
  const first = often();
  parts.share([first]);
  for (let index = 0; index < 20_000; index += 1) {
    parts.share([entry({ [`f:${index}`]: {} })]);
    if (index % 1_000 !== 0) continue;
    const again = often();
    parts.share([again]);
    t.is(again['fieldsV1'], first['fieldsV1']);
  }
});

test('small items without parts of their own are one, in any object, if their text is', (t) => {
  const parts = new SharedParts();
  const port = (name: string): object => ({ name, port: 80, protocol: 'TCP' });
  const one = { kind: 'Service', spec: { ports: [port('http'), port('https')] } };
  const two = { kind: 'Endpoints', subsets: [{ addresses: [], ports: [port('http')] }] };
  const other = { spec: { ports: [{ port: 80, name: 'http', protocol: 'TCP' }] } };
  parts.share(one);
  parts.share(two);
  parts.share(other);
  t.is(two.subsets[0]?.ports[0], one.spec.ports[0]);
  t.not(other.spec.ports[0], one.spec.ports[0] as object, 'members in another order');
  const [long, same] = [0, 1].map(() => [{ message: 'x'.repeat(600) }]);
  for (const each of [long, same]) parts.share({ each });
  t.not(long?.[0], same?.[0], 'what is long is of one object');
});

test('property: sharing parts changes no text, and writes into nothing that is frozen', (t) => {
  const parts = new SharedParts();
  fc.assert(
    fc.property(fc.json(), fc.json(), (first, second) => {
      const [one, two] = [{ value: parse(first) }, { value: parse(second) }];
      parts.share(one);
      deepFreeze(one);
      parts.share(two);
      t.is(JSON.stringify(one), JSON.stringify({ value: parse(first) }));
      t.is(JSON.stringify(two), JSON.stringify({ value: parse(second) }));
      deepFreeze(two);
    }),
  );
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
