// Values as objects. The store tells of a write in one turn of the event loop, in which the object of a
// large one is parsed, shared and frozen (I11): who writes it parses it in a turn of its own, before.

import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Rest } from '../../common/runtime/rest.ts';
import { parseStoreValue } from './stored-object.ts';

/** To parse it takes a millisecond or so. */
export const largeValueBytes = 64 << 10;

export class ParsedValues {
  readonly #rest: Rest;
  readonly #ahead = new WeakMap<Uint8Array, KubeObject>();

  constructor(rest: Rest) {
    this.#rest = rest;
  }

  /** Of one that is to be written; undefined for what is not large. */
  prepare(value: Uint8Array): Promise<void> | undefined {
    return value.length < largeValueBytes ? undefined : this.#prepare(value);
  }

  async #prepare(value: Uint8Array): Promise<void> {
    await this.#rest();
    this.#ahead.set(value, parseStoreValue(value));
    await this.#rest();
  }

  /** An object that nobody else has. */
  take(value: Uint8Array): KubeObject {
    const parsed = this.#ahead.get(value);
    if (parsed === undefined) return parseStoreValue(value);
    this.#ahead.delete(value);
    return parsed;
  }
}
