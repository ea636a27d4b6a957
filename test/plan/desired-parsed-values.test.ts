// Large values are parsed, shared and frozen once, in turns before that in which they are folded.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { largeValueBytes, ParsedValues } from '../../coordinator/desired/parsed-values.ts';
import { toStoreValue } from '../../coordinator/desired/stored-object.ts';
import { createManualClock } from '../support/manual-clock.ts';

const toText = (length: number): string => 'x'.repeat(length);

function toObject(text: string): KubeObject {
  const metadata = { name: 'a', namespace: 'default' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, spec: { text } };
}

test('D3 a large value is parsed, shared and frozen between rests, and taken by one', async (t) => {
  let rests = 0;
  const values = new ParsedValues(() => {
    rests += 1;
    return Promise.resolve();
  });
  const previous = { ...toObject(''), data: { a: 'b' } } as KubeObject;
  const next = { ...toObject(toText(largeValueBytes)), data: { a: 'b' } } as KubeObject;
  const value = toStoreValue(next);
  await values.prepare(value, previous);
  t.is(rests, 4);
  const [first, second] = [values.take(value), values.take(value)];
  t.deepEqual(first, next);
  t.is((first as { data?: unknown }).data, (previous as { data?: unknown }).data);
  t.true(Object.isFrozen(first.spec));
  t.deepEqual(second, first);
  t.false(Object.isFrozen(second), 'what was not prepared may be written into');
});

test('D3 nobody waits for a small value', (t) => {
  const values = new ParsedValues(() => Promise.reject(new Error('nobody rests')));
  const value = toStoreValue(toObject('y'));
  t.is(values.prepare(value, undefined), undefined);
  t.deepEqual(values.take(value), toObject('y'));
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
    object: toObject(toText(largeValueBytes)),
    expected: toRevision(0),
  });
  if (first.kind !== 'written') return t.fail(first.kind);
  const second = await desired.write({
    key,
    object: toObject('y'),
    expected: first.stored.revision,
  });
  t.is(second.kind, 'written');
  t.deepEqual(first.stored.object.spec, { text: toText(largeValueBytes) });
  t.deepEqual(desired.get(key)?.object.spec, { text: 'y' });
});
