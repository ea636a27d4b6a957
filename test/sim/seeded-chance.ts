// Chance from one seed: every draw of a run comes from here, so that a seed replays it. Each part
// of the world forks a stream of its own; a draw more in one part shifts nothing in another.

import { createHash } from 'node:crypto';
import type { Chance } from '../../common/runtime/chance.ts';

export interface SeededChance extends Chance {
  /** An integer of 0 to `count` - 1. */
  below(count: number): number;
  /** An integer of `min` to `max`, both included. */
  between(min: number, max: number): number;
  /** True with this probability. */
  isTrue(probability: number): boolean;
  /** One of these; there must be one. */
  pick<T>(items: readonly T[]): T;
  /** A stream of its own, the same for the same label. */
  fork(label: string): SeededChance;
}

/** sfc32 (public domain, Chris Doty-Humphrey) on a hash of the seed. */
export function createSeededChance(seed: string): SeededChance {
  const start = createHash('sha256').update(seed).digest();
  let [a, b, c, counter] = [0, 4, 8, 12].map((at) => start.readUInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ];
  const next = (): number => {
    const sum = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };
  const fraction = (): number => next() / 2 ** 32;
  const below = (count: number): number => Math.floor(fraction() * count);
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => below(256));
  return {
    fraction,
    below,
    bytes,
    between: (min, max) => min + below(max - min + 1),
    isTrue: (probability) => fraction() < probability,
    pick: (items) => {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error('nothing to pick from');
      return item;
    },
    uuid: () => toUuid(bytes(16)),
    fork: (label) => createSeededChance(`${seed}/${label}`),
  };
}

/** Version 4 (RFC 9562). */
function toUuid(bytes: Uint8Array): string {
  const octets = bytes.map((octet, index) => {
    if (index === 6) return (octet & 0x0f) | 0x40;
    return index === 8 ? (octet & 0x3f) | 0x80 : octet;
  });
  const hex = Buffer.from(octets).toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
