// Services in a member cluster that are nobody's shards, as the coordinator hears of them: hashes of
// their keys. Enough to warn before one is adopted, little to send, and no list of names to leak.

/** Most that an agent tells; in a cluster with more, the rest is adopted without a warning. */
export const foreignMax = 20_000;

export interface ForeignChange {
  /** 32-bit hashes of keys (common/pure/foreign-services.ts). */
  readonly added: readonly number[];
  readonly removed: readonly number[];
  /** True: these are all; what was told before is void. */
  readonly isFull: boolean;
}
