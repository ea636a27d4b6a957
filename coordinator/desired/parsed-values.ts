// Values as objects. The store tells of a write in one turn of the event loop, in which the object of a
// large one is parsed, shared and frozen (I11): who writes it does that before, in turns of its own.

import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Rest } from '../../common/runtime/rest.ts';
import { shareEqual } from './shared-values.ts';
import { deepFreeze, parseStoreValue } from './stored-object.ts';

/** To parse it takes a millisecond or so. */
export const largeValueBytes = 64 << 10;

export class ParsedValues {
  readonly #rest: Rest;
  readonly #ahead = new WeakMap<Uint8Array, KubeObject>();

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  /** Of one that is to be written in the place of `previous`; undefined for what is not large. */
  prepare(value: Uint8Array, previous: KubeObject | undefined): Promise<void> | undefined {
    return value.length < largeValueBytes ? undefined : this.#prepare(value, previous);
  }

  async #prepare(value: Uint8Array, previous: KubeObject | undefined): Promise<void> {
    await this.#rest();
    const parsed = parseStoreValue(value);
    await this.#rest();
    const object = previous === undefined ? parsed : shareEqual(parsed, previous);
    await this.#rest();
    this.#ahead.set(value, deepFreeze(object));
    await this.#rest();
  }

  /** Frozen when it was prepared, and shares then what it has in common with the one before; else nobody else has it. */
  take(value: Uint8Array): KubeObject {
    const prepared = this.#ahead.get(value);
    if (prepared === undefined) return parseStoreValue(value);
    this.#ahead.delete(value);
    return prepared;
  }
}
