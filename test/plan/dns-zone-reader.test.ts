// Reading names of several Services at once, where some cannot be read.

import test from 'ava';
import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Calls } from '../../coordinator/dns/apply/calls.ts';
import { ZoneReader } from '../../coordinator/dns/apply/zone-reader.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

function keyOf(name: string): ServiceKey {
  return toServiceKey({ namespace: 'shop', name });
}

test('names that cannot be read hold up nobody else’s', async (t) => {
  const clock = createVirtualClock();
  const abort = new AbortController();
  const bad = new Set(['b', 'd']);
  const read: string[] = [];
  const ask = (names: readonly string[]) =>
    names.some((name) => bad.has(name))
      ? { kind: 'denied', message: 'refused' }
      : { kind: 'answer', value: [] };
  const reader = new ZoneReader({
    // All that a reader asks of them.
    calls: { read: (names: readonly string[]) => Promise.resolve(ask(names)) } as unknown as Calls,
    clock,
    signal: abort.signal,
    namesOf: (key) => [key.slice(key.lastIndexOf('/') + 1)],
    onRead: (key) => read.push(key),
  });
  const all = ['b', 'a', 'd', 'c', 'e'];
  for (const name of all) reader.want(keyOf(name));
  await clock.advance(120_000);
  t.deepEqual([...read].sort(), ['a', 'c', 'e'].map(keyOf));
  bad.clear();
  await clock.advance(60_000);
  t.deepEqual([...read].sort(), [...all].sort().map(keyOf));
  abort.abort();
});
