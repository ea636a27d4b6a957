// I7. A cluster that has left is without a trace: no name leads there, no record or order names it,
// no shard of ours is in it. (The number of its last session stays: it orders the lives of whoever
// joins under that name again.) What an agent that was away left behind is the one exception.

import type { Cluster } from '../../../common/model/isthmus-kinds.ts';
import { readPublication } from '../../../common/pure/publication-object.ts';
import { federationOf, markPrefix } from '../../../common/pure/shard-marks.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { sites, type Network } from '../network.ts';
import { recordOf } from '../placed.ts';
import type { AgentHost } from '../sim-agent.ts';
import type { SimCluster } from '../sim-cluster.ts';
import type { SimCoordinator } from '../sim-coordinator.ts';
import type { SimDisk, Written } from '../sim-store.ts';
import { serviceNames } from '../user.ts';
import type { Blame, Checker } from './checker.ts';

export interface UnjoinedOptions {
  readonly disk: SimDisk;
  readonly clock: Clock;
  readonly network: Network;
  readonly coordinator: SimCoordinator;
  readonly clusters: ReadonlyMap<string, SimCluster>;
  readonly agents: ReadonlyMap<string, AgentHost>;
}

/** From the last sign of life until an agent counts as away, and a session that begins again. */
const awayMs = 40_000;
/** What is told of a Cluster after its end, such as by a write that was under way. */
const aftermathMs = 15_000;

export function createUnjoinChecker(options: UnjoinedOptions, blame: Blame): Checker {
  const { disk, clock, network, coordinator, clusters, agents } = options;
  const denied = new Map<string, number>();
  const gone = new Map<string, number>();

  const isThere = (name: string): boolean =>
    disk.objects('clusters').some(({ metadata }) => metadata.name === name);

  const checkNames = (name: string): void => {
    for (const object of disk.objects('publications')) {
      const found = readPublication(object);
      const isNamed = found?.shards.some(({ cluster, inDns }) => cluster === name && inDns);
      if (isNamed === true) blame(`${found?.key} leads to ${name}, which has left the federation`);
    }
  };

  /** Since when nothing was in the way between the coordinator and the cluster. */
  const isAway = (name: string): boolean => {
    const troubles = [
      agents.get(name)?.lastTroubleMs() ?? Infinity,
      clusters.get(name)?.lastApiTroubleMs() ?? Infinity,
      coordinator.lastTroubleMs(),
      disk.lastTroubleMs(),
      network.lastBrokenMs(name, sites.coordinator),
      denied.get(name) ?? -Infinity,
    ];
    return troubles.some((atMs) => clock.monotonicMs() - atMs < awayMs);
  };

  const checkLeaving = (cluster: Cluster): void => {
    const { name } = cluster.metadata;
    checkNames(name);
    const orders = disk
      .objects('removalorders')
      .filter(({ spec }) => (spec as { readonly cluster?: string }).cluster === name);
    const records = serviceNames.filter((service) =>
      recordOf(disk, service).clusters.includes(name),
    );
    if (orders.length + records.length === 0) return checkMember(name);
    if (cluster.spec?.unjoinWaitSeconds === 0 || isAway(name)) return;
    const left = [...orders.map(({ metadata }) => metadata.name), ...records].join();
    blame(`${name} left the federation and its agent was there, and ${left} stayed`);
  };

  const checkMember = (name: string): void => {
    for (const { object } of clusters.get(name)?.kube.desired.list('core/services/') ?? []) {
      const { metadata } = object;
      const marks = Object.keys(metadata.annotations ?? {}).filter((key) =>
        key.startsWith(markPrefix),
      );
      if (marks.length > 0 || federationOf(object) !== undefined) {
        blame(`${name} has left, and its Service ${metadata.name} still bears ${marks.join()}`);
      }
    }
  };

  const checkAfter = (name: string): void => {
    checkNames(name);
    const named = ['placements', 'removalorders'].flatMap((resource) =>
      disk
        .objects(resource)
        .filter(({ spec }) => {
          const { cluster, clusters: all = [] } = (spec ?? {}) as {
            readonly cluster?: string;
            readonly clusters?: readonly string[];
          };
          return cluster === name || all.includes(name);
        })
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    );
    if (named.length > 0) blame(`${name} has left, and the log still has ${named.join(', ')}`);
  };

  return {
    invariant: 'I7',
    onWritten: ({ resource, object, isDelete }: Written) => {
      if (resource !== 'clusters') return;
      const cluster = object as Cluster; // by its resource
      const { name } = cluster.metadata;
      if (cluster.status?.approval?.decision === 'Denied') denied.set(name, clock.monotonicMs());
      if (!isDelete) return void gone.delete(name);
      gone.set(name, clock.monotonicMs());
      if (cluster.status?.joinedAt !== undefined) checkLeaving(cluster);
    },
    onStep: () => {
      for (const [name, atMs] of gone) {
        const sinceMs = Math.max(atMs, coordinator.lastTroubleMs(), disk.lastTroubleMs());
        if (clock.monotonicMs() - sinceMs < aftermathMs) continue;
        gone.delete(name);
        if (!isThere(name)) checkAfter(name);
      }
    },
  };
}
