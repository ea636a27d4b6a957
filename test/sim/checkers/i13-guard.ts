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

// A call begun at the end of one minute may be carried out in the next.
const windowMs = 59_000;

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

  const countRemoval = (cluster: string): void => {
    const nowMs = clock.monotonicMs();
    // A life knows nothing of the removals of the last one.
    const sinceMs = Math.max(nowMs - windowMs, agents.get(cluster)?.startedMs() ?? 0);
    const recent = [...(removals.get(cluster) ?? []), nowMs].filter((at) => at > sinceMs);
    removals.set(cluster, recent);
    if (recent.length > simGuard.removalsPerMinute) {
      blame(`${recent.length} shards were removed in ${cluster} within a minute`);
    }
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
      const isShard = previous !== undefined && federationOf(previous.object) === federation;
      if (kind !== 'deleted' || !isShard || byHand.has(`${cluster} ${uid}`)) return;
      countRemoval(cluster);
    },
  };
}

/** All but what controllers of the cluster keep. */
function toContent({ metadata, spec }: KubeObject): string {
  const { labels = {}, annotations = {} } = metadata;
  return toCanonicalJson({ labels, annotations, spec });
}
