// Messages made once for many agents are never older than the table that they were made from.

import test from 'ava';
import { toContentHash, toRevision, type ServiceKey } from '../../common/model/ids.ts';
import type { PeerService } from '../../common/model/peer-table.ts';
import { SharedMessages } from '../../coordinator/session/shared-messages.ts';

const key = 'default/nginx' as ServiceKey;
const receiptKey = { key: new Uint8Array(32), storeId: 'store', epoch: 1 };

function open(table: Map<ServiceKey, PeerService>): SharedMessages {
  const peers = {
    services: () => table.keys(),
    peers: (of: ServiceKey) => table.get(of),
    subscribe: () => () => undefined,
  };
  return new SharedMessages({ peers, receiptKey });
}

test('peers are one message for all until the table changes', (t) => {
  const table = new Map([[key, { key, shards: [] }]]);
  const shared = open(table);
  const first = shared.peersOf([key], false);
  t.is(shared.peersOf([key], false), first);
  t.like(shared.peersOf([key], true), { isFull: true });
  table.delete(key);
  shared.forgetPeers();
  t.like(shared.peersOf([key], false), { upserts: [], removals: [key] });
});

test('a shard is one batch for all at one revision, and another at the next', (t) => {
  const shared = open(new Map());
  const shard = { key, bytes: new Uint8Array(3), hash: toContentHash('0'.repeat(32)) };
  const first = shared.batchOf(shard, toRevision(1));
  t.is(shared.batchOf(shard, toRevision(1)), first);
  const next = shared.batchOf(shard, toRevision(2));
  t.is(next.revision, toRevision(2));
  t.is(next.receipt.revision, toRevision(2));
  t.deepEqual(next.upserts, [shard]);
});
