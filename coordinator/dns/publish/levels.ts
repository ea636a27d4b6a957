// The names of one Service: one per zone, region and the whole, each with the shards that stand
// there and the name one level up. Input: shards with their topology. Output: levels by name.
//
//   N1. A shard without a region stands at the global level only; without a zone, at region and
//       global. A cluster over several zones stands in each of them.
//   N2. A name that DNS cannot carry (RFC 1035 2.3.4) is left out, and its shards stay above.

import type { Topology } from '../../../common/model/topology.ts';
import type { Level } from '../../../common/model/publication.ts';
import type { ServiceKey } from '../../../common/model/ids.ts';
import {
  toGlobalName,
  toRegionName,
  toZoneName,
  type NameScope,
} from '../../../common/pure/level-names.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';

export interface LevelName<S> {
  readonly name: string;
  readonly level: Level;
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
  const below = new Map<string, { level: Level; parent: string; shards: S[] }>();
  const stand = (shard: S, name: string, level: Level, parent: string): void => {
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

function isNameable(name: string): boolean {
  return toWireName(name) !== undefined;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
