// Paths between sites: how long a message travels, and which directions are cut. It moves nothing
// by itself; streams, bus and probes ask it.

import type { Clock } from '../../common/runtime/clock.ts';
import type { SeededChance } from './seeded-chance.ts';

/** A member cluster's name, or one of these. */
export const sites = { coordinator: 'coordinator', bus: 'bus', user: 'user' } as const;

export class Network {
  /** Part of messages that travel much longer than usual. */
  slowPart = 0;
  readonly #clock: Clock;
  readonly #chance: SeededChance;
  readonly #base = new Map<string, number>();
  readonly #cuts = new Map<string, number>();
  readonly #lastCutMs = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock, chance: SeededChance) {
    this.#clock = clock;
    this.#chance = chance;
  }

  latencyMs(from: string, to: string): number {
    const pair = toPair(from, to);
    const base = this.#base.get(pair) ?? this.#chance.fork(pair).between(1, 40);
    this.#base.set(pair, base);
    const slowMs = this.#chance.isTrue(this.slowPart) ? this.#chance.between(50, 400) : 0;
    return base * (1 + this.#chance.fraction() / 2) + slowMs;
  }

  isCut(from: string, to: string): boolean {
    return (this.#cuts.get(toPair(from, to)) ?? 0) > 0;
  }

  /** Either direction. */
  isBroken(a: string, b: string): boolean {
    return this.isCut(a, b) || this.isCut(b, a);
  }

  /** When the path was last not whole; now if it is not. */
  lastBrokenMs(a: string, b: string): number {
    if (this.isBroken(a, b)) return this.#clock.monotonicMs();
    const last = (pair: string): number => this.#lastCutMs.get(pair) ?? -Infinity;
    return Math.max(last(toPair(a, b)), last(toPair(b, a)));
  }

  /** Cuts one direction; returns what heals it, once. */
  cut(from: string, to: string): () => void {
    const pair = toPair(from, to);
    this.#cuts.set(pair, (this.#cuts.get(pair) ?? 0) + 1);
    for (const listener of this.#listeners) listener();
    let isHealed = false;
    return () => {
      if (isHealed) return;
      isHealed = true;
      this.#cuts.set(pair, (this.#cuts.get(pair) ?? 1) - 1);
      this.#lastCutMs.set(pair, this.#clock.monotonicMs());
    };
  }

  onCut(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

function toPair(from: string, to: string): string {
  return `${from}>${to}`;
}
