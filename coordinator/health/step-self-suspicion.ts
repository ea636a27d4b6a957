// Whether the coordinator should suspect itself: too many clusters fell silent at once.
// Input: when each silent cluster fell silent. Output: the clusters for which our own probes no
// longer count.
//
//   S1. At least three clusters, and at least a third of all, within ten seconds (DESIGN 8).
//   S2. A cluster once in such a group stays in it until it is heard of again, or until so few
//       of the group are silent that it is none any more.

import type { ClusterName } from '../../common/model/ids.ts';

export const massWindowMs = 10_000;
export const massMin = 3;
export const massPart = 1 / 3;

export interface SelfSuspicion {
  readonly group: ReadonlySet<ClusterName>;
}

export const noSelfSuspicion: SelfSuspicion = { group: new Set() };

export function stepSelfSuspicion(
  before: SelfSuspicion,
  facts: {
    /** Silent now -> monotonic time at which it fell silent. */
    readonly silentSinceMs: ReadonlyMap<ClusterName, number>;
    /** Clusters ever heard of. */
    readonly clusters: number;
  },
): SelfSuspicion {
  const enough = Math.max(massMin, Math.ceil(facts.clusters * massPart));
  const group = new Set([...before.group].filter((cluster) => facts.silentSinceMs.has(cluster)));
  if (group.size < enough) group.clear(); // S2
  const silences = [...facts.silentSinceMs].sort(([, a], [, b]) => a - b);
  let first = 0;
  let added = 0;
  for (const [last, [, atMs]] of silences.entries()) {
    while (atMs - (silences[first]?.[1] ?? atMs) > massWindowMs) first += 1;
    if (last - first + 1 < enough) continue; // S1
    for (const [cluster] of silences.slice(Math.max(first, added), last + 1)) group.add(cluster);
    added = last + 1;
  }
  return group.size === 0 ? noSelfSuspicion : { group };
}
