// Hashes and order-blind digests by which two sides find out that they hold the same.

import { hash } from 'node:crypto';
import { toContentHash, type ContentHash } from '../model/ids.ts';

// The one-shot form: an object of `createHash` keeps native memory until the collector frees it, one
// by one, in the middle of somebody's turn, and every write makes three.
export function contentHash(bytes: Uint8Array): ContentHash {
  return toContentHash(hash('sha256', bytes, 'hex').slice(0, 32));
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
  addHash(item: bigint): void {
    this.#sum = BigInt.asUintN(64, this.#sum + item);
  }

  subtractHash(item: bigint): void {
    this.#sum = BigInt.asUintN(64, this.#sum - item);
  }

  /** 16 lower-case hex characters. */
  value(): string {
    return this.#sum.toString(16).padStart(16, '0');
  }
}

/** The item of a SumDigest. */
export function hash64(text: string): bigint {
  return hash('sha256', text, 'buffer').readBigUInt64BE(0);
}

/** The digest of a set of shards held: one `<key>=<hash>` each. */
export function toInventoryItem(item: { readonly key: string; readonly hash: string }): string {
  return `${item.key}=${item.hash}`;
}
