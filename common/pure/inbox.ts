// Where replies on the telemetry bus go: to each client under a prefix of its own, since a shared
// one would let clients read each other's replies.

import type { ClusterName } from '../model/ids.ts';

/** For the agent of a cluster. */
export function clusterInboxPrefix(cluster: ClusterName): string {
  return `_INBOX_${cluster}`;
}

/** For coordinators. Upper case, so that no cluster's prefix can be the same. */
export const coordinatorInboxPrefix = '_COORDINATOR_INBOX';
