// The digest of the whole table of peers, kept up to date per change: a return on which nothing
// has changed is not sent the table again.
//
//   D1. At the start the table is gone through in slices, a turn each (I11); until then there is no
//       digest, and everybody gets the whole table.
//   D2. What it holds is a number a shard, not the shard.

import type { ClusterName, ServiceKey } from '../../common/model/ids.ts';
import type { PeerSource } from '../../common/model/views.ts';
import { hash64, SumDigest } from '../../common/pure/digest.ts';
import { toPeerItem } from '../../common/pure/peer-digest.ts';
import type { Clock } from '../../common/runtime/clock.ts';

/** About 3 ms of hashing. */
const shardsPerTurn = 500;

export class PeerDigest {
  readonly #source: PeerSource;
  readonly #items = new Map<ServiceKey, Map<ClusterName, bigint>>();
  readonly #sum = new SumDigest();
  #isWhole = false;
  #isStopped = false;

  constructor(source: PeerSource) {
    this.#source = source;
  }

  /** Undefined while the table has not been gone through. */
  value(): string | undefined {
    return this.#isWhole ? this.#sum.value() : undefined;
  }

  note({ cluster, key }: { readonly cluster: ClusterName; readonly key: ServiceKey }): void {
    const shard = this.#source.peer(cluster, key);
    const items = this.#items.get(key) ?? new Map<ClusterName, bigint>();
    const before = items.get(cluster);
    if (before !== undefined) this.#sum.subtractHash(before);
    if (shard === undefined) items.delete(cluster);
    else {
      const hash = hash64(toPeerItem(key, shard));
      items.set(cluster, hash);
      this.#sum.addHash(hash);
    }
    if (items.size === 0) this.#items.delete(key);
    else this.#items.set(key, items);
  }

  /** What changes meanwhile is noted beside. */
  start(clock: Clock): void {
    const keys = [...this.#source.services()];
    const go = (from: number): void => {
      if (this.#isStopped) return;
      let shards = 0;
      let at = from;
      for (; at < keys.length && shards < shardsPerTurn; at += 1) {
        const key = keys[at];
        const service = key === undefined ? undefined : this.#source.peers(key);
        for (const { cluster } of service?.shards ?? []) {
          if (key !== undefined) this.note({ cluster, key });
          shards += 1;
        }
      }
      if (at < keys.length) clock.soon(() => go(at));
      else this.#isWhole = true;
    };
    go(0);
  }

  stop(): void {
    this.#isStopped = true;
  }
}
