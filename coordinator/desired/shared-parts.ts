// Most of what an object consists of stands in many others too: conditions, ports, the field sets of
// managedFields, words and times. Each is on the heap once: what is there is what V8 looks at in a full collection.

// What is longer is of one object: its own labels, its own keys. All together are 32 MiB of text at most.
const fieldSetLengthMax = 4_096;
const fieldSetsMax = 2_048;
const leafMembersMax = 8;
const leafLengthMax = 512;
const leavesMax = 8_192;
const textLengthMax = 128;
const textsMax = 16_384;

type Parent = Record<string, unknown> | unknown[];

export class SharedParts {
  /** By JSON text. */
  readonly #fieldSets = new Recent<object>(fieldSetsMax);
  readonly #leaves = new Recent<object>(leavesMax);
  readonly #texts = new Recent<string>(textsMax);

  /** Puts into `object`, which nobody else has, what others share. What is frozen in it is shared already. */
  share(object: object): void {
    const members = object as Record<string, unknown>; // only its own, by their names
    const isList = Array.isArray(object); // what stands alone, as labels do, is of one object mostly
    for (const name of Object.keys(members)) {
      const value = members[name];
      if (typeof value === 'string') {
        if (value.length <= textLengthMax) members[name] = this.#texts.keep(value, value);
      } else if (isParent(value) && !Object.isFrozen(value)) {
        if (name === 'fieldsV1') members[name] = this.#shareFieldSet(value);
        else if (isList && isSmallLeaf(value)) members[name] = this.#shareLeaf(value);
        else this.share(value);
      }
    }
  }

  #shareFieldSet(fieldSet: Parent): object {
    const text = JSON.stringify(fieldSet);
    return text.length > fieldSetLengthMax ? fieldSet : this.#fieldSets.keep(text, fieldSet);
  }

  #shareLeaf(leaf: Parent): object {
    const text = JSON.stringify(leaf);
    const known = this.#leaves.get(text);
    if (known !== undefined) return known;
    this.share(leaf);
    return text.length > leafLengthMax ? leaf : this.#leaves.keep(text, leaf);
  }
}

/** Values by their texts: those that were met since the one was full, and those before them. */
class Recent<T> {
  readonly #sizeMax: number;
  #current = new Map<string, T>();
  #earlier: ReadonlyMap<string, T> = new Map();

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  get(text: string): T | undefined {
    const known = this.#current.get(text);
    if (known !== undefined) return known;
    const earlier = this.#earlier.get(text);
    return earlier === undefined ? undefined : this.#put(text, earlier);
  }

  /** The one that is known by `text`; `value` where there is none. */
  keep(text: string, value: T): T {
    return this.get(text) ?? this.#put(text, value);
  }

  #put(text: string, value: T): T {
    if (this.#current.size >= this.#sizeMax) {
      this.#earlier = this.#current;
      this.#current = new Map();
    }
    this.#current.set(text, value);
    return value;
  }
}

function isParent(value: unknown): value is Parent {
  return typeof value === 'object' && value !== null;
}

function isSmallLeaf(part: Parent): boolean {
  const values = Array.isArray(part) ? part : Object.values(part);
  return values.length <= leafMembersMax && !values.some(isParent);
}
