// Others at work on our shards: whatever they write on a Service that is not ours to judge
// survives for ever, what is ours is put right, and somebody who writes back is not fought.

import test from 'ava';
import fc from 'fast-check';
import { toServiceKey } from '../../common/model/ids.ts';
import type { JsonObject, Service } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { byHand, readService, startShardWorld, type ShardWorld } from '../support/shard-world.ts';

const at = { namespace: 'shop', name: 'web' };
const key = toServiceKey(at);
const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
const manifest: ShardManifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...at, labels: { app: 'web' }, annotations: { note: 'ours' } },
  spec: {
    type: 'LoadBalancer',
    ports: [
      { name: 'http', port: 80, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP', targetPort: 'dns' },
    ],
    selector: { app: 'web' },
    sessionAffinity: 'None',
  },
};

function edit(world: ShardWorld, patch: JsonObject, manager: string): Promise<unknown> {
  return byHand(world, world.hand.mergePatch(path, at.name, patch, manager));
}

interface Foreign {
  readonly patch: JsonObject;
  /** Path and value that must be there in the end; undefined: it is ours, and put right. */
  readonly survives: readonly [string, unknown] | undefined;
}

const word = fc.stringMatching(/^[a-z]{1,6}$/);
const foreign: fc.Arbitrary<Foreign> = fc.oneof(
  fc.tuple(word, word).map(([name, value]) => ({
    patch: { metadata: { labels: { [`x/${name}`]: value } } },
    survives: [`labels x/${name}`, value] as const,
  })),
  fc.tuple(word, word).map(([name, value]) => ({
    patch: { metadata: { annotations: { [`y/${name}`]: value } } },
    survives: [`annotations y/${name}`, value] as const,
  })),
  fc.nat(250).map((octet) => ({
    patch: { spec: { externalIPs: [`192.0.2.${octet}`] } },
    survives: ['spec externalIPs', [`192.0.2.${octet}`]] as const,
  })),
  fc.nat(250).map((octet) => ({
    patch: { spec: { loadBalancerSourceRanges: [`10.${octet}.0.0/16`] } },
    survives: ['spec loadBalancerSourceRanges', [`10.${octet}.0.0/16`]] as const,
  })),
  fc.constantFrom<Foreign>(
    { patch: { metadata: { labels: { app: 'theirs' } } }, survives: undefined },
    { patch: { metadata: { labels: { app: null } } }, survives: undefined },
    { patch: { metadata: { annotations: { note: 'theirs' } } }, survives: undefined },
    { patch: { spec: { selector: { app: 'web', more: 'x' } } }, survives: undefined },
    { patch: { spec: { selector: null } }, survives: undefined },
    { patch: { spec: { type: 'NodePort' } }, survives: undefined },
    { patch: { spec: { ports: [{ name: 'http', port: 8080 }] } }, survives: undefined },
    { patch: { spec: { sessionAffinity: 'ClientIP' } }, survives: undefined },
  ),
);

function valueAt(service: Service, where: string): unknown {
  const [root = '', name = ''] = where.split(' ');
  const roots: Readonly<Record<string, unknown>> = { ...service.metadata, spec: service.spec };
  return (roots[root] as Readonly<Record<string, unknown>> | undefined)?.[name];
}

test('I4: random edits by others converge, and their fields survive every one of our writes', async (t) => {
  const one = async (edits: readonly (Foreign & { readonly restMs: number })[]): Promise<void> => {
    const world = await startShardWorld(7);
    try {
      world.assignment.wish(manifest);
      await world.clock.advance(2_000);
      const first = await readService(world, at);
      const expected = new Map<string, unknown>();
      for (const { patch, survives, restMs } of edits) {
        await edit(world, patch, `manager-${restMs % 3}`);
        if (survives !== undefined) expected.set(...survives);
        await world.clock.advance(restMs);
      }
      await world.clock.advance(400_000); // truces included
      const last = await readService(world, at);
      if (last === undefined) throw new Error('the shard is gone');
      for (const [where, value] of expected) {
        const found = JSON.stringify(valueAt(last, where));
        if (found !== JSON.stringify(value)) throw new Error(`${where} is ${found}`);
      }
      const ours = (service: Service | undefined): string =>
        JSON.stringify([
          service?.metadata.uid,
          service?.metadata.labels?.['app'],
          service?.metadata.annotations?.['note'],
          service?.spec.type,
          service?.spec.selector,
          service?.spec.clusterIP,
          service?.spec.ports?.map((port) => [port.name, port.port, port.targetPort]),
        ]);
      if (ours(last) !== ours(first)) throw new Error(`${ours(last)} was ${ours(first)}`);
      const result = world.results.get(key);
      if (result?.outcome !== 'applied') throw new Error(JSON.stringify(result));
      const before = world.sim.writes.length;
      await world.clock.advance(400_000);
      if (world.sim.writes.length > before) throw new Error('it still writes');
    } finally {
      await world.stop();
    }
  };
  const restMs = fc.constantFrom(0, 20, 300, 5_000, 70_000);
  const edits = fc.array(
    fc.tuple(foreign, restMs).map(([change, rest]) => ({ ...change, restMs: rest })),
    { maxLength: 15 },
  );
  await fc.assert(fc.asyncProperty(edits, one), { numRuns: 25, endOnFailure: false });
  t.pass();
});

/** Writes its own selector back within a moment, whenever it is not there. */
async function fight(world: ShardWorld, ms: number): Promise<number> {
  let edits = 0;
  for (const untilMs = world.clock.monotonicMs() + ms; world.clock.monotonicMs() < untilMs; ) {
    const service = await readService(world, at);
    if (service?.spec.selector?.['app'] === 'web') {
      edits += 1;
      await edit(world, { spec: { selector: { app: 'theirs' } } }, 'argocd-controller');
    }
    await world.clock.advance(500);
  }
  return edits;
}

test('a fight is found after five repairs in a minute, told with the manager’s name, and backed off', async (t) => {
  const world = await startShardWorld(8);
  world.assignment.wish(manifest);
  await world.clock.advance(2_000);
  t.is(await fight(world, 30_000), 7); // five repairs in a row, one after 10 s; each was written back
  const result = world.results.get(key);
  t.like(result, { outcome: 'failed', reason: 'SelectorMoved' });
  t.regex(result?.message ?? '', /field manager argocd-controller changes spec\.selector/);
  const before = world.told.length;
  const edits = await fight(world, 3_600_000);
  t.true(edits <= 16, `${edits} repairs in an hour`);
  t.is(world.told.length, before, 'one fight is told once');
  t.true(world.events.length <= 5);
  t.regex(
    world.events[0]?.message ?? '',
    /^argocd-controller changed spec\.selector in the cluster/,
  );

  await world.clock.advance(400_000); // nobody fights any more
  t.deepEqual((await readService(world, at))?.spec.selector, { app: 'web' });
  t.like(world.results.get(key), { outcome: 'applied', reason: 'Applied' });
  await edit(world, { spec: { selector: { app: 'hand' } } }, 'kubectl-edit');
  await world.clock.advance(1_000);
  t.deepEqual((await readService(world, at))?.spec.selector, { app: 'web' });
  await world.stop();
});

test('what the user wishes is applied in the middle of a fight', async (t) => {
  const world = await startShardWorld(9);
  world.assignment.wish(manifest);
  await world.clock.advance(2_000);
  await fight(world, 60_000);
  t.is(world.results.get(key)?.outcome, 'failed');
  const labels = { app: 'web', tier: 'new' };
  world.assignment.wish({ ...manifest, metadata: { ...manifest.metadata, labels } });
  await world.clock.advance(1_000);
  const service = await readService(world, at);
  t.is(service?.metadata.labels?.['tier'], 'new');
  t.deepEqual(service?.spec.selector, { app: 'web' });
  t.is(world.results.get(key)?.outcome, 'applied');
  await world.stop();
});

test('a Service that is deleted again and again is made anew less and less often', async (t) => {
  const world = await startShardWorld(10);
  world.assignment.wish(manifest);
  await world.clock.advance(2_000);
  let deletions = 0;
  for (let second = 0; second < 600; second += 1) {
    if ((await readService(world, at)) !== undefined) {
      deletions += 1;
      await byHand(world, world.hand.delete(path, at.name, {}));
    }
    await world.clock.advance(1_000);
  }
  t.true(deletions <= 12, `${deletions} deletions`);
  t.like(world.results.get(key), { outcome: 'failed', reason: 'DeletedRepeatedly' });
  await world.clock.advance(400_000);
  t.not(await readService(world, at), undefined);
  t.like(world.results.get(key), { outcome: 'applied' });
  await world.stop();
});

test('I13: removals wait for a confirmation, which only the cluster’s people can give', async (t) => {
  const world = await startShardWorld(11, { allowedNamespaces: [], removalsPerMinute: 0 });
  const forged = { ...manifest.metadata.annotations, 'isthmus.dev/confirm-removal': 'true' };
  world.assignment.wish({
    ...manifest,
    metadata: { ...manifest.metadata, annotations: forged },
  });
  await world.clock.advance(2_000);
  world.assignment.giveUp(key, 'delete');
  await world.clock.advance(600_000);
  const waiting = await readService(world, at);
  t.is(waiting?.metadata.annotations?.['isthmus.dev/removal-order'], 'delete 1');
  t.like(world.results.get(key), { outcome: 'failed', reason: 'RemovalNotConfirmed' });
  t.deepEqual(
    world.events.map(({ reason }) => reason),
    ['RemovalWaits'],
  );
  t.regex(world.events[0]?.message ?? '', /kubectl annotate service -n shop web/);
  const before = world.sim.writes.length;
  await world.clock.advance(600_000);
  t.is(world.sim.writes.length, before);

  await edit(world, { metadata: { annotations: { 'isthmus.dev/confirm-removal': 'true' } } }, 'me');
  await world.clock.advance(1_000);
  t.is(await readService(world, at), undefined);
  t.like(world.results.get(key), { outcome: 'removed' });
  await world.stop();
});

test('I13: a confirmation does not outlive the order that it was given for', async (t) => {
  const world = await startShardWorld(12, { allowedNamespaces: [], removalsPerMinute: 0 });
  world.assignment.wish(manifest);
  await world.clock.advance(2_000);
  world.assignment.giveUp(key, 'delete');
  await world.clock.advance(2_000);
  world.assignment.wish(manifest);
  await world.clock.advance(2_000);
  await edit(world, { metadata: { annotations: { 'isthmus.dev/confirm-removal': 'true' } } }, 'me');
  await world.clock.advance(2_000);
  const annotations = (await readService(world, at))?.metadata.annotations ?? {};
  t.deepEqual(
    ['isthmus.dev/removal-order', 'isthmus.dev/confirm-removal'].filter(
      (mark) => mark in annotations,
    ),
    [],
  );
  world.assignment.giveUp(key, 'delete');
  await world.clock.advance(60_000);
  t.not(await readService(world, at), undefined);
  await world.stop();
});

test('adoption never: two that create one name at once leave the other’s Service alone', async (t) => {
  const world = await startShardWorld(13);
  const annotations = { 'isthmus.dev/adoption': 'never' };
  const theirs = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...at, labels: { whose: 'theirs' } },
    spec: { ports: [{ port: 1 }] },
  };
  const theirCall = world.hand.create(path, theirs);
  world.assignment.wish({ ...manifest, metadata: { ...manifest.metadata, annotations } });
  await world.clock.advance(5_000);
  await theirCall;
  const service = await readService(world, at);
  t.is(service?.metadata.labels?.['whose'], 'theirs');
  t.is(service?.metadata.annotations?.['isthmus.dev/shard-of'], undefined);
  t.like(world.results.get(key), { outcome: 'refused', reason: 'ServiceExists' });
  await byHand(world, world.hand.delete(path, at.name, {}));
  await world.clock.advance(5_000);
  t.like(world.results.get(key), { outcome: 'applied', reason: 'Applied' });
  t.is((await readService(world, at))?.spec.type, 'LoadBalancer');
  await world.stop();
});

test('a Service that somebody makes in the very moment is adopted, and said to be', async (t) => {
  const world = await startShardWorld(14);
  const theirs = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...at, labels: { whose: 'theirs' } },
    spec: { ports: [{ port: 1 }] },
  };
  const theirCall = world.hand.create(path, theirs);
  world.assignment.wish(manifest);
  await world.clock.advance(5_000);
  await theirCall;
  const service = await readService(world, at);
  t.is(service?.metadata.labels?.['whose'], 'theirs');
  t.is(service?.metadata.annotations?.['isthmus.dev/adopted'], 'true');
  t.deepEqual(
    service?.spec.ports?.map(({ port }) => port),
    [80, 53],
  );
  t.like(world.results.get(key), { outcome: 'applied', reason: 'Adopted', adopted: true });
  await world.stop();
});
