// What the applier remembers of one Service between two looks, and what it has told of it.

import type { ContentHash, ServiceKey } from '../../common/model/ids.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import type { Residue } from './plan-drift.ts';
import type { Fight } from './step-fight.ts';

/** Our newest write of a Service. */
export interface WrittenMark {
  readonly hash: ContentHash | undefined;
  /** Version seen before it, while the watch has not brought a newer one. */
  readonly pendingFrom: string | undefined;
  readonly atMs: number;
  /** What the server made of it although we said otherwise. */
  readonly residue: Residue;
}

/** A drift that is being put right. */
export interface DriftNote {
  readonly manager: string | undefined;
  /** Empty: the whole Service was deleted. */
  readonly fields: readonly string[];
}

export interface KeyMemory {
  written: WrittenMark | undefined;
  fight: Fight | undefined;
  drift: DriftNote | undefined;
  /** Failed tries in a row, of which content. */
  failures: number;
  failedHash: ContentHash | undefined;
  /** Of the last result that was told. */
  told: string | undefined;
  /** Content that was applied when it was last told of. */
  appliedHash: ContentHash | undefined;
  /** Woken by a batch: must be answered even when the answer is the same. */
  isOwed: boolean;
}

export class KeyMemories {
  readonly #all = new Map<ServiceKey, KeyMemory>();
  readonly #report: (result: ShardResult) => void;

  constructor(report: (result: ShardResult) => void) {
    this.#report = report;
  }

  of(key: ServiceKey): KeyMemory {
    const known = this.#all.get(key);
    if (known !== undefined) return known;
    const fresh: KeyMemory = {
      written: undefined,
      fight: undefined,
      drift: undefined,
      failures: 0,
      failedHash: undefined,
      told: undefined,
      appliedHash: undefined,
      isOwed: false,
    };
    this.#all.set(key, fresh);
    return fresh;
  }

  /** Undefined when nothing is remembered of it. */
  known(key: ServiceKey): KeyMemory | undefined {
    return this.#all.get(key);
  }

  forget(key: ServiceKey): void {
    this.#all.delete(key);
  }

  /** Tells what is news or owed; true when it is news. */
  report(result: ShardResult): boolean {
    const memory = this.of(result.key);
    const text = [result.hash, result.outcome, result.reason, result.message].join('|');
    const isNews = memory.told !== text;
    const isDue = isNews || memory.isOwed;
    memory.told = text;
    memory.isOwed = false;
    const { outcome } = result;
    if (outcome === 'applied') memory.appliedHash = result.hash;
    if (outcome === 'removed' || outcome === 'released') memory.appliedHash = undefined;
    if (isDue) this.#report(result);
    return isNews;
  }
}
