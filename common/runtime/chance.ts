// Chance. The only file that may draw random numbers; all else takes a Chance, so that a seed
// replays a run.

import { randomBytes, randomFillSync, randomUUID } from 'node:crypto';

export interface Chance {
  /** At least 0, below 1. For jitter; never for secrets. */
  fraction(): number;
  /** A version 4 UUID (RFC 9562). */
  uuid(): string;
  /** Unpredictable bytes, for secrets. */
  bytes(count: number): Uint8Array;
}

// A few bytes at a time, for names and addresses, come from one draw of the system: each draw is a
// native buffer, which costs the collector of garbage as much as a hundred bytes do. Keys do not.
const fewBytes = 16;
const supply = Buffer.alloc(4096);
let used = supply.length;

function takeFew(count: number): Uint8Array {
  if (used + count > supply.length) {
    randomFillSync(supply);
    used = 0;
  }
  used += count;
  return Uint8Array.prototype.slice.call(supply, used - count, used);
}

export const systemChance: Chance = {
  fraction: () => Math.random(),
  uuid: () => randomUUID(),
  bytes: (count) => (count <= fewBytes ? takeFew(count) : randomBytes(count)),
};
