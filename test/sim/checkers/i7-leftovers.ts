// I7. What was deleted leaves nothing behind: no publication, placement or order in the log, no
// shard in a cluster, nothing on an agent's disk, no name in the zone.

import { decode } from 'dns-packet';
import { toServiceKey } from '../../../common/model/ids.ts';
import { readPublication } from '../../../common/pure/publication-object.ts';
import { toGlobalName } from '../../../common/pure/level-names.ts';
import { federationOf } from '../../../common/pure/shard-marks.ts';
import type { AgentHost } from '../sim-agent.ts';
import type { SimCluster } from '../sim-cluster.ts';
import { domain, federation, type SimCoordinator } from '../sim-coordinator.ts';
import type { SimDisk } from '../sim-store.ts';
import { namespace, serviceNames } from '../user.ts';
import type { Blame, Checker } from './checker.ts';

export interface LeftoverOptions {
  readonly disk: SimDisk;
  readonly coordinator: SimCoordinator;
  readonly clusters: ReadonlyMap<string, SimCluster>;
  readonly agents: ReadonlyMap<string, AgentHost>;
}

export function createLeftoverChecker(options: LeftoverOptions, blame: Blame): Checker {
  const { disk, coordinator, clusters, agents } = options;

  const checkName = (name: string): void => {
    const key = toServiceKey({ namespace, name });
    const named = [...disk.objects('publications'), ...disk.objects('placements')];
    for (const { kind, metadata, spec } of named) {
      const published = readPublication({ apiVersion: '', kind, metadata, ...(spec && { spec }) });
      const isIts = kind === 'Placement' ? metadata.name === name : published?.key === key;
      if (isIts) blame(`${kind} of the deleted Service ${name} is left`);
    }
    for (const [cluster, { kube }] of clusters) {
      for (const { object } of kube.desired.list(`core/services/${namespace}/`)) {
        const isIts = object.metadata.name === name && federationOf(object) === federation;
        if (isIts) blame(`a shard of the deleted Service ${name} is left in ${cluster}`);
      }
    }
    for (const [cluster, agent] of agents) {
      for (const table of ['shards', 'orders', 'peers'] as const) {
        const isLeft = agent.disks().some((tables) => tables.get(table)?.has(key) === true);
        if (isLeft) blame(`${table} of ${cluster}'s agent still hold the deleted Service ${name}`);
      }
    }
    const scope = { federation, domain };
    const reply = coordinator.serving?.zone.query(toGlobalName(key, scope), 'A').reply;
    const answers = reply === undefined ? [] : (decode(Buffer.from(reply)).answers ?? []);
    if (answers.length > 0) blame(`the deleted Service ${name} still has a name`);
  };

  return {
    invariant: 'I7',
    onConverged: () => {
      const orders = disk.objects('removalorders').map(({ metadata }) => metadata.name);
      if (orders.length > 0) blame(`removal orders are left: ${orders.join(', ')}`);
      const there = new Set(disk.objects('services').map(({ metadata }) => metadata.name));
      for (const name of serviceNames) if (!there.has(name)) checkName(name);
    },
  };
}
