// Random lives of a federation: Services, policies and clusters come, change and go, agents come
// and go, the store loses answers, and the coordinator is killed at any write. Whatever happened,
// once things are quiet the world is a function of the objects that are in the log. Properties
// use node's assertions, which fast-check can catch, to name the seed and the shortest history.

import test from 'ava';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  toClusterName,
  toLogPrefix,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { v1SelectorAnnotation } from '../../coordinator/placement/plan-manifest.ts';
import { planPlacement } from '../../coordinator/placement/plan.ts';
import {
  cluster,
  clusterAt,
  clustersOf,
  createPlacementWorld,
  heldBy,
  policy,
  policyAt,
  service,
  serviceAt,
  type Fault,
  type PlacementWorld,
} from '../plan/placement-world.ts';

const names = ['x', 'y'];
const clusterNames = ['a', 'b', 'c'];

type Act =
  | { readonly kind: 'service'; readonly name: string; readonly port: number }
  | { readonly kind: 'deleteService'; readonly name: string; readonly isOrphaning: boolean }
  /** Its finalizers were cut off by hand. */
  | { readonly kind: 'eraseService'; readonly name: string }
  | { readonly kind: 'policy'; readonly name: string; readonly clusters: readonly string[] }
  | { readonly kind: 'deletePolicy'; readonly name: string }
  | { readonly kind: 'select'; readonly name: string; readonly annotation: string }
  | { readonly kind: 'cluster'; readonly name: string; readonly tier: string }
  | { readonly kind: 'deleteCluster'; readonly name: string }
  | { readonly kind: 'away' | 'back'; readonly name: string }
  | { readonly kind: 'obey' }
  | { readonly kind: 'settle' }
  | { readonly kind: 'restart' }
  /** The write after next so many gets this fault. */
  | { readonly kind: 'fault'; readonly after: number; readonly fault: Fault };

const anyName = fc.constantFrom(...names);
const anyCluster = fc.constantFrom(...clusterNames);
const annotations = ['[{"key":"tier","operator":"in","values":["gold"]}]', '[]', 'unreadable'];

const anyAct: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('service' as const),
      name: anyName,
      port: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('deleteService' as const),
      name: anyName,
      isOrphaning: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('policy' as const),
      name: anyName,
      clusters: fc.subarray(clusterNames),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('eraseService' as const), name: anyName }),
  },
  fc.record({ kind: fc.constant('deletePolicy' as const), name: anyName }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('select' as const),
      name: anyName,
      annotation: fc.constantFrom(...annotations),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('cluster' as const),
      name: anyCluster,
      tier: fc.constantFrom('gold', 'tin'),
    }),
  },
  fc.record({ kind: fc.constant('deleteCluster' as const), name: anyCluster }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('away' as const, 'back' as const),
      name: anyCluster,
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'obey' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'settle' as const }) },
  fc.constant({ kind: 'restart' as const }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      after: fc.nat(4),
      fault: fc.constantFrom<Fault>('crash', 'lost-answer', 'unavailable'),
    }),
  },
);

// Long ones: a fault needs a state that is worth losing.
const anyHistory = fc.array(anyAct, { minLength: 15, maxLength: 50, size: 'max' });

async function perform(world: PlacementWorld, act: Act): Promise<void> {
  switch (act.kind) {
    case 'service': {
      const known = world.desired().get(serviceAt(act.name))?.object;
      const next = service(act.name, { type: 'LoadBalancer', ports: [{ port: act.port }] });
      return world.put(serviceAt(act.name), {
        ...next,
        metadata: known?.metadata ?? next.metadata,
      });
    }
    case 'deleteService':
      return world.deleteService(act.name, act.isOrphaning);
    case 'eraseService':
      return world.put(serviceAt(act.name), undefined);
    case 'policy':
      return world.put(policyAt(act.name), policy(act.name, { clusters: act.clusters }));
    case 'deletePolicy':
      return world.put(policyAt(act.name), undefined);
    case 'select': {
      const known = world.desired().get(serviceAt(act.name))?.object;
      if (known === undefined) return undefined;
      const annotated = { [v1SelectorAnnotation]: act.annotation };
      const metadata = { ...known.metadata, annotations: annotated };
      return world.put(serviceAt(act.name), { ...known, metadata });
    }
    case 'cluster':
      return world.put(clusterAt(act.name), cluster(act.name, { tier: act.tier }));
    case 'deleteCluster':
      await world.put(clusterAt(act.name), undefined);
      world.held.delete(toClusterName(act.name));
      return undefined;
    case 'away':
      return void world.away.add(act.name);
    case 'back':
      return void world.away.delete(act.name);
    case 'obey':
      return world.obey();
    case 'settle':
      return world.settle();
    case 'restart':
      return world.restart();
    case 'fault': {
      let countdown = act.after;
      world.faults.next = () => {
        countdown -= 1;
        if (countdown >= 0) return 'none';
        world.faults.next = () => (act.fault === 'crash' ? 'crash' : 'none');
        return act.fault;
      };
      return undefined;
    }
  }
}

/** A user's write that fails is tried again by the user, or not: both are lives to be lived. */
async function attempt(world: PlacementWorld, act: Act): Promise<void> {
  try {
    await perform(world, act);
  } catch {
    world.faults.next = () => 'none';
    await world.restart();
  }
}

/** Faults end, agents return, time passes. */
async function calm(world: PlacementWorld): Promise<void> {
  world.faults.next = () => 'none';
  await world.restart();
  world.away.clear();
  await world.obey();
  await world.clock.advance(60_000);
  await world.obey();
}

function services(world: PlacementWorld): readonly Service[] {
  return [...world.desired().list(toLogPrefix('', 'services'))].map(
    ({ object }) => object as Service,
  );
}

/** Clusters of each Service by the plan alone; undefined where the plan refuses. */
function planned(world: PlacementWorld): ReadonlyMap<ServiceKey, readonly string[] | undefined> {
  const all = <T>(prefix: string): readonly T[] =>
    [...world.desired().list(prefix)].map(({ object }) => object as T);
  const policies = all<ServicePolicy>(toLogPrefix('isthmus.dev', 'servicepolicies'));
  const clusters = all<Cluster>(toLogPrefix('isthmus.dev', 'clusters'));
  return new Map(
    services(world).map((object) => {
      const plan = planPlacement({ service: object, policies, clusters });
      const { namespace = '', name } = object.metadata;
      return [
        toServiceKey({ namespace, name }),
        plan.kind === 'placed' ? plan.clusters : undefined,
      ];
    }),
  );
}

/** Shards that an agent holds, that nobody wants and nobody orders away. */
function unowned(world: PlacementWorld): readonly string[] {
  const placement = world.placement();
  return clustersOf(world).flatMap((name) => {
    const ordered = new Set([...placement.removalsOf(name)].map(({ key }) => key));
    return [...(world.held.get(name)?.keys() ?? [])]
      .filter((key) => placement.shard(name, key) === undefined && !ordered.has(key))
      .map((key) => `${name}: ${key}`);
  });
}

/** The whole durable and shown state that must not depend on the way to it. */
function stateOf(world: PlacementWorld): unknown {
  const { placement } = world;
  return {
    held: heldBy(world),
    view: clustersOf(world).map((name) => [
      name,
      [...placement().shardsOf(name)].map(({ key, hash }) => `${key} ${hash}`).sort(),
      [...placement().removalsOf(name)].map(({ key }) => key),
    ]),
    records: [...world.desired().list(toLogPrefix('isthmus.dev', 'placements'))].map(
      ({ key, object }) => [key, object.spec],
    ),
  };
}

test('I2 I3 any history converges, and no shard is ever held without an owner', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyHistory, async (acts) => {
      const world = await createPlacementWorld(['a', 'b']);
      for (const act of acts) {
        await attempt(world, act);
        if (act.kind !== 'obey' || !world.isStoreOpen()) continue;
        // A Service that was erased has no content to show while a write of its orders is retried.
        await world.clock.advance(1_000);
        if (world.isStoreOpen()) assert.deepEqual(unowned(world), []);
      }
      await calm(world);
      assert.deepEqual(unowned(world), []);
      for (const [key, clusters] of planned(world)) {
        const holders = [...world.held].filter(([, keys]) => keys.has(key));
        const shown = world.placement().clustersOf(key);
        assert.deepEqual(holders.map(([name]) => String(name)).sort(), [...shown]);
        if (clusters !== undefined) assert.deepEqual(shown, clusters as typeof shown);
      }
      const left = world.desired().list(toLogPrefix('isthmus.dev', 'removalorders'));
      assert.deepEqual([...left], []);
      assert.deepEqual(
        services(world).filter(({ metadata }) => metadata.deletionTimestamp),
        [],
      );
      assert.equal(world.placement().revision(), world.desired().revision());
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test('once quiet, another life changes nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyHistory, async (acts) => {
      const world = await createPlacementWorld(['a', 'b']);
      for (const act of acts) await attempt(world, act);
      await calm(world);
      const before = stateOf(world);
      const revision = world.desired().revision();
      await calm(world);
      assert.deepEqual(stateOf(world), before);
      assert.equal(
        Number(world.desired().revision()),
        revision + 1,
        'only the new term was written',
      );
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('the order in which objects were written does not show', async (t) => {
  const objects: readonly Act[] = [
    { kind: 'service', name: 'x', port: 1 },
    { kind: 'service', name: 'y', port: 2 },
    { kind: 'policy', name: 'x', clusters: ['a', 'c'] },
    { kind: 'cluster', name: 'a', tier: 'gold' },
    { kind: 'cluster', name: 'b', tier: 'tin' },
    { kind: 'cluster', name: 'c', tier: 'gold' },
  ];
  const states = new Set<string>();
  const anyOrder = fc.shuffledSubarray([...objects], { minLength: objects.length });
  await fc.assert(
    fc.asyncProperty(anyOrder, fc.array(fc.boolean()), async (acts, pauses) => {
      const world = await createPlacementWorld([]);
      for (const [index, act] of acts.entries()) {
        await perform(world, act);
        if (pauses[index] === true) await world.obey();
      }
      await calm(world);
      states.add(JSON.stringify(stateOf(world)));
      assert.equal(states.size, 1);
    }),
    { numRuns: 40 },
  );
  t.is(states.size, 1);
});
