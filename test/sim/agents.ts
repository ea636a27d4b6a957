// The agent of one cluster as its chart installs it: one process, or two replicas with a Lease.

import type { RecordChange } from '../../agent/session/record.ts';
import { keyOf } from './joined.ts';
import { plantAbsenceDeletes, plantForgottenRemovals, plantHaste, unbounded } from './plants.ts';
import { replicaLease, SimAgent, type AgentHost } from './sim-agent.ts';
import type { SimCluster } from './sim-cluster.ts';
import { publicKeyHashOf } from './sim-pki.ts';
import { ReplicaNetwork } from './sim-replica-link.ts';
import { SimReplicas } from './sim-replicas.ts';
import type { Bug, Ground } from './world.ts';

/** Part of the clusters whose agent has two replicas. */
const replicatedPart = 0.3;

export async function makeAgent(
  ground: Ground,
  of: {
    readonly cluster: SimCluster;
    readonly uid: string;
    readonly endMs: number;
    readonly bug: Bug | undefined;
  },
): Promise<AgentHost> {
  const { cluster, uid, endMs, bug } = of;
  const { cas, clock } = ground;
  const { name, octet } = cluster.place;
  const common = {
    ...ground,
    cluster,
    identity: {
      keyPem: keyOf(name),
      caPem: cas.trustedPem(),
      certPem: cas.certificate(
        { cluster: name, clusterUid: uid, publicKeyHash: publicKeyHashOf(keyOf(name)) },
        endMs,
      ),
    },
    remoteAddress: `35.0.0.${octet}`,
    onCommit: (changes: readonly RecordChange[]) =>
      ground.watching.tell((checker) => checker.onCommit?.(name, changes)),
    ...(bug === 'absence-deletes' ? { plant: plantAbsenceDeletes } : {}),
    ...(bug === 'removals-forgotten' ? { plant: plantForgottenRemovals } : {}),
    ...(bug === 'fights-unbounded' ? { plantClock: plantHaste } : {}),
    ...(bug === 'removals-unbounded' ? { guard: unbounded } : {}),
  };
  const chance = ground.chance.fork(`${name}/agent`);
  const isUnfenced = bug === 'replicas-unfenced';
  // The other planted bugs show where one process is the whole agent.
  const isReplicated = bug === undefined && chance.fork('replicas').isTrue(replicatedPart);
  if (!isUnfenced && !isReplicated) {
    return new SimAgent({ ...common, chance });
  }
  await makeSecret(cluster);
  const network = new ReplicaNetwork(clock);
  const pods = [0, 1].map((index) => {
    const replica = { index, network, isUnfenced };
    return new SimAgent({ ...common, replica, chance: chance.fork(`replica ${index}`) });
  });
  return new SimReplicas({ pods, clock, chance: chance.fork('strikes') });
}

/** Empty, as the chart makes it. */
async function makeSecret({ kube }: SimCluster): Promise<void> {
  const { namespace } = replicaLease;
  const path = { apiVersion: 'v1', plural: 'secrets', namespace };
  await kube
    .client('admin')
    .create(path, { apiVersion: 'v1', kind: 'Secret', metadata: replicaLease });
}
