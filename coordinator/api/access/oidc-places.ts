// How many may do the same thing at once, in all and under one name. Whoever finds no place is told
// so at once: nobody queues.

import { MeshError } from '../../../common/pure/errors.ts';

export class Places {
  readonly #max: number;
  readonly #maxEach: number;
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor({ max, maxEach }: { readonly max: number; readonly maxEach: number }) {
    this.#max = max;
    this.#maxEach = maxEach;
  }

  /** Throws MeshError retryable OIDC_BUSY when there is no place; `name` is kept while it works. */
  async hold<T>(name: string, work: () => Promise<T>): Promise<T> {
    const taken = this.#taken.get(name) ?? 0;
    if (this.#all >= this.#max || taken >= this.#maxEach) {
      throw new MeshError('retryable', 'OIDC_BUSY', 'too many tokens are being checked');
    }
    this.#all += 1;
    this.#taken.set(name, taken + 1);
    try {
      return await work();
    } finally {
      this.#all -= 1;
      const left = (this.#taken.get(name) ?? 1) - 1;
      if (left === 0) this.#taken.delete(name);
      else this.#taken.set(name, left);
    }
  }
}
