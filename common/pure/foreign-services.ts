// A set of Services by hashes of their keys, with an order-blind digest, by which an agent and its
// coordinator find out that they know the same.
//
//   F1. Two keys of one hash are one member: with 1,000 Services in a cluster, one name in four
//       million is warned of for nothing.

import { hash } from 'node:crypto';
import type { ServiceKey } from '../model/ids.ts';
import { foreignMax, type ForeignChange } from '../model/foreign.ts';

export function foreignHash(key: ServiceKey): number {
  return hash('sha256', key, 'buffer').readUInt32BE(0);
}

export class ForeignSet {
  readonly #hashes = new Set<number>();
  /** Of all members, modulo 2^48. */
  #sum = 0;

  has(key: ServiceKey): boolean {
    return this.#hashes.has(foreignHash(key));
  }

  /** Members beyond the bound are not taken. */
  apply({ added, removed, isFull }: ForeignChange): void {
    if (isFull) {
      this.#hashes.clear();
      this.#sum = 0;
    }
    for (const hash of removed) {
      if (this.#hashes.delete(hash)) this.#sum = (this.#sum + modulus - hash) % modulus;
    }
    for (const hash of added) {
      if (this.#hashes.has(hash) || this.#hashes.size >= foreignMax) continue;
      this.#hashes.add(hash);
      this.#sum = (this.#sum + hash) % modulus;
    }
  }

  values(): Iterable<number> {
    return this.#hashes;
  }

  digest(): string {
    return `${this.#hashes.size}-${this.#sum.toString(16)}`;
  }
}

const modulus = 2 ** 48;
