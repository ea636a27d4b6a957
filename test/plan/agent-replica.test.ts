// What replicas of one agent hold in common, and what each does when the other, a disk or the
// network fails.

import test from 'ava';
import { toRevision, toServiceKey, type ContentHash } from '../../common/model/ids.ts';
import type { Batch, PeersMessage } from '../../agent/session/record.ts';
import { MemoryTables, ReplicaWorld, type TestReplica } from '../support/replica-world.ts';

const key = toServiceKey({ namespace: 'shop', name: 'till' });
const batch = (revision: number, names: readonly string[] = ['till']): Batch => ({
  kind: 'batch',
  revision: toRevision(revision),
  receipt: { storeId: 's', epoch: 1, revision: toRevision(revision), mac: new Uint8Array([1, 2]) },
  upserts: names.map((name) => ({
    key: toServiceKey({ namespace: 'shop', name }),
    bytes: Buffer.from(`{"revision":${revision}}`),
    hash: 'h' as ContentHash,
  })),
  removals: [],
  isComplete: true,
});
const peers: PeersMessage = {
  kind: 'peers',
  upserts: [
    {
      key,
      shards: [
        {
          cluster: 'b' as never,
          zones: [],
          region: 'r',
          addresses: ['192.0.2.1'],
          hostnames: [],
          tcpPorts: [80],
          isHealthy: true,
        },
      ],
      removedClusters: [],
      isDelta: false,
    },
  ],
  removals: [],
  isFull: true,
  hasMore: false,
};

async function pair(): Promise<[ReplicaWorld, TestReplica, TestReplica]> {
  const world = new ReplicaWorld();
  const a = await world.start();
  const b = await world.start();
  await world.clock.advance(5_000);
  return [world, a, b];
}

test('the standing-by replica holds every row of the leading one, and a commit stands when both have it', async (t) => {
  const [world, a, b] = await pair();
  t.truthy(a.record());
  t.is(b.record(), undefined);
  let isDone = false;
  const told: unknown[] = [];
  b.replica.session.onPeers((update) => void told.push(update.upserts));
  void a
    .record()
    ?.applyBatch(batch(7))
    .then(() => (isDone = true));
  await world.clock.advance(0);
  t.false(isDone); // b has not answered
  await world.clock.advance(100);
  t.true(isDone);
  void a.record()?.applyPeers(peers);
  await world.clock.advance(100);
  t.deepEqual(
    [...b.disk.load('shards')].map(([row]) => row),
    [key],
  );
  t.deepEqual(new Map(b.disk.load('facts')).get('viewRevision'), 7);
  t.is(told.length, 1);
  t.deepEqual(b.replica.session.peers(), a.record()?.peers());
  t.is(b.replica.notReady(), undefined);
});

test('I2: whoever leads next begins at the view that was applied last', async (t) => {
  const [world, a, b] = await pair();
  void a.record()?.applyBatch(batch(9));
  await world.clock.advance(100);
  const boot = a.record()?.boot() ?? 0;
  void a.replica.stop();
  await world.clock.advance(1_000);
  t.is(b.record()?.viewRevision(), toRevision(9));
  t.is(Buffer.from(b.record()?.shard(key)?.bytes ?? []).toString(), '{"revision":9}');
  t.deepEqual(b.record()?.receipt()?.mac, new Uint8Array([1, 2]));
  t.true((b.record()?.boot() ?? 0) > boot);
});

test('I10: a replica whose disk hangs is let go within a second, and follows again when it moves', async (t) => {
  const [world, a, b] = await pair();
  const release = b.disk.hang();
  let isDone = false;
  void a
    .record()
    ?.applyBatch(batch(3))
    .then(() => (isDone = true));
  await world.clock.advance(900);
  t.false(isDone);
  await world.clock.advance(200);
  t.true(isDone);
  release();
  await world.clock.advance(10_000);
  t.deepEqual(new Map(b.disk.load('facts')).get('viewRevision'), 3);
});

test('a replica whose disk hangs does not keep the lead either', async (t) => {
  const [world, a, b] = await pair();
  b.disk.hang();
  void a.record()?.applyBatch(batch(3));
  await world.clock.advance(2_000);
  void a.replica.stop();
  await world.clock.advance(1_000);
  const c = await world.start();
  await world.clock.advance(30_000);
  t.is(b.record(), undefined);
  t.truthy(c.record());
});

test('I2: a replica that missed the last view does not take an older one for it', async (t) => {
  const [world, a, b] = await pair();
  void a.record()?.applyBatch(batch(3));
  await world.clock.advance(100);
  world.isLinkCut = true;
  void a.record()?.applyBatch(batch(9));
  await world.clock.advance(8_000); // b is let go, and the Lease renewed
  t.is(a.record()?.viewRevision(), toRevision(9));
  a.lease.setCut(true);
  await world.clock.advance(40_000);
  t.truthy(b.record());
  t.is(b.record()?.viewRevision(), toRevision(0));
  t.is(b.record()?.shard(key), undefined);
});

test('what was gone at the leading one while nobody followed is gone at the other too', async (t) => {
  const disk = new MemoryTables();
  disk.rows.set('shards', new Map([['shop/old', { key: 'shop/old' }]]));
  disk.rows.set('peers', new Map([['shop/old', { key: 'shop/old', shards: [] }]]));
  const world = new ReplicaWorld();
  const a = await world.start();
  void a.record()?.applyBatch(batch(2, ['till', 'shelf']));
  await world.clock.advance(100);
  const b = await world.start(disk);
  await world.clock.advance(2_000);
  t.deepEqual([...disk.load('shards')].map(([row]) => row).sort(), ['shop/shelf', 'shop/till']);
  t.deepEqual([...disk.load('peers')], []);
  t.deepEqual(b.replica.session.peers(), []);
});

test('a replica whose disk takes nothing leaves the lead to another one', async (t) => {
  const full = new MemoryTables();
  full.isFull = true;
  const world = new ReplicaWorld();
  const a = await world.start(full);
  t.is(a.record(), undefined);
  const b = await world.start();
  await world.clock.advance(8_000);
  t.truthy(b.record());
  t.is(a.record(), undefined);
});

test('I12: a replica that cannot reach the API server writes nothing, keeps its session, and ends it when another one has come', async (t) => {
  const [world, a, b] = await pair();
  a.lease.setCut(true);
  await world.clock.advance(15_000);
  t.truthy(a.record()); // it still reports that the API server is away
  await t.throwsAsync(a.replica.kube.create({ apiVersion: 'v1', plural: 'x' }, {} as never), {
    message: /cannot prove that it leads/,
  });
  await world.clock.advance(15_000);
  t.truthy(b.record());
  a.endStream({ reason: 'Superseded', message: '', retry: false });
  await world.clock.advance(100);
  t.is(a.record(), undefined);
  a.lease.setCut(false);
  await world.clock.advance(10_000);
  t.is(a.record(), undefined);
  t.truthy(b.record());
});

test('a replica that stands by changes nothing in the cluster', async (t) => {
  const [, , b] = await pair();
  const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
  const refused = { message: /cannot prove that it leads/ };
  const { kube } = b.replica;
  await t.throwsAsync(kube.apply(path, 'x', {}, { fieldManager: 'f', force: true }), refused);
  await t.throwsAsync(kube.jsonPatch(path, 'x', [], 'f'), refused);
  await t.throwsAsync(kube.mergePatch(path, 'x', {}, 'f'), refused);
  await t.throwsAsync(kube.delete(path, 'x', {}), refused);
});

test('who the agent is outlives every disk: it stands in the Secret, and nothing else does', async (t) => {
  const world = new ReplicaWorld();
  const a = await world.start();
  const identity = { keyPem: 'k', certPem: undefined, caPem: undefined, tokenHash: 'h' };
  void a.record()?.writeIdentity(identity);
  void a.record()?.applyBatch(batch(4));
  await world.clock.advance(1_000);
  t.deepEqual(Object.keys(world.secret), ['identity']);
  void a.replica.stop();
  await world.clock.advance(1_000);
  const b = await world.start();
  await world.clock.advance(5_000);
  t.like(b.record()?.identity(), { keyPem: 'k', tokenHash: 'h' });
});

test('a lost join answer is no lost key: it is in the Secret before the answer is asked for', async (t) => {
  const world = new ReplicaWorld();
  const a = await world.start();
  let isDone = false;
  const identity = { keyPem: 'k', certPem: undefined, caPem: undefined, tokenHash: 'h' };
  void a
    .record()
    ?.writeIdentity(identity)
    .then(() => (isDone = true));
  await world.clock.advance(100);
  t.true(isDone);
  t.regex(Buffer.from(world.secret['identity'] ?? '', 'base64').toString(), /"keyPem":"k"/);
});

test('I13: whoever gives the lead back tells what it removed lately, and what is over it does not', async (t) => {
  const [world, a, b] = await pair();
  void a.record()?.writeRemovals({ count: 3, atMs: world.clock.now() });
  await world.clock.advance(100);
  await stopping(world, a);
  t.like(b.record()?.removals(), { count: 3 });
  const c = await world.start();
  await world.clock.advance(75_000);
  await stopping(world, b);
  t.like(c.record()?.removals(), { count: 0 });
});

test('I13: of whoever ends without a word nobody knows what it removed last', async (t) => {
  const [world, a, b] = await pair();
  void a.record()?.writeRemovals({ count: 1, atMs: world.clock.now() });
  await world.clock.advance(100);
  a.lease.setCut(true);
  await world.clock.advance(30_000);
  t.true((b.record()?.removals()?.count ?? 0) >= 1_000);
});

test('who leads first has nobody’s removals to count', async (t) => {
  const [, a] = await pair();
  t.is(a.record()?.removals(), undefined);
});

async function stopping(world: ReplicaWorld, { replica }: TestReplica): Promise<void> {
  const stopped = replica.stop();
  await world.clock.advance(2_000);
  await stopped;
}
