// How long an Event of a client stays, under a virtual clock: an hour after its last write, also
// across a restart, and the oldest go first when there are too many.

import test from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createEventRecorder, type Events } from '../../coordinator/status/events.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

const minuteMs = 60_000;
const chance = { fraction: () => 0.5, uuid: () => '0', bytes: (n: number) => new Uint8Array(n) };

interface World {
  readonly clock: VirtualClock;
  readonly desired: Desired;
  /** A coordinator's part that lets Events go, started. */
  readonly start: () => Events;
  /** As a client's write through the API leaves it. */
  readonly write: (name: string, more?: object) => Promise<void>;
  readonly names: () => readonly string[];
}

async function createWorld(): Promise<World> {
  const clock = createVirtualClock();
  const common = { clock, log: silentLog, metrics: silentMetrics };
  const store = createMemoryStore({ disk: createMemoryDisk('events') });
  const desired = await createDesired({ ...common, store });
  const write: World['write'] = async (name, more = {}) => {
    const key = toLogKey({ group: '', resource: 'events', namespace: 'default', name });
    const stored = desired.get(key);
    const time = toTimestamp(clock.now());
    const { creationTimestamp = time } = stored?.object.metadata ?? {};
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name,
        namespace: 'default',
        creationTimestamp,
        managedFields: [{ manager: 'client', operation: 'Update', time }],
      },
      ...more,
    };
    await desired.write({ key, object, expected: stored?.revision ?? toRevision(0) });
  };
  return {
    clock,
    desired,
    start: () => {
      const events = createEventRecorder({ ...common, desired, chance });
      events.start();
      return events;
    },
    write,
    names: () => [...desired.list('core/events/')].map(({ object }) => object.metadata.name),
  };
}

test('[k8s 112] E2. an Event of a client goes an hour after its last write', async (t) => {
  const { clock, start, write, names } = await createWorld();
  const events = start();
  await write('once');
  await write('again');
  await clock.advance(50 * minuteMs);
  await write('again', { count: 2 });
  await clock.advance(9 * minuteMs);
  t.deepEqual(names(), ['again', 'once']);
  await clock.advance(2 * minuteMs);
  t.deepEqual(names(), ['again']);
  await clock.advance(48 * minuteMs);
  t.deepEqual(names(), ['again']);
  await clock.advance(2 * minuteMs);
  t.deepEqual(names(), []);
  await events.stop();
});

test('[k8s 112] E2. a restart gives an Event no second hour, and takes none away', async (t) => {
  const { clock, start, write, names } = await createWorld();
  const first = start();
  await write('a');
  await clock.advance(20 * minuteMs);
  await write('b', { lastTimestamp: toTimestamp(clock.now()) });
  await first.stop();
  await clock.advance(20 * minuteMs);
  const second = start();
  await clock.advance(19 * minuteMs);
  t.deepEqual(names(), ['a', 'b']);
  await clock.advance(2 * minuteMs);
  t.deepEqual(names(), ['b']);
  await second.stop();
  // Down for longer than it had left.
  await clock.advance(60 * minuteMs);
  t.deepEqual(names(), ['b']);
  const third = start();
  await clock.advance(2000);
  t.deepEqual(names(), []);
  await third.stop();
});

test('[k8s 112] E3. of more than 10,000 Events the oldest go, before and after a start', async (t) => {
  const { clock, start, write, names } = await createWorld();
  const toName = (index: number): string => `e${String(index).padStart(5, '0')}`;
  for (let index = 0; index < 10_002; index += 1) {
    await write(toName(index));
    if (index === 1) await clock.advance(5000);
  }
  const events = start();
  await clock.advance(2000);
  t.deepEqual([names().length, names()[0]], [10_000, toName(2)]);
  await write('one-more');
  await clock.advance(2000);
  t.deepEqual([names().length, names()[0], names().at(-1)], [10_000, toName(3), 'one-more']);
  await events.stop();
});
