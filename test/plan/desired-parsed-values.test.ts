// Large values are parsed, shared and frozen once, in turns before that in which they are folded.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { ParsedValues } from '../../coordinator/desired/parsed-values.ts';
import { deepFreeze, toStoreValue } from '../../coordinator/desired/stored-object.ts';
import { largeWeight } from '../../coordinator/desired/value-steps.ts';
import { createManualClock } from '../support/manual-clock.ts';

const toText = (length: number): string => 'x'.repeat(length);

function toObject(text: string): KubeObject {
  const metadata = { name: 'a', namespace: 'default' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, spec: { text } };
}

test('D3 a large value is made text and folded between rests, and taken by one', async (t) => {
  let rests = 0;
  const values = new ParsedValues(() => {
    rests += 1;
    return Promise.resolve();
  });
  const labels = Object.fromEntries(Array.from({ length: 4_900 }, (_, at) => [`label-${at}`, 'x']));
  const previous = deepFreeze({ ...toObject(''), data: labels });
  const next = { ...toObject('z'), data: { ...labels } } as KubeObject;
  const value = await values.toValue(next, previous);
  t.true(rests > 15, String(rests));
  t.is(Buffer.from(value).toString(), JSON.stringify(next));
  const [first, second] = [values.take(value), values.take(value)];
  t.deepEqual(first, next);
  t.is((first as { data?: unknown }).data, previous.data, 'what is equal is there once');
  t.true(Object.isFrozen(first.spec));
  t.deepEqual(second, first);
  t.false(Object.isFrozen(second), 'what was not prepared may be written into');
});

test('D3 nobody waits for a small value', (t) => {
  const values = new ParsedValues(() => Promise.reject(new Error('nobody rests')));
  const value = values.toValue(toObject('y'), undefined);
  t.deepEqual(value, toStoreValue(toObject('y')));
  t.deepEqual(values.take(value as Uint8Array), toObject('y'));
});

test('D3 a large write reads as it was written, and is not changed by the next', async (t) => {
  const clock = createManualClock();
  const desired = await createDesired({
    store: createMemoryStore({ disk: createMemoryDisk('one') }),
    clock,
    log: silentLog,
    metrics: silentMetrics,
  });
  t.teardown(() => desired.close());
  const key = toLogKey({ group: '', resource: 'configmaps', namespace: 'default', name: 'a' });
  const first = await desired.write({
    key,
    object: toObject(toText(largeWeight)),
    expected: toRevision(0),
  });
  if (first.kind !== 'written') return t.fail(first.kind);
  const second = await desired.write({
    key,
    object: toObject('y'),
    expected: first.stored.revision,
  });
  t.is(second.kind, 'written');
  t.deepEqual(first.stored.object.spec, { text: toText(largeWeight) });
  t.deepEqual(desired.get(key)?.object.spec, { text: 'y' });
});
