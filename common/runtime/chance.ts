// Chance. The only file that may draw random numbers; all else takes a Chance, so that a seed
// replays a run.

import { randomBytes, randomUUID } from 'node:crypto';

export interface Chance {
  /** At least 0, below 1. For jitter; never for secrets. */
  fraction(): number;
  /** A version 4 UUID (RFC 9562). */
  uuid(): string;
  /** Unpredictable bytes, for secrets. */
  bytes(count: number): Uint8Array;
}

export const systemChance: Chance = {
  fraction: () => Math.random(),
  uuid: () => randomUUID(),
  bytes: (count) => randomBytes(count),
};
