// The field sets of managedFields are the largest part of most objects, and the same in all objects
// that one tool wrote with the same fields: each is kept once.

import type { JsonObject } from '../../common/model/kube-object.ts';

// Longer ones are of one object: its own labels, its own keys. All together are 16 MiB of text at most.
const textLengthMax = 4_096;
const setsMax = 2_048;

export class SharedFieldSets {
  /** By JSON text. Those that were met since the one was full, and those before them. */
  #sets = new Map<string, object>();
  #earlier: ReadonlyMap<string, object> = new Map();

  /** In entries that nobody else has yet, puts the field set that all share. */
  share(managedFields: readonly JsonObject[] | undefined): void {
    if (managedFields === undefined) return;
    for (const entry of managedFields) {
      const { fieldsV1 } = entry;
      // What is frozen is of the version before, and shared already.
      if (typeof fieldsV1 !== 'object' || fieldsV1 === null || Object.isFrozen(fieldsV1)) continue;
      if (!Object.isFrozen(entry)) Object.assign(entry, { fieldsV1: this.#keep(fieldsV1) });
    }
  }

  #keep(fieldSet: object): object {
    const text = JSON.stringify(fieldSet);
    if (text.length > textLengthMax) return fieldSet;
    const known = this.#sets.get(text);
    if (known !== undefined) return known;
    if (this.#sets.size >= setsMax) {
      this.#earlier = this.#sets;
      this.#sets = new Map();
    }
    const kept = this.#earlier.get(text) ?? fieldSet;
    this.#sets.set(text, kept);
    return kept;
  }
}
