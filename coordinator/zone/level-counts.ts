// The levels below a zone's apex: one per zone and region of every registered cluster, and those
// that Services have names at. Input: counts up and down. Output: which there are.

import type { Topology } from '../../common/model/topology.ts';
import { prependLabels, type WireName } from '../../common/pure/dns-wire.ts';

export class LevelCounts {
  readonly #apex: WireName;
  readonly #counts = new Map<WireName, number>();
  readonly #clusters = new Map<string, readonly WireName[]>();

  constructor(apex: WireName) {
    this.#apex = apex;
  }

  has(suffix: WireName): boolean {
    return this.#counts.has(suffix);
  }

  all(): readonly WireName[] {
    return [...this.#counts.keys()];
  }

  count(suffix: WireName, by: 1 | -1): void {
    const next = (this.#counts.get(suffix) ?? 0) + by;
    if (next === 0) this.#counts.delete(suffix);
    else this.#counts.set(suffix, next);
  }

  setCluster(name: string, topology: Topology | undefined): void {
    for (const suffix of this.#clusters.get(name) ?? []) this.count(suffix, -1);
    const suffixes = topology === undefined ? [] : suffixesOf(topology, this.#apex);
    if (topology === undefined) this.#clusters.delete(name);
    else this.#clusters.set(name, suffixes);
    for (const suffix of suffixes) this.count(suffix, 1);
  }
}

function suffixesOf({ zones, region }: Topology, apex: WireName): readonly WireName[] {
  if (region === undefined) return [];
  const ofRegion = prependLabels(region, apex);
  if (ofRegion === undefined) return [];
  return [ofRegion, ...zones.flatMap((zone) => prependLabels(zone, ofRegion) ?? [])];
}
