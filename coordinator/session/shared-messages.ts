// Batches that many agents get alike: made once, and therefore (the listener keeps the bytes of a
// message that it sends again) encoded once. One change of a Service goes to all of its clusters.
// Peers: peer-journal.ts.

import type { Revision } from '../../common/model/ids.ts';
import type { CoordinatorMessage } from '../../common/model/session.ts';
import type { Shard } from '../../common/model/shard.ts';
import { signReceipt, type ReceiptKey } from './receipts.ts';

type Batch = Extract<CoordinatorMessage, { kind: 'batch' }>;

// A burst of edits is sent at one revision; older messages are not asked for again.
const batchesMax = 1_000;

export class SharedMessages {
  readonly #receiptKey: ReceiptKey;
  readonly #batches = new Map<Shard, Batch>();
  #revision: Revision | undefined;

  constructor(receiptKey: ReceiptKey) {
    this.#receiptKey = receiptKey;
  }

  /** A batch of this one shard. */
  batchOf(shard: Shard, revision: Revision): Batch {
    if (this.#revision !== revision || this.#batches.size >= batchesMax) this.#batches.clear();
    this.#revision = revision;
    let batch = this.#batches.get(shard);
    if (batch === undefined) {
      const receipt = signReceipt(this.#receiptKey, revision);
      const upserts = [shard];
      batch = { kind: 'batch', revision, receipt, upserts, removals: [], isComplete: false };
      this.#batches.set(shard, batch);
    }
    return batch;
  }
}
