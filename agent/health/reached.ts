// What this cluster has reached lately, kept where it was seen: a failed probe counts only from who
// reached the same target before, and a coordinator that has just started remembers nobody.
//
//   R1. Bounded: of more than `targetsMax` targets, those reached longest ago are forgotten.

import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';

const targetsMax = 10_000;

export class ReachedTargets {
  /** Monotonic times, the oldest first. */
  readonly #reachedMs = new Map<string, number>();

  /** The result with what is remembered of its target; a success is remembered. */
  note(result: ProbeResult, nowMs: number): ProbeResult {
    const key = toKey(result.target);
    if (!result.ok) {
      const reachedMs = this.#reachedMs.get(key);
      return reachedMs === undefined ? result : { ...result, reachedAgoMs: nowMs - reachedMs };
    }
    this.#reachedMs.delete(key);
    this.#reachedMs.set(key, nowMs);
    if (this.#reachedMs.size > targetsMax) {
      for (const oldest of this.#reachedMs.keys()) {
        this.#reachedMs.delete(oldest);
        break;
      }
    }
    return result;
  }
}

function toKey({ address, port, method }: ProbeTarget): string {
  return `${address}|${port}|${method}`;
}
