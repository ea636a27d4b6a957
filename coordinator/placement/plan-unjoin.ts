// Decides how the removal of a Cluster goes on: names first, then shards, then the Cluster. Pure.
//
// Input:  the Cluster, how many of its shards are where on their way out, whether its agent is
//         connected. Output: what to do, what to say, when to look again.
//
//   J1. Nothing goes while a name leads to it, or may still be cached (plan-moves.ts).
//   J2. A connected agent obeys every order before the Cluster goes, however long its guard makes
//       that: unless somebody sets unjoinWaitSeconds to 0.
//   J3. An agent that is away is waited for as long as the Cluster says; then the Cluster goes,
//       and what is left behind is told. Names never stay behind.
//   J4. A cluster that never joined holds nothing.

import { unjoinFinalizer, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { Condition } from '../../common/model/kube-object.ts';

export interface UnjoinInput {
  readonly cluster: Cluster;
  /** Services whose records name the cluster: in DNS, or one TTL after. */
  readonly placed: number;
  /** None of these is in DNS any more. */
  readonly isOutOfDns: boolean;
  /** Removal orders that are not obeyed yet. */
  readonly ordered: number;
  readonly isReachable: boolean;
  /** Since the deletionTimestamp. */
  readonly elapsedMs: number;
}

export type UnjoinPlan =
  /** It is no matter of ours (any more). */
  | { readonly kind: 'nothing' }
  /** Put the finalizer on it. */
  | { readonly kind: 'hold' }
  | {
      readonly kind: 'wait';
      readonly condition: Omit<Condition, 'lastTransitionTime'>;
      readonly againAfterMs: number | undefined;
    }
  /** Take the finalizer off. `left`: shards that stay behind. */
  | { readonly kind: 'go'; readonly left: number };

export const unjoinWaitDefaultSeconds = 600;

export function planUnjoin(input: UnjoinInput): UnjoinPlan {
  const { cluster, placed, ordered, isReachable, isOutOfDns } = input;
  const { deletionTimestamp, finalizers = [] } = cluster.metadata;
  const isHeld = finalizers.includes(unjoinFinalizer);
  if (deletionTimestamp === undefined) return { kind: isHeld ? 'nothing' : 'hold' };
  if (!isHeld) return { kind: 'nothing' };
  const left = placed + ordered;
  if (left === 0 || cluster.status?.joinedAt === undefined) return { kind: 'go', left: 0 }; // J4
  const waitMs = 1000 * (cluster.spec?.unjoinWaitSeconds ?? unjoinWaitDefaultSeconds);
  const restMs = waitMs - input.elapsedMs;
  const isOver = waitMs === 0 || (!isReachable && restMs <= 0);
  if (isOver && isOutOfDns) return { kind: 'go', left };
  if (placed > 0) return wait('DrainingRecords', describeRecords(placed), undefined);
  if (isReachable) return wait('RemovingShards', describeShards(cluster, ordered), undefined);
  return wait('AgentAway', describeAway(cluster, ordered, waitMs), Math.min(restMs, waitMs));
}

function wait(reason: string, message: string, againAfterMs: number | undefined): UnjoinPlan {
  return {
    kind: 'wait',
    condition: { type: 'Leaving', status: 'True', reason, message },
    againAfterMs,
  };
}

function describeRecords(placed: number): string {
  return (
    `Names of ${count(placed, 'Service')} lead here still, or did so less than a TTL ago; ` +
    "shards go after their names. If this stays, 'kubectl get dnszones' says which zone cannot be " +
    'written.'
  );
}

function describeShards({ metadata }: Cluster, ordered: number): string {
  const isKeeping = metadata.finalizers?.includes('orphan') === true;
  return `${count(ordered, 'shard')} still to be ${isKeeping ? 'released' : 'removed'} by the agent.`;
}

function describeAway({ metadata }: Cluster, ordered: number, waitMs: number): string {
  const { name } = metadata;
  return (
    `The agent is away, with ${count(ordered, 'shard')} to give up. ${waitMs / 1000} s after the ` +
    'delete the Cluster goes without it, and the shards stay there, managed by nobody. To go on ' +
    `now: kubectl patch cluster ${name} --type=merge -p '{"spec":{"unjoinWaitSeconds":0}}'`
  );
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}
