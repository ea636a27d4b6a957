// What an agent with an empty data folder reads from the shards in its cluster, and how its record
// takes it up.

import test from 'ava';
import { toRevision, toServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { Shard } from '../../common/model/shard.ts';
import {
  removalOrderMark,
  shardContentMark,
  shardHashMark,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import { toConfiguration } from '../../agent/shard/plan-configuration.ts';
import { findFederation, planRecovery } from '../../agent/shard/plan-recovery.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import { toShard } from '../support/agent-fixture.ts';
import { key, manifest, shard, wishOf, withMarks } from '../support/shard-situation.ts';
import { MemoryTables } from '../support/table-peers.ts';

const real = toShard(manifest);
const applied: Service = {
  ...shard,
  metadata: {
    ...shard.metadata,
    annotations:
      (toConfiguration(wishOf(manifest, real.hash), 'fed', undefined) as unknown as Service)
        .metadata.annotations ?? {},
  },
};
const marked = (annotations: Readonly<Record<string, string>>): Service => ({
  ...applied,
  metadata: {
    ...applied.metadata,
    annotations: { ...applied.metadata.annotations, ...annotations },
  },
});
const recover = (service: Service, held = false) =>
  planRecovery([service], { federation: 'fed', isHeld: () => held });

test('what was applied is read back byte by byte', (t) => {
  const { shards, orders } = recover(applied);
  t.deepEqual(orders, []);
  t.is(shards.length, 1);
  t.is(shards[0]?.key, key);
  t.is(shards[0]?.hash, real.hash);
  t.is(Buffer.from(shards[0]?.bytes ?? []).toString(), Buffer.from(real.bytes).toString());
});

test('a content that does not fit is not taken up', (t) => {
  const nothing = { shards: [], orders: [] };
  const rows: readonly (readonly [string, Service, boolean?])[] = [
    ['of another federation', marked({ [shardOfMark]: 'other' })],
    ['with a hash that does not fit', marked({ [shardHashMark]: 'ff' })],
    ['edited by hand', marked({ [shardContentMark]: '{"kind":"Service"}' })],
    ['no JSON', marked({ [shardContentMark]: '{' })],
    ['a copy under another name', { ...applied, metadata: { ...applied.metadata, name: 'copy' } }],
    [
      'a copy in another namespace',
      { ...applied, metadata: { ...applied.metadata, namespace: 'b' } },
    ],
    ['too large to be kept', withMarks({ [shardContentMark]: '' })],
    ['held already', applied, true],
  ];
  for (const [what, service, held] of rows) t.deepEqual(recover(service, held), nothing, what);
});

test('I2: a removal that waits is recovered as its order, and never as a wish', (t) => {
  const { shards, orders } = recover(marked({ [removalOrderMark]: 'delete 4711' }));
  t.deepEqual(shards, []);
  t.like(orders[0], { key, mode: 'delete', revision: 4711 });
  for (const text of ['delete', 'delete x', 'release 1', 'delete 99999999999999999', '']) {
    const { orders: none } = recover(marked({ [removalOrderMark]: text }));
    t.deepEqual(none, [], text);
  }
});

test('the federation is the one that most shards are of', (t) => {
  const of = (federation: string): Service => marked({ [shardOfMark]: federation });
  t.is(findFederation([]), undefined);
  t.is(findFederation([of('b'), of('a'), of('b')]), 'b');
  t.is(findFederation([of('b'), of('a')]), 'a');
});

const orderOf = (name: string) => {
  const at = toServiceKey({ namespace: 'shop', name });
  return { key: at, cluster: 'here' as never, mode: 'delete' as const, revision: toRevision(3) };
};
const receipt = { storeId: 's', epoch: 1, revision: toRevision(9), mac: new Uint8Array(32) };
const batchOf = (upserts: readonly Shard[]) => ({
  kind: 'batch' as const,
  revision: toRevision(9),
  receipt,
  upserts,
  removals: [],
  isComplete: true,
});

test('an empty record takes up what was read, and keeps it over a restart', async (t) => {
  const tables = new MemoryTables();
  const record = await openAgentRecord(tables);
  t.deepEqual(await record.recover({ shards: [real], orders: [orderOf('gone')] }), [
    real.key,
    orderOf('gone').key,
  ]);
  t.is(record.viewRevision(), toRevision(0));
  t.deepEqual(await record.recover({ shards: [real], orders: [] }), []);
  const again = await openAgentRecord(tables);
  t.is(again.shard(real.key)?.hash, real.hash);
  t.is(again.order(orderOf('gone').key)?.revision, toRevision(3));
});

test('I2: a record that has had a batch is never changed by what shards say', async (t) => {
  const record = await openAgentRecord(new MemoryTables());
  await record.applyBatch(batchOf([]));
  t.deepEqual(await record.recover({ shards: [real], orders: [] }), []);
  t.is(record.shard(real.key), undefined);
});

test('I2: a batch that comes while a recovery is written wins', async (t) => {
  const record = await openAgentRecord(new MemoryTables());
  const newer = toShard({ ...manifest, metadata: { ...manifest.metadata, labels: { v: '2' } } });
  await Promise.all([
    record.recover({ shards: [real], orders: [] }),
    record.applyBatch(batchOf([newer])),
  ]);
  t.is(record.shard(real.key)?.hash, newer.hash);
});
