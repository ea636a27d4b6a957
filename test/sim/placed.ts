// Where the shards of a Service shall be, by the objects of the log alone.

import { toClusterName, type ClusterName } from '../../common/model/ids.ts';
import type { Cluster, ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import { readPublication } from '../../common/pure/publication-object.ts';
import { planPlacement } from '../../coordinator/placement/plan.ts';
import type { Leaving } from '../../coordinator/placement/plan-moves.ts';
import type { SimDisk } from './sim-store.ts';

export interface Placed {
  readonly clusters: readonly string[];
  readonly leaving: readonly (Leaving & { readonly cluster: string })[];
}

/** The placement record of a Service. */
export function recordOf(disk: SimDisk, service: string): Placed {
  const record = disk.objects('placements').find(({ metadata }) => metadata.name === service);
  const { clusters = [], leaving = [] } = (record?.spec ?? {}) as Partial<Placed>;
  return { clusters, leaving };
}

/** Why the record is not (yet) what the policies want, or undefined. By the coordinator's clock. */
export function findMisplaced(disk: SimDisk, service: Service): string | undefined {
  const { name } = service.metadata;
  const { clusters, leaving } = recordOf(disk, name);
  const plan = planPlacement({
    service,
    policies: disk.objects('servicepolicies') as readonly ServicePolicy[],
    clusters: disk.objects('clusters') as readonly Cluster[],
    recorded: new Set(clusters.map(toClusterName)),
  });
  if (plan.kind === 'refused') return undefined;
  const stays = clusters.filter((cluster) => !leaving.some((one) => one.cluster === cluster));
  if (stays.join() !== plan.clusters.join()) {
    return `it is placed in ${stays.join()}, not in ${plan.clusters.join()}`;
  }
  const published = disk
    .objects('publications')
    .map(readPublication)
    .find((one) => one?.key === `${service.metadata.namespace ?? ''}/${name}`);
  const isServing = (cluster: ClusterName): boolean =>
    published?.shards.some(
      ({ cluster: name, state, addresses, isDrained }) =>
        name === cluster && state === 'healthy' && addresses.length > 0 && isDrained !== true,
    ) === true;
  const strategy = plan.policy?.spec?.move?.strategy ?? 'WhenHealthy';
  // Clocks differ in here: that a move has stalled is what the Service says.
  const moving = service.status?.conditions?.find(({ type }) => type === 'Moving');
  for (const { cluster, isDrained, awaits } of leaving) {
    if (isDrained) return `${cluster} is still on its way out`;
    if (strategy === 'AfterTimeout') return `the move from ${cluster} goes on by itself`;
    // A policy that says no time, or is gone, leaves it ten minutes, which is beyond the run.
    const isTimed = plan.policy?.spec?.move?.timeoutSeconds !== undefined;
    if (isTimed && moving?.reason !== 'MoveStalled')
      return `the move from ${cluster} has not stalled yet`;
    if (plan.policy?.spec?.move?.strategy === 'AfterTimeout') return `${cluster} is due to leave`;
    const awaited = awaits.filter((one) => plan.clusters.includes(one));
    const mayGo = awaited.length > 0 ? awaited.every(isServing) : plan.clusters.some(isServing);
    if (mayGo) return `${cluster} stays although it was replaced`;
  }
  return undefined;
}
