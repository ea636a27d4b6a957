// Messages that many agents get alike: made once, and therefore (the listener keeps the bytes of a
// message that it sends again) encoded once. One change of a Service goes to all of its clusters.

import type { Revision, ServiceKey } from '../../common/model/ids.ts';
import type { CoordinatorMessage } from '../../common/model/session.ts';
import type { Shard } from '../../common/model/shard.ts';
import type { PeerSource } from '../../common/model/views.ts';
import { signReceipt, type ReceiptKey } from './receipts.ts';

type Batch = Extract<CoordinatorMessage, { kind: 'batch' }>;
type PeersMessage = Extract<CoordinatorMessage, { kind: 'peers' }>;

// A burst of edits is sent at one revision; older messages are not asked for again.
const batchesMax = 1_000;

export class SharedMessages {
  readonly #source: PeerSource;
  readonly #receiptKey: ReceiptKey;
  readonly #batches = new Map<Shard, Batch>();
  readonly #peers = new Map<string, PeersMessage>();
  #revision: Revision | undefined;

  constructor(options: { readonly peers: PeerSource; readonly receiptKey: ReceiptKey }) {
    this.#source = options.peers;
    this.#receiptKey = options.receiptKey;
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

  /** What is known now of these Services' shards. */
  peersOf(keys: readonly ServiceKey[], isFull: boolean): PeersMessage {
    const name = `${isFull} ${keys.join()}`;
    let message = this.#peers.get(name);
    if (message === undefined) {
      const known = keys.map((key) => ({ key, service: this.#source.peers(key) }));
      message = {
        kind: 'peers',
        upserts: known.flatMap(({ service }) => service ?? []),
        removals: known.filter(({ service }) => service === undefined).map(({ key }) => key),
        isFull,
      };
      this.#peers.set(name, message);
    }
    return message;
  }

  /** The peer table changed: nothing made before may be sent any more. */
  forgetPeers(): void {
    this.#peers.clear();
  }
}
