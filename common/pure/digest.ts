// Hashes and order-blind digests by which two sides find out that they hold the same.

import { createHash } from 'node:crypto';
import { toContentHash, type ContentHash } from '../model/ids.ts';

export function contentHash(bytes: Uint8Array): ContentHash {
  return toContentHash(createHash('sha256').update(bytes).digest('hex').slice(0, 32));
}

/** A sum of hashes modulo 2^64, kept up to date per change: add what comes, subtract what goes. */
export class SumDigest {
  #sum = 0n;

  add(text: string): void {
    this.addHash(hash64(text));
  }

  subtract(text: string): void {
    this.subtractHash(hash64(text));
  }

  /** Of hash64: for who keeps it. */
  addHash(hash: bigint): void {
    this.#sum = BigInt.asUintN(64, this.#sum + hash);
  }

  subtractHash(hash: bigint): void {
    this.#sum = BigInt.asUintN(64, this.#sum - hash);
  }

  /** 16 lower-case hex characters. */
  value(): string {
    return this.#sum.toString(16).padStart(16, '0');
  }
}

/** The item of a SumDigest. */
export function hash64(text: string): bigint {
  return createHash('sha256').update(text).digest().readBigUInt64BE(0);
}

/** The digest of a set of shards held: one `<key>=<hash>` each. */
export function toInventoryItem(item: { readonly key: string; readonly hash: string }): string {
  return `${item.key}=${item.hash}`;
}
