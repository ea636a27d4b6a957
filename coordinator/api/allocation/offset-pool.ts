// Which offsets of a range are taken: by objects of the log, and by writes on their way into it.
//
//   A1. An offset is given out only while no object of the log has it and no write holds it.
//   A2. A write that ended lets go; one whose end is unknown lets go after a time, by when the log
//       has told its object, if there is one.

import type { Chance } from '../../../common/runtime/chance.ts';

export interface PoolOptions {
  readonly size: number;
  /** Offsets below it are given out last. */
  readonly reserved: number;
  readonly chance: Chance;
  readonly nowMs: () => number;
}

// A commit takes milliseconds and is told within 10 s (desired-log.ts), or not at all.
const unknownMs = 60_000;

export class OffsetPool {
  readonly #options: PoolOptions;
  /** How many objects of the log have it: more than one where ranges or versions changed. */
  readonly #owned = new Map<number, number>();
  /** Until when a write holds it, in wall-clock milliseconds. */
  readonly #held = new Map<number, number>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** From the log: an object has this offset now. */
  own(offset: number): void {
    this.#owned.set(offset, (this.#owned.get(offset) ?? 0) + 1);
  }

  /** From the log: an object no longer has it. */
  disown(offset: number): void {
    const count = (this.#owned.get(offset) ?? 0) - 1;
    if (count > 0) this.#owned.set(offset, count);
    else this.#owned.delete(offset);
  }

  isTaken(offset: number): boolean {
    if (this.#owned.has(offset)) return true;
    const until = this.#held.get(offset);
    if (until === undefined) return false;
    if (until > this.#options.nowMs()) return true;
    this.#held.delete(offset);
    return false;
  }

  /** A1. False when it is taken. */
  hold(offset: number): boolean {
    if (this.isTaken(offset)) return false;
    this.#held.set(offset, Number.POSITIVE_INFINITY);
    return true;
  }

  /** Holds a free offset, searched from a random one on; undefined when all are taken. */
  holdAny(): number | undefined {
    const { size, reserved } = this.#options;
    // Without this a full range would be walked through for each refusal.
    if (this.#countTaken() >= size) return undefined;
    return this.#search(reserved, size) ?? this.#search(0, reserved);
  }

  /** Writes under way are few, so their holds are counted one by one. */
  #countTaken(): number {
    const held = [...this.#held.keys()].filter(
      (offset) => this.isTaken(offset) && !this.#owned.has(offset),
    );
    return this.#owned.size + held.length;
  }

  #search(from: number, to: number): number | undefined {
    const count = to - from;
    if (count <= 0) return undefined;
    const start = draw(this.#options.chance, count);
    for (let step = 0; step < count; step += 1) {
      const offset = from + ((start + step) % count);
      if (this.hold(offset)) return offset;
    }
    return undefined;
  }

  /** A2. */
  release(offset: number, isKnown: boolean): void {
    if (isKnown) this.#held.delete(offset);
    else this.#held.set(offset, this.#options.nowMs() + unknownMs);
  }
}

function draw(chance: Chance, below: number): number {
  const value = chance.bytes(6).reduce((number, byte) => number * 256 + byte, 0);
  return value % below;
}
