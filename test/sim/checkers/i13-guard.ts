// I13. A member cluster is safe from its coordinator, also from one gone mad: Kubernetes' own
// Services stay as they are, nothing happens outside the allowed namespaces, and no agent removes
// more in a minute than its guard lets through without a confirmation.

import type { KubeObject } from '../../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../../common/pure/canonical-json.ts';
import { federationOf } from '../../../common/pure/shard-marks.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { ViewEvent } from '../../../coordinator/desired/store.ts';
import { madKeys } from '../mad-coordinator.ts';
import { simGuard, type AgentHost } from '../sim-agent.ts';
import { federation } from '../sim-coordinator.ts';
import type { Blame, Checker } from './checker.ts';

const windowMs = 60_000;

export interface GuardChecker extends Checker {
  /** An admin is about to delete this Service by hand. */
  noteHandDelete(cluster: string, uid: string): void;
}

export function createGuardChecker(
  options: { readonly clock: Clock; readonly agents: ReadonlyMap<string, AgentHost> },
  blame: Blame,
): GuardChecker {
  const { clock, agents } = options;
  const removals = new Map<string, readonly number[]>();
  const byHand = new Set<string>();
  /** Shards that are there, by cluster, and since when there are none. */
  const shards = new Map<string, Set<string>>();
  const emptySinceMs = new Map<string, number>();

  const countRemoval = (cluster: string): void => {
    const nowMs = clock.monotonicMs();
    // Whatever life or replica removed it.
    const recent = [...(removals.get(cluster) ?? []), nowMs].filter((at) => at > nowMs - windowMs);
    removals.set(cluster, recent);
    if (recent.length > simGuard.removalsPerMinute) {
      blame(`${recent.length} shards were removed in ${cluster} within a minute`);
    }
  };

  /** An agent whose folder was lost where no shards were had nothing to keep safe, and forgets. */
  const countShard = (cluster: string, name: string, isThere: boolean): void => {
    const there = shards.get(cluster) ?? new Set();
    shards.set(cluster, there);
    if (isThere && there.size === 0) {
      const lostMs = agents.get(cluster)?.lostFolderMs ?? -Infinity;
      if (lostMs >= (emptySinceMs.get(cluster) ?? 0)) removals.delete(cluster);
    }
    if (isThere) there.add(name);
    else if (there.delete(name) && there.size === 0) emptySinceMs.set(cluster, clock.monotonicMs());
  };

  const checkOwn = (cluster: string, { current, previous, kind }: ViewEvent): void => {
    if (previous === undefined) return;
    const isKept = kind === 'modified' && toContent(current.object) === toContent(previous.object);
    if (!isKept) blame(`${current.key} of ${cluster} was changed, which is Kubernetes' own`);
  };

  return {
    invariant: 'I13',
    noteHandDelete: (cluster, uid) => void byHand.add(`${cluster} ${uid}`),
    onMember: (cluster, event) => {
      const { current, previous, kind } = event;
      if (!current.key.startsWith('core/services/')) return;
      const { namespace = '', name, uid = '' } = current.object.metadata;
      if (madKeys.some((key) => key === `${namespace}/${name}`)) return checkOwn(cluster, event);
      const wasShard = previous !== undefined && federationOf(previous.object) === federation;
      const isDeleted = kind === 'deleted';
      if (isDeleted && wasShard && !byHand.has(`${cluster} ${uid}`)) countRemoval(cluster);
      countShard(cluster, name, !isDeleted && federationOf(current.object) === federation);
    },
  };
}

/** All but what controllers of the cluster keep. */
function toContent({ metadata, spec }: KubeObject): string {
  const { labels = {}, annotations = {} } = metadata;
  return toCanonicalJson({ labels, annotations, spec });
}
