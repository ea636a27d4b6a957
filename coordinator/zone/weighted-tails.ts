// Answers given out in proportion to weights: smooth weighted round robin, so that in any row of
// answers each comes as often as its weight says, and never many times in a row.

import { invariant } from '../../common/pure/errors.ts';
import type { Tail } from '../../common/pure/dns-wire-encode.ts';

export class WeightedTails {
  readonly #tails: readonly Tail[];
  readonly #weights: readonly number[];
  readonly #credits: number[];
  readonly #total: number;

  /** As many weights as tails, at least one; all above 0. */
  constructor(tails: readonly Tail[], weights: readonly number[]) {
    invariant(tails.length > 0 && tails.length === weights.length, 'each answer has one weight');
    this.#tails = tails;
    this.#weights = weights;
    this.#credits = weights.map(() => 0);
    this.#total = weights.reduce((sum, weight) => sum + weight, 0);
  }

  /** Each gains its weight; the richest is given out, and pays for all. */
  next(): Tail {
    let best = 0;
    for (let index = 0; index < this.#weights.length; index += 1) {
      this.#credits[index] = (this.#credits[index] ?? 0) + (this.#weights[index] ?? 0);
      if ((this.#credits[index] ?? 0) > (this.#credits[best] ?? 0)) best = index;
    }
    this.#credits[best] = (this.#credits[best] ?? 0) - this.#total;
    const tail = this.#tails[best];
    invariant(tail !== undefined, 'the best is one of them');
    return tail;
  }
}
