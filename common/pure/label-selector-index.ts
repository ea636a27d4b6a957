// Many label selectors over many objects: what they demand is laid out by key and value once, so
// that an object is looked up by its labels and no selector is read again for it.
// Input: selectors. Output: for labels, which of them match, as a set of bits. Pure.
//
//   X1. The answer is that of matchesSelector for each selector alone.
//   X2. An object costs one look-up for each key that any selector reads. A value that some name
//       is worked out once, by those that name it; all other values of a key share one answer.

import { matchesSelector, type Requirement } from './label-selector.ts';

/** Bit `place % 32` of word `place / 32` is set: it matches. */
export type MatchBits = Uint32Array;

export interface SelectorIndex {
  /** Theirs to change. */
  readonly match: (labels: Readonly<Record<string, string>>) => MatchBits;
  /** How many keys they read. */
  readonly keys: number;
}

export function indexSelectors(selectors: readonly (readonly Requirement[])[]): SelectorIndex {
  const words = Math.ceil(selectors.length / 32);
  const keys = new Map<string, KeyIndex>();
  for (const [place, requirements] of selectors.entries()) {
    for (const requirement of requirements) {
      const known = keys.get(requirement.key) ?? new KeyIndex(requirement.key);
      keys.set(requirement.key, known);
      known.add(place, requirement);
    }
  }
  const all = new Uint32Array(words);
  for (const place of selectors.keys()) setBit(all, place);
  for (const key of keys.values()) key.close(all);
  const indexes = [...keys.values()];
  return {
    keys: indexes.length,
    match: (labels) => {
      const bits = all.slice();
      for (const index of indexes) {
        const { key } = index;
        // Own members only, as matchesSelector.
        const at = index.of(Object.hasOwn(labels, key) ? labels[key] : undefined);
        for (let word = 0; word < words; word += 1)
          bits[word] = (bits[word] ?? 0) & (at[word] ?? 0);
      }
      return bits;
    },
  };
}

export function setBit(bits: MatchBits, place: number): void {
  const word = place >>> 5;
  bits[word] = (bits[word] ?? 0) | (1 << (place & 31));
}

export function clearBit(bits: MatchBits, place: number): void {
  const word = place >>> 5;
  bits[word] = (bits[word] ?? 0) & ~(1 << (place & 31));
}

/** Places of the bits that are set, rising. */
export function placesOf(bits: MatchBits): readonly number[] {
  const places: number[] = [];
  for (const [word, value] of bits.entries()) {
    for (let rest = value; rest !== 0; rest &= rest - 1)
      places.push(word * 32 + 31 - Math.clz32(rest & -rest));
  }
  return places;
}

/** What selectors demand of one label; each has all its demands of it here. */
class KeyIndex {
  readonly key: string;
  readonly #demands = new Map<number, Demand[]>();
  /** Selectors that name a value, and may answer otherwise for it than for one that none names. */
  readonly #naming = new Map<string, number[]>();
  /** Selectors that compare numbers: none of their values is like another. */
  readonly #comparing = new Set<number>();
  readonly #known = new Map<string, MatchBits>();
  #absent: MatchBits = new Uint32Array();
  #unnamed: MatchBits = new Uint32Array();

  constructor(key: string) {
    this.key = key;
  }

  add(place: number, requirement: Requirement): void {
    const { operator } = requirement;
    const demand = { requirement, values: toValues(requirement.values) };
    const demands = this.#demands.get(place);
    if (demands === undefined) this.#demands.set(place, [demand]);
    else demands.push(demand);
    if (operator === 'Gt' || operator === 'Lt') this.#comparing.add(place);
    if (operator !== 'In' && operator !== 'NotIn') return;
    for (const value of requirement.values) {
      const naming = this.#naming.get(value);
      if (naming === undefined) this.#naming.set(value, [place]);
      else if (naming.at(-1) !== place) naming.push(place); // selectors come one after the other
    }
  }

  /** `all`: of selectors without a demand here, and of all others. */
  close(all: MatchBits): void {
    [this.#absent, this.#unnamed] = [all.slice(), all.slice()];
    for (const [place, demands] of this.#demands) {
      const operators = demands.map(({ requirement }) => requirement.operator);
      if (!operators.every((one) => one === 'NotIn' || one === 'DoesNotExist'))
        clearBit(this.#absent, place);
      // Of a value that none names; numbers are compared when one comes.
      if (operators.some((one) => one === 'In' || one === 'DoesNotExist'))
        clearBit(this.#unnamed, place);
    }
  }

  of(value: string | undefined): MatchBits {
    if (value === undefined) return this.#absent;
    const naming = this.#naming.get(value);
    if (naming === undefined && this.#comparing.size === 0) return this.#unnamed;
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const bits = this.#unnamed.slice();
    for (const place of [...(naming ?? []), ...this.#comparing]) {
      const isMet = this.#demands.get(place)?.every((demand) => meets(value, demand)) === true;
      if (isMet) setBit(bits, place);
      else clearBit(bits, place);
    }
    this.#known.set(value, bits);
    return bits;
  }
}

interface Demand {
  readonly requirement: Requirement;
  readonly values: Pick<ReadonlySet<string>, 'has'>;
}

/** A few are found as fast in the list that is there. */
function toValues(values: readonly string[]): Demand['values'] {
  return values.length > 16 ? new Set(values) : { has: (value) => values.includes(value) };
}

function meets(value: string, { requirement, values }: Demand): boolean {
  const { key, operator } = requirement;
  if (operator === 'In') return values.has(value);
  if (operator === 'NotIn') return !values.has(value);
  return matchesSelector({ [key]: value }, [requirement]);
}
