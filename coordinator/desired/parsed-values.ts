// Values as objects. The store tells of a write in one turn of the event loop, in which the object of a
// large one would be parsed, shared and frozen (I11): who writes it does that before, in turns of its own.

import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Steps } from '../../common/pure/steps.ts';
import type { Rest } from '../../common/runtime/rest.ts';
import { parseStoreValue, toStoreValue, withoutRevision } from './stored-object.ts';
import { foldedInSteps, isLarge, textInSteps } from './value-steps.ts';

export class ParsedValues {
  readonly #rest: Rest;
  readonly #ahead = new WeakMap<Uint8Array, KubeObject>();

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  /** For the store, of what is to be written in the place of `previous`; what is large comes later. */
  toValue(object: KubeObject, previous: KubeObject | undefined): Uint8Array | Promise<Uint8Array> {
    return isLarge(object) ? this.#prepare(object, previous) : toStoreValue(object);
  }

  async #prepare(object: KubeObject, previous: KubeObject | undefined): Promise<Uint8Array> {
    const stored = withoutRevision(object);
    const value = Buffer.from(await this.#inTurns(textInSteps(stored)), 'utf8');
    const folded = await this.#inTurns(
      foldedInSteps(stored, previous && withoutRevision(previous)),
    );
    this.#ahead.set(value, Object.freeze(folded));
    await this.#rest();
    return value;
  }

  async #inTurns<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const later = this.#rest();
      if (later !== undefined) await later;
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** Frozen when it was prepared, and shares then what it has in common with the one before; else nobody else has it. */
  take(value: Uint8Array): KubeObject {
    const prepared = this.#ahead.get(value);
    if (prepared === undefined) return parseStoreValue(value);
    this.#ahead.delete(value);
    return prepared;
  }
}
