// Batches made once for many agents are never older than what they were made from.

import test from 'ava';
import { toContentHash, toRevision, type ServiceKey } from '../../common/model/ids.ts';
import { SharedMessages } from '../../coordinator/session/shared-messages.ts';

const key = 'default/nginx' as ServiceKey;
const receiptKey = { key: new Uint8Array(32), storeId: 'store', epoch: 1 };

test('a shard is one batch for all at one revision, and another at the next', (t) => {
  const shared = new SharedMessages(receiptKey);
  const shard = { key, bytes: new Uint8Array(3), hash: toContentHash('0'.repeat(32)) };
  const first = shared.batchOf(shard, toRevision(1));
  t.is(shared.batchOf(shard, toRevision(1)), first);
  const next = shared.batchOf(shard, toRevision(2));
  t.is(next.revision, toRevision(2));
  t.is(next.receipt.revision, toRevision(2));
  t.deepEqual(next.upserts, [shard]);
});
