// I12. Of an agent's replicas one acts: nothing is written to a Service of the cluster by a replica
// while another one holds the Lease.

import type { KubeObject } from '../../../common/model/kube-object.ts';
import { replicaLease } from '../sim-agent.ts';
import type { SimCluster } from '../sim-cluster.ts';
import type { Blame, Checker } from './checker.ts';

const leaseKey = `coordination.k8s.io/leases/${replicaLease.namespace}/${replicaLease.name}`;

export function createLeadersChecker(
  { clusters }: { readonly clusters: ReadonlyMap<string, SimCluster> },
  blame: Blame,
): Checker {
  const holderOf = (lease: KubeObject | undefined): string => {
    const { holderIdentity = '' } = (lease?.spec ?? {}) as { readonly holderIdentity?: string };
    return holderIdentity;
  };
  return {
    invariant: 'I12',
    onMemberWrite: (cluster, user, target) => {
      const index = /^agent-(\d+)$/.exec(user)?.[1];
      if (index === undefined || !target.includes('/services')) return;
      const all = clusters.get(cluster)?.kube.desired.list(leaseKey) ?? [];
      const holder = holderOf([...all][0]?.object);
      if (holder === '' || holder.startsWith(`${cluster}-${index}_`)) return;
      blame(`replica ${index} of ${cluster}'s agent wrote ${target} while ${holder} leads`);
    },
  };
}
