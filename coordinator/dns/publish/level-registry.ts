// Every zone and region of every registered cluster, kept up by the Clusters' events: each Service
// has a name at each of them, with a shard or without.

import type { Cluster } from '../../../common/model/isthmus-kinds.ts';
import { topologyOf } from '../../../common/pure/cluster-topology.ts';
import type { ViewEvent } from '../../desired/store.ts';
import type { Place } from './input.ts';

export interface LevelRegistry {
  /** True when a level came or went. */
  fold(event: ViewEvent): boolean;
  /** Sorted; the same array until a level comes or goes. */
  places(): readonly Place[];
}

export function createLevelRegistry(): LevelRegistry {
  const ofCluster = new Map<string, readonly string[]>();
  /** Levels, with how many clusters stand there. */
  const counts = new Map<string, number>();
  let sorted: readonly Place[] | undefined;

  const add = (level: string, by: number): boolean => {
    const before = counts.get(level) ?? 0;
    const after = before + by;
    if (after === 0) counts.delete(level);
    else counts.set(level, after);
    return (before === 0) !== (after === 0);
  };

  return {
    fold: ({ kind, current }) => {
      const { name } = current.object.metadata;
      const before = ofCluster.get(name) ?? [];
      const after = kind === 'deleted' ? [] : levelsOf(current.object as Cluster); // by its prefix
      if (after.length === 0) ofCluster.delete(name);
      else ofCluster.set(name, after);
      // Added first, so that one that stays does not come and go.
      const came = after.map((level) => add(level, 1));
      const went = before.map((level) => add(level, -1));
      const isOther = came.includes(true) || went.includes(true);
      if (isOther) sorted = undefined;
      return isOther;
    },
    places: () => (sorted ??= toPlaces(counts.keys())),
  };
}

/** `region` or `region/zone`: neither holds a slash. */
function levelsOf(cluster: Cluster): readonly string[] {
  const { region, zones } = topologyOf(cluster);
  if (region === undefined) return [];
  return [region, ...[...new Set(zones)].map((zone) => `${region}/${zone}`)];
}

function toPlaces(levels: Iterable<string>): readonly Place[] {
  const zonesOf = new Map<string, string[]>();
  for (const level of [...levels].sort()) {
    const [region = '', zone] = level.split('/');
    const zones = zonesOf.get(region) ?? [];
    if (zone !== undefined) zones.push(zone);
    zonesOf.set(region, zones);
  }
  return [...zonesOf].map(([region, zones]) => ({ region, zones }));
}
