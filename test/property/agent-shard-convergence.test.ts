// The applier against the real API machinery: whatever is wished, ordered, edited by hand, cut or
// frozen in between, the cluster ends as wished, and then nothing is written any more.

import test from 'ava';
import fc from 'fast-check';
import { splitServiceKey, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { federationOf, isAdopted } from '../../common/pure/shard-marks.ts';
import { byHand, readService, startShardWorld, type ShardWorld } from '../support/shard-world.ts';
import { toTestService } from '../support/sim-kube.ts';

const keys = ['shop/a', 'shop/b', 'late/c'].map((text) => splitServiceKey(text as ServiceKey));
const specs: readonly ShardManifest['spec'][] = [
  {
    type: 'LoadBalancer',
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    selector: { app: 'x' },
  },
  { type: 'ClusterIP', ports: [{ port: 81, targetPort: 8081 }], selector: { app: 'y', tier: 'z' } },
  {
    type: 'NodePort',
    ports: [
      { name: 'a', port: 80 },
      { name: 'b', port: 82, targetPort: 'web' },
    ],
    selector: { app: 'x' },
  },
];
const foreignSpec = {
  type: 'ClusterIP',
  ports: [{ name: 'http', port: 9090 }],
  selector: { app: 'foreign' },
};

function manifestOf(index: number, variant: number): ShardManifest {
  const at = keys[index] ?? { namespace: 'shop', name: 'a' };
  const spec = specs[variant % specs.length] ?? { type: 'ClusterIP' };
  const labels = variant % 2 === 0 ? { team: 't1' } : { other: 't2' };
  return { apiVersion: 'v1', kind: 'Service', metadata: { ...at, labels }, spec };
}

function read(world: ShardWorld, index: number): Promise<Service | undefined> {
  return readService(world, keys[index] ?? { namespace: '', name: '' });
}

type Step =
  | { readonly kind: 'wish'; readonly index: number; readonly variant: number }
  | { readonly kind: 'giveUp'; readonly index: number; readonly mode: 'delete' | 'release' }
  | { readonly kind: 'edit'; readonly index: number; readonly edit: number }
  | { readonly kind: 'state'; readonly state: 'up' | 'down' | 'frozen' }
  | { readonly kind: 'wait'; readonly ms: number };

const index = fc.nat(keys.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('wish' as const), index, variant: fc.nat(5) }),
  fc.record({
    kind: fc.constant('giveUp' as const),
    index,
    mode: fc.constantFrom('delete' as const, 'release' as const),
  }),
  fc.record({ kind: fc.constant('edit' as const), index, edit: fc.nat(6) }),
  fc.record({
    kind: fc.constant('state' as const),
    state: fc.constantFrom('up' as const, 'down' as const, 'frozen' as const),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3_000) }),
);

async function edit(world: ShardWorld, at: number, which: number): Promise<void> {
  const { namespace, name } = keys[at] ?? { namespace: '', name: '' };
  const path = { apiVersion: 'v1', plural: 'services', namespace };
  const patches = [
    { metadata: { labels: { team: 'edited', mine: 'yes' } } },
    { spec: { ports: [{ name: 'x', port: 7_000 + which }] } },
    { spec: { selector: { app: 'hand', extra: 'y' } } },
    { spec: { type: 'ClusterIP' } },
    { metadata: { annotations: { 'isthmus.dev/shard-hash': 'broken' } } },
  ];
  const patch = patches[which];
  if (patch !== undefined)
    await byHand(world, world.hand.mergePatch(path, name, patch, 'kubectl-edit'));
  else if (which === 5) await byHand(world, world.hand.delete(path, name, {}));
  else await byHand(world, world.hand.create(path, toTestService(namespace, name, foreignSpec)));
}

async function play(world: ShardWorld, steps: readonly Step[]): Promise<void> {
  for (const each of steps) {
    const key =
      'index' in each ? toServiceKey(keys[each.index] ?? { namespace: '', name: '' }) : undefined;
    if (each.kind === 'wish') world.assignment.wish(manifestOf(each.index, each.variant));
    if (each.kind === 'giveUp' && key !== undefined) world.assignment.giveUp(key, each.mode);
    if (each.kind === 'edit' && world.sim.state() === 'up')
      await edit(world, each.index, each.edit);
    if (each.kind === 'state') await world.setState(each.state);
    if (each.kind === 'wait') await world.clock.advance(each.ms);
  }
  await world.setState('up');
  await world.clock.advance(150_000);
}

function portsOf(
  ports: readonly { readonly port: number; readonly name?: string }[] | undefined,
): readonly string[] {
  return (ports ?? []).map(({ port, name }) => `${name ?? ''}:${port}`).sort();
}

/** Undefined when this key ended as it should. */
async function findFault(world: ShardWorld, at: number): Promise<string | undefined> {
  const key = toServiceKey(keys[at] ?? { namespace: '', name: '' });
  const shard = world.assignment.shard(key);
  const order = world.assignment.order(key);
  const service = await read(world, at);
  const result = world.results.get(key);
  if (shard !== undefined) {
    const { spec, metadata } = JSON.parse(Buffer.from(shard.bytes).toString()) as ShardManifest;
    if (service === undefined) return `${key} is wished and absent`;
    const isRight =
      federationOf(service) === 'fed' &&
      service.spec.type === spec.type &&
      JSON.stringify(service.spec.selector) === JSON.stringify(spec.selector) &&
      JSON.stringify(portsOf(service.spec.ports)) === JSON.stringify(portsOf(spec.ports)) &&
      Object.entries(metadata.labels ?? {}).every(
        ([name, value]) => service.metadata.labels?.[name] === value,
      );
    if (!isRight) return `${key} is ${JSON.stringify(service)}, wished ${JSON.stringify(spec)}`;
    return result?.outcome === 'applied' && result.hash === shard.hash
      ? undefined
      : `${key} told ${JSON.stringify(result)}`;
  }
  if (order === undefined) return undefined;
  if (service !== undefined && federationOf(service) === 'fed')
    return `${key} is ordered away and still ours`;
  const expected = order.mode === 'delete' ? 'removed' : 'released';
  return result?.outcome === expected
    ? undefined
    : `${key} told ${JSON.stringify(result)}, expected ${expected}`;
}

test('convergence and idempotence under edits, cuts and freezes', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 20 }),
      fc.nat(1_000),
      async (steps, seed) => {
        const world = await startShardWorld(seed);
        try {
          await play(world, steps);
          for (let at = 0; at < keys.length; at += 1) {
            const fault = await findFault(world, at);
            if (fault !== undefined) throw new Error(fault);
          }
          const before = world.sim.writes.length;
          await world.clock.advance(120_000);
          const more = world.sim.writes.slice(before);
          if (more.length > 0) throw new Error(`writes at rest: ${more.join(', ')}`);
        } finally {
          await world.stop();
        }
      },
    ),
    { numRuns: 40, endOnFailure: false },
  );
  t.pass();
});

test('I4: a Service of others is never written, whatever is ordered', async (t) => {
  const world = await startShardWorld(1);
  const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
  await byHand(world, world.hand.create(path, toTestService('shop', 'a', foreignSpec)));
  const before = await read(world, 0);
  world.assignment.giveUp(toServiceKey({ namespace: 'shop', name: 'a' }), 'delete');
  await world.clock.advance(5_000);
  t.deepEqual(await read(world, 0), before);
  t.like(world.results.get(toServiceKey({ namespace: 'shop', name: 'a' })), {
    outcome: 'removed',
    reason: 'NotOurs',
  });
  await world.stop();
});

test('adoption takes the Service over, says so, and keeps what others own', async (t) => {
  const world = await startShardWorld(2);
  const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
  const foreign = toTestService('shop', 'a', foreignSpec);
  const labelled = { ...foreign, metadata: { ...foreign.metadata, labels: { owner: 'them' } } };
  const created = await byHand(world, world.hand.create(path, labelled));
  world.assignment.wish(manifestOf(0, 0));
  await world.clock.advance(5_000);
  const service = await read(world, 0);
  t.is(service?.metadata.uid, created?.metadata.uid);
  t.is(service?.metadata.labels?.['owner'], 'them');
  t.deepEqual(portsOf(service?.spec.ports), ['http:80']);
  t.true(service !== undefined && isAdopted(service));
  t.like(world.results.get(toServiceKey({ namespace: 'shop', name: 'a' })), {
    outcome: 'applied',
    adopted: true,
  });
  await world.stop();
});

test('a release keeps every value and gives up every mark', async (t) => {
  const world = await startShardWorld(3);
  world.assignment.wish(manifestOf(0, 0));
  await world.clock.advance(5_000);
  const before = await read(world, 0);
  world.assignment.giveUp(toServiceKey({ namespace: 'shop', name: 'a' }), 'release');
  await world.clock.advance(5_000);
  const after = await read(world, 0);
  t.deepEqual(after?.spec, before?.spec);
  t.deepEqual(after?.metadata.labels, before?.metadata.labels);
  t.is(after?.metadata.annotations?.['isthmus.dev/shard-of'], undefined);
  t.deepEqual(
    (after?.metadata.managedFields ?? []).filter((entry) => entry['manager'] === 'isthmus'),
    [],
  );
  await world.stop();
});

test('a hand edit is repaired within a second', async (t) => {
  const world = await startShardWorld(4);
  world.assignment.wish(manifestOf(0, 0));
  await world.clock.advance(5_000);
  await edit(world, 0, 2);
  await world.clock.advance(1_000);
  t.deepEqual((await read(world, 0))?.spec.selector, { app: 'x' });
  await world.stop();
});

test('I13: removals beyond the budget wait for the next minute', async (t) => {
  const world = await startShardWorld(5, { allowedNamespaces: [], removalsPerMinute: 1 });
  for (const at of [0, 1]) world.assignment.wish(manifestOf(at, 0));
  await world.clock.advance(5_000);
  for (const at of [0, 1])
    world.assignment.giveUp(toServiceKey(keys[at] ?? { namespace: '', name: '' }), 'delete');
  await world.clock.advance(10_000);
  const left = [await read(world, 0), await read(world, 1)].filter(
    (service) => service !== undefined,
  );
  t.is(left.length, 1);
  await world.clock.advance(60_000);
  t.deepEqual([await read(world, 0), await read(world, 1)], [undefined, undefined]);
  await world.stop();
});
