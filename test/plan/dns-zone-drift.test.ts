// Comparing what stands at a provider, Service after Service: when each one's turn comes.

import test from 'ava';
import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Calls } from '../../coordinator/dns/apply/calls.ts';
import { driftRoundMs, ZoneDrift } from '../../coordinator/dns/apply/zone-drift.ts';
import { ZoneState } from '../../coordinator/dns/apply/zone-state.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

interface World {
  readonly clock: VirtualClock;
  readonly drift: ZoneDrift;
  /** When each Service was read. */
  readonly reads: Map<string, number[]>;
  /** Not compared now. */
  readonly moving: Set<string>;
  add(count: number): void;
  fail: boolean;
}

function createWorld(perSecond = 100): World {
  const clock = createVirtualClock();
  const state = new ZoneState('zone');
  const reads = new Map<string, number[]>();
  const moving = new Set<string>();
  const nameOf = (key: ServiceKey): string => key.slice(key.lastIndexOf('/') + 1);
  const world: World = {
    clock,
    reads,
    moving,
    fail: false,
    add: (count) => {
      for (let at = 0; at < count; at += 1) {
        state.group(toServiceKey({ namespace: 'shop', name: `s${state.groups.size}` }), 0);
      }
    },
    drift: new ZoneDrift({
      calls: {
        read: () =>
          Promise.resolve(
            world.fail ? { kind: 'unavailable', message: 'down' } : { kind: 'answer', value: [] },
          ),
      } as unknown as Calls, // all that it asks of them
      clock,
      chance: createSeededChance('drift'),
      groups: state.groups,
      perSecond: () => perSecond,
      isDue: ({ key }) => !moving.has(nameOf(key)),
      namesOf: ({ key }) => [nameOf(key)],
      onRead: ({ key }) => {
        const name = nameOf(key);
        reads.set(name, [...(reads.get(name) ?? []), clock.monotonicMs()]);
      },
    }),
  };
  return world;
}

for (const services of [1, 2, 7, 300]) {
  test(`each of ${services} Services is compared once a round, also in the first one`, async (t) => {
    const world = createWorld();
    world.drift.start(); // before any Service is known, as a holder of the lease does
    world.add(services);
    await world.clock.advance(4 * driftRoundMs);
    world.drift.stop();
    t.is(world.reads.size, services);
    for (const [name, atMs] of world.reads) {
      for (const [index, toMs] of [...atMs, 4 * driftRoundMs].entries()) {
        const fromMs = atMs[index - 1] ?? 0;
        t.true(toMs - fromMs <= driftRoundMs, `${name}: ${fromMs} to ${toMs}`);
      }
      t.true(atMs.length <= 6, `${name}: ${atMs.length} times in four rounds`);
    }
  });
}

test('who is in motion when its turn comes has it once it is at rest, not a round later', async (t) => {
  const world = createWorld();
  world.add(5);
  world.moving.add('s1');
  world.drift.start();
  await world.clock.advance(driftRoundMs);
  t.deepEqual([...world.reads.keys()].sort(), ['s0', 's2', 's3', 's4']);
  world.moving.clear();
  await world.clock.advance(driftRoundMs / 5);
  t.is(world.reads.get('s1')?.length, 1);
  world.drift.stop();
});

test('many in motion keep nobody else from being compared', async (t) => {
  const world = createWorld();
  world.add(300);
  for (let at = 0; at < 290; at += 1) world.moving.add(`s${at}`);
  world.drift.start();
  await world.clock.advance(driftRoundMs);
  t.is(world.reads.size, 10);
  world.drift.stop();
});

test('a provider that was away for a while is compared within a round of its return', async (t) => {
  const world = createWorld();
  world.add(7);
  world.fail = true;
  world.drift.start();
  await world.clock.advance(driftRoundMs * 1.5);
  t.is(world.reads.size, 0);
  world.fail = false;
  await world.clock.advance(driftRoundMs);
  t.is(world.reads.size, 7);
  world.drift.stop();
});

test('readings take no more than their share of the rate', async (t) => {
  const world = createWorld(5); // one name a second is their share
  world.add(2_000);
  world.drift.start();
  await world.clock.advance(driftRoundMs);
  const names = [...world.reads.values()].flat().length;
  t.true(names <= 700 && names >= 500, `${names} in ten minutes`);
  world.drift.stop();
});
