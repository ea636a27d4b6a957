// What became of each shard, until the coordinator knows.
//
//   B1. One result per key waits to be sent: the latest.
//   B2. After a reconnect the coordinator may know none (it restarted). What is plain - each held
//       shard applied as it is held - is told in one word, the rest one by one.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { ShardResult } from '../../common/model/shard.ts';

export interface Telling {
  readonly results: readonly ShardResult[];
  /** Every held shard that `results` does not name is applied as it is held. */
  readonly isRestApplied: boolean;
}

export class ResultBook {
  readonly #results = new Map<ServiceKey, ShardResult>();
  readonly #unsent = new Set<ServiceKey>();

  note(result: ShardResult): void {
    this.#results.set(result.key, result);
    this.#unsent.add(result.key);
  }

  /** A batch brought another content: the applier answers anew. */
  forget(key: ServiceKey): void {
    this.#results.delete(key);
  }

  /** B2. What a coordinator is told that may know nothing; `canSummarize`: it understands B2. */
  tellAll(
    held: Iterable<{ readonly key: ServiceKey; readonly hash: ContentHash }>,
    canSummarize: boolean,
  ): Telling {
    const plain = new Set<ServiceKey>();
    let isRestApplied = canSummarize;
    for (const { key, hash } of held) {
      const result = this.#results.get(key);
      if (result === undefined)
        isRestApplied = false; // still at work: it is told when it is done
      else if (isPlain(result, hash)) plain.add(key);
    }
    for (const key of this.#results.keys()) {
      if (!isRestApplied || !plain.has(key)) this.#unsent.add(key);
      else this.#unsent.delete(key);
    }
    return { results: this.takeUnsent(), isRestApplied };
  }

  takeUnsent(): readonly ShardResult[] {
    const results = [...this.#unsent].flatMap((key) => this.#results.get(key) ?? []);
    this.#unsent.clear();
    for (const { key, outcome } of results) {
      if (outcome === 'removed' || outcome === 'released') this.#results.delete(key);
    }
    return results;
  }
}

function isPlain(result: ShardResult, held: ContentHash): boolean {
  const { hash, outcome, reason, adopted = false } = result;
  return hash === held && outcome === 'applied' && reason === 'Applied' && !adopted;
}
