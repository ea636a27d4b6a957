// I5, I2. A move breaks nothing: no shard is ordered away while DNS leads to it, DNS loses no shard
// to a move before another serves, and no order is lost before its cluster has obeyed it.

import { splitServiceKey } from '../../../common/model/ids.ts';
import type { ServicePolicy } from '../../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { Publication } from '../../../common/model/publication.ts';
import { readPublication } from '../../../common/pure/publication-object.ts';
import { federationOf } from '../../../common/pure/shard-marks.ts';
import { recordOf } from '../placed.ts';
import type { SimCluster } from '../sim-cluster.ts';
import { federation } from '../sim-coordinator.ts';
import type { SimDisk, Written } from '../sim-store.ts';
import type { Blame, Checker } from './checker.ts';

export interface MovesOptions {
  readonly disk: SimDisk;
  readonly clusters: ReadonlyMap<string, SimCluster>;
}

export function createMovesChecker({ disk, clusters }: MovesOptions, blame: Blame): Checker {
  const before = new Map<string, Publication>();

  /** In the federation, and not on its way out. */
  const isStaying = (name: string): boolean =>
    disk
      .objects('clusters')
      .some(({ metadata }) => metadata.name === name && metadata.deletionTimestamp === undefined);

  const isMember = (name: string): boolean =>
    disk.objects('clusters').some(({ metadata }) => metadata.name === name);

  const serviceOf = (name: string): KubeObject | undefined =>
    disk.objects('services').find(({ metadata }) => metadata.name === name);

  const onOrder = ({ object, isDelete }: Written): void => {
    const { cluster, service: name } = object.spec as {
      readonly cluster: string;
      readonly service: string;
    };
    if (isDelete) return isObeyed(cluster, name);
    const service = serviceOf(name);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
    const shards = [...before].find(([key]) => key.endsWith(`/${name}`))?.[1].shards ?? [];
    const shard = shards.find((one) => one.cluster === cluster);
    if (shard?.inDns === true && shard.isDrained !== true)
      blame(`${name} is ordered away from ${cluster} while DNS leads there`);
  };

  const isObeyed = (cluster: string, name: string): void => {
    if (recordOf(disk, name).clusters.includes(cluster)) return; // wanted again
    if (!isMember(cluster)) return; // with it all that waits for it: i7-unjoin.ts looks at that
    for (const { object } of clusters.get(cluster)?.kube.desired.list('core/services/') ?? []) {
      const isShard = object.metadata.name === name && federationOf(object) === federation;
      if (isShard) blame(`the order for ${name} in ${cluster} is gone, and its shard is not`);
    }
  };

  const onPublication = (object: KubeObject, isDelete: boolean): void => {
    const next = readPublication(object);
    if (next === undefined) return;
    const last = before.get(next.key);
    if (isDelete) return void before.delete(next.key);
    before.set(next.key, next);
    const left = next.shards.filter(
      (shard) =>
        shard.isDrained === true &&
        isStaying(shard.cluster) && // who leaves the federation waits for nobody
        last?.shards.some((one) => one.cluster === shard.cluster && one.inDns) === true,
    );
    if (left.length === 0 || next.shards.some(({ inDns }) => inDns)) return;
    const { name } = splitServiceKey(next.key);
    const record = recordOf(disk, name);
    const isNowhere = record.clusters.length === record.leaving.length;
    if (isNowhere || strategyOf(name) !== 'WhenHealthy') return;
    blame(`${name} left DNS in ${left.map(({ cluster }) => cluster).join()} for nothing`);
  };

  const strategyOf = (name: string): string => {
    const policy = disk.objects('servicepolicies').find(({ metadata }) => metadata.name === name);
    return (policy as ServicePolicy | undefined)?.spec?.move?.strategy ?? 'WhenHealthy';
  };

  return {
    invariant: 'I5',
    onWritten: (written) => {
      if (written.resource === 'removalorders') onOrder(written);
      if (written.resource === 'publications') onPublication(written.object, written.isDelete);
    },
  };
}
