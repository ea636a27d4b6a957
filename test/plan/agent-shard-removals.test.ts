// I13: removals are counted over everything that makes a life of the agent end, and over everything
// that makes a call late.

import test from 'ava';
import { toServiceKey } from '../../common/model/ids.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { sleep } from '../../common/runtime/clock.ts';
import { createRemovalBudget, createRemovalNotes } from '../../agent/shard/removal-budget.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { startShardWorld, type ShardWorld } from '../support/shard-world.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const guard = { allowedNamespaces: [], removalsPerMinute: 2 };

function manifestOf(name: string): ShardManifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name },
    spec: { type: 'ClusterIP', ports: [{ port: 80 }], selector: { app: name } },
  };
}

async function begin(): Promise<ShardWorld> {
  const world = await startShardWorld(7, guard);
  for (const name of names) world.assignment.wish(manifestOf(name));
  await world.clock.advance(10_000);
  return world;
}

/** A coordinator gone mad. */
function orderAllAway({ assignment }: ShardWorld): void {
  for (const name of names) assignment.giveUp(toServiceKey({ namespace: 'shop', name }), 'delete');
}

function left({ sim }: ShardWorld): number {
  return [...sim.desired.list('core/services/shop/')].length;
}

test('I13 an agent that starts again and again removes no more than one that lives on', async (t) => {
  const world = await begin();
  orderAllAway(world);
  await world.clock.advance(2_000);
  t.is(left(world), 4);
  for (let life = 0; life < 5; life += 1) {
    await world.restart();
    await world.clock.advance(10_000);
    t.is(left(world), 4, `life ${life}`);
  }
  await world.clock.advance(55_000);
  t.is(left(world), 2, 'the minute after the last start is over');
  await world.stop();
});

test('I13 an empty folder where shards are takes it that as many have gone as may go', async (t) => {
  const world = await begin();
  world.assignment.loseNotes();
  await world.restart();
  orderAllAway(world);
  await world.clock.advance(50_000);
  t.is(left(world), 6);
  await world.clock.advance(13_000);
  t.is(left(world), 4);
  await world.stop();
});

test('an agent that has just come to a cluster without shards may remove at once', async (t) => {
  const world = await begin();
  await world.restart();
  orderAllAway(world);
  await world.clock.advance(2_000);
  t.is(left(world), 4);
  await world.stop();
});

test('what was removed a quarter of an hour ago holds no life up', async (t) => {
  const world = await begin();
  for (const name of ['a', 'b'])
    world.assignment.giveUp(toServiceKey({ namespace: 'shop', name }), 'delete');
  await world.clock.advance(900_000);
  await world.restart();
  orderAllAway(world);
  await world.clock.advance(2_000);
  t.is(left(world), 2);
  await world.stop();
});

test('I2 an order that ends while its removal is being counted is not carried out', async (t) => {
  const world = await begin();
  const { assignment } = world;
  const noting = assignment.noteRemovals;
  Object.assign(assignment, {
    noteRemovals: async (note: Parameters<typeof noting>[0]) => {
      await noting(note);
      for (const name of names) assignment.wish(manifestOf(name));
    },
  });
  orderAllAway(world);
  await world.clock.advance(5_000);
  t.is(left(world), 6);
  await world.stop();
});

test('I13 B1 a removal counts until a minute after its answer', async (t) => {
  const clock = createManualClock();
  const budget = createRemovalBudget(clock, 1);
  const late = budget.spend();
  t.is(budget.left(), 0);
  await clock.advance(9_000);
  late.done();
  await clock.advance(59_000);
  t.is(budget.left(), 0);
  t.is(budget.untilNextMs(), 1_000);
  await clock.advance(1_000);
  t.is(budget.left(), 1);
});

test('B2 a refused removal takes no room from others', (t) => {
  const budget = createRemovalBudget(createManualClock(), 1);
  budget.spend().undone();
  t.is(budget.left(), 1);
});

test('I13 B4 the last note that is written says all, however long the first one takes', async (t) => {
  const clock = createManualClock();
  const budget = createRemovalBudget(clock, 3);
  const noted: number[] = [];
  let delayMs = 50;
  const noteRemovals = async ({ count }: { readonly count: number }): Promise<void> => {
    delayMs -= 20;
    await sleep(clock, delayMs);
    noted.push(count);
  };
  const write = createRemovalNotes({ assignment: { noteRemovals }, budget, clock });
  const writing = [1, 2].map(() => {
    budget.spend();
    return write();
  });
  await clock.advance(100);
  await Promise.all(writing);
  t.is(noted.at(-1), 2);
});

test('B3 what another life removed counts from now', async (t) => {
  const clock = createManualClock();
  await clock.advance(1_000_000);
  const budget = createRemovalBudget(clock, 2);
  budget.assume(2);
  t.is(budget.left(), 0);
  t.is(budget.untilNextMs(), 60_000);
  t.is(createRemovalBudget(clock, 0).untilNextMs(), undefined);
});
