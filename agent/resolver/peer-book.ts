// The peer table with the indexes that questions need: which namespaces and which levels exist.
// Input: deltas from the coordinator. Work is proportional to the delta.

import { splitServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { PeerService, PeerShard } from '../../common/model/peer-table.ts';
import type { LevelPlace } from './names.ts';

export interface PeerDelta {
  readonly upserts: readonly PeerService[];
  readonly removals: readonly ServiceKey[];
  readonly isFull: boolean;
}

export class PeerBook {
  readonly #services = new Map<ServiceKey, PeerService>();
  readonly #namespaces = new Map<string, number>();
  readonly #levels = new Map<string, number>();
  #isFilled = false;

  /** False until the first table, from wherever it came. */
  get isFilled(): boolean {
    return this.#isFilled;
  }

  get(key: ServiceKey): PeerService | undefined {
    return this.#services.get(key);
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  hasLevel(place: LevelPlace): boolean {
    return this.#levels.has(toLevelKey(place));
  }

  /** In key order, so that equal tables export equally. */
  list(): readonly PeerService[] {
    return [...this.#services.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Returns the keys that may answer otherwise now. */
  apply(delta: PeerDelta): readonly ServiceKey[] {
    this.#isFilled = true;
    const kept = new Set(delta.upserts.map(({ key }) => key));
    const removed = delta.isFull
      ? [...this.#services.keys()].filter((key) => !kept.has(key))
      : delta.removals;
    for (const key of removed) this.#remove(key);
    for (const service of delta.upserts) this.#put(service);
    return [...removed, ...kept];
  }

  #put(service: PeerService): void {
    const known = this.#services.get(service.key);
    if (known === undefined) add(this.#namespaces, splitServiceKey(service.key).namespace, 1);
    this.#services.set(service.key, service);
    // A shard that stayed as it was is the same object (common/pure/peer-fold.ts).
    const before = new Set(known?.shards);
    const after = new Set(service.shards);
    this.#count(service.shards, 1, before);
    this.#count(known?.shards ?? [], -1, after);
  }

  #remove(key: ServiceKey): void {
    const known = this.#services.get(key);
    if (known === undefined) return;
    this.#services.delete(key);
    add(this.#namespaces, splitServiceKey(key).namespace, -1);
    this.#count(known.shards, -1, new Set());
  }

  #count(shards: readonly PeerShard[], by: number, besides: ReadonlySet<PeerShard>): void {
    for (const shard of shards) {
      const { region, zones } = shard;
      if (region === undefined || besides.has(shard)) continue;
      add(this.#levels, toLevelKey({ region, zone: undefined }), by);
      for (const zone of zones) add(this.#levels, toLevelKey({ region, zone }), by);
    }
  }
}

function toLevelKey({ zone, region }: LevelPlace): string {
  return `${zone ?? ''}.${region ?? ''}`;
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
