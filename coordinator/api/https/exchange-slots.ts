// What is open, by number. A map would be simpler: but the tables that a map outgrows keep all that
// was in them until the next full collection, once V8 has taken the map for old.

/** What is above it in a number tells one holder of a slot from the next. */
const slotsMax = 1 << 20;

/** Gives out numbers: none twice, and of the slots in them as few as can be. */
export class SlotNumbers {
  readonly #free: number[] = [];
  #slots = 0;
  #given = 0;

  /** Undefined when a million are out. */
  take(): number | undefined {
    if (this.#free.length === 0 && this.#slots === slotsMax) return undefined;
    const slot = this.#free.pop() ?? this.#slots++;
    this.#given += 1;
    return this.#given * slotsMax + slot;
  }

  giveBack(id: number): void {
    this.#free.push(id % slotsMax);
  }
}

interface Held<T> {
  readonly id: number;
  readonly value: T;
}

/** By numbers of which no two that are held have the same slot. */
export class Slots<T> {
  readonly #held: (Held<T> | undefined)[] = [];

  put(id: number, value: T): void {
    this.#held[id % slotsMax] = { id, value };
  }

  get(id: number): T | undefined {
    const held = this.#held[id % slotsMax];
    return held?.id === id ? held.value : undefined;
  }

  /** False when it was not held. */
  delete(id: number): boolean {
    if (this.#held[id % slotsMax]?.id !== id) return false;
    this.#held[id % slotsMax] = undefined;
    return true;
  }

  values(): readonly T[] {
    return this.#held.flatMap((held) => (held === undefined ? [] : [held.value]));
  }
}
