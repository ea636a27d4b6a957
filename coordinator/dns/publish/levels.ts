// The names of one Service: one per zone, region and the whole, each with the shards that stand
// there and the name one level up. Input: shards with their topology, and the places of all
// registered clusters. Output: levels by name.
//
//   N1. A shard without a region stands at the global level only; without a zone, at region and
//       global. A cluster over several zones stands in each of them.
//   N2. A name that DNS cannot carry (RFC 1035 2.3.4) is left out, and its shards stay above.
//   N3. Levels without a shard: regions before zones, each by name, as many as there is room for,
//       so that what is left out has all others above it.

import type { Topology } from '../../../common/model/topology.ts';
import type { ServiceKey } from '../../../common/model/ids.ts';
import {
  toGlobalName,
  toRegionName,
  toZoneName,
  type NameScope,
} from '../../../common/pure/level-names.ts';
import type { Place } from './input.ts';

export interface LevelName<S> {
  readonly name: string;
  readonly level: 'zone' | 'region' | 'global';
  /** Name one level up; undefined at the global level. */
  readonly parent: string | undefined;
  readonly shards: readonly S[];
}

export interface ServiceLevels<S> {
  /** undefined: even the global name cannot be carried. */
  readonly global: LevelName<S> | undefined;
  /** Regions and zones, sorted by name. */
  readonly below: readonly LevelName<S>[];
  /** Names left out for their length, sorted. */
  readonly tooLong: readonly string[];
}

export function levelsOf<S extends { readonly topology: Topology }>(
  key: ServiceKey,
  scope: NameScope,
  shards: readonly S[],
): ServiceLevels<S> {
  const globalName = toGlobalName(key, scope);
  const tooLong = new Set<string>();
  if (!isNameable(globalName)) return { global: undefined, below: [], tooLong: [globalName] };
  const below = new Map<string, { level: LevelName<S>['level']; parent: string; shards: S[] }>();
  const stand = (shard: S, name: string, level: LevelName<S>['level'], parent: string): void => {
    const known = below.get(name);
    if (known === undefined) below.set(name, { level, parent, shards: [shard] });
    else known.shards.push(shard);
  };
  for (const shard of shards) {
    const { region, zones } = shard.topology;
    if (region === undefined) continue;
    const regionName = toRegionName(key, region, scope);
    if (!isNameable(regionName)) {
      tooLong.add(regionName);
      continue;
    }
    stand(shard, regionName, 'region', globalName);
    for (const zone of new Set(zones)) {
      const zoneName = toZoneName(key, { zone, region }, scope);
      if (isNameable(zoneName)) stand(shard, zoneName, 'zone', regionName);
      else tooLong.add(zoneName);
    }
  }
  return {
    global: { name: globalName, level: 'global', parent: undefined, shards },
    below: [...below].map(([name, at]) => ({ name, ...at })).sort(byName),
    tooLong: [...tooLong].sort(),
  };
}

export interface FallbackLevels {
  /** In the order of N3. */
  readonly levels: readonly LevelName<never>[];
  readonly leftOut: readonly string[];
}

/** Levels of `places` whose names are not `taken`, at most `countMax` of them (N3). */
export function fallbackLevels(
  key: ServiceKey,
  scope: NameScope,
  from: {
    readonly places: readonly Place[];
    readonly taken: ReadonlySet<string>;
    readonly countMax: number;
  },
): FallbackLevels {
  const globalName = toGlobalName(key, scope);
  const regions = from.places
    .map(({ region }) => ({
      name: toRegionName(key, region, scope),
      level: 'region' as const,
      parent: globalName,
      shards: [],
    }))
    .sort(byName);
  const zones = from.places
    .flatMap(({ region, zones: labels }) =>
      labels.map((zone) => ({
        name: toZoneName(key, { zone, region }, scope),
        level: 'zone' as const,
        parent: toRegionName(key, region, scope),
        shards: [],
      })),
    )
    .sort(byName);
  const missing = [...regions, ...zones].filter(
    ({ name }) => !from.taken.has(name) && isNameable(name),
  );
  const levels = missing.slice(0, from.countMax);
  return { levels, leftOut: missing.slice(levels.length).map(({ name }) => name) };
}

/**
 * What DNS can carry: 253 characters, 1 to 63 in a label (RFC 1035 2.3.4). The labels of our names
 * are those of Kubernetes objects, zones and regions: only their lengths are left to be asked.
 */
export function isNameable(name: string): boolean {
  if (name.length > nameMax) return false;
  let from = 0;
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', from)) {
    if (dot === from || dot - from > labelMax) return false;
    from = dot + 1;
  }
  return from < name.length && name.length - from <= labelMax;
}

const nameMax = 253;
const labelMax = 63;

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
