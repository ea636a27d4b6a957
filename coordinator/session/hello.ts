// What a Hello must pass: a living Cluster behind the certificate, a view that is not older than
// the agent's, and a session number of its own.

import { isthmusApiVersion, isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toLogKey, toRevision, type ClusterName, type Revision } from '../../common/model/ids.ts';
import type { PlacementView } from '../../common/model/views.ts';
import { isAdmitted, isDenied } from '../../common/pure/cluster-approval.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import type { Desired } from '../desired/store.ts';
import type { PeerIdentity, Refusal } from './mesh-port.ts';

const viewWaitMs = 10_000;
const viewStepMs = 20;
const claimAttemptsMax = 5;

/**
 * L1: the certificate is ours and in date; now, does what it names still exist, and may it speak? A
 * Cluster that is on its way out still has orders for its agent; it is gone when its object is.
 */
export function checkPeer(desired: Desired, peer: PeerIdentity): Refusal | undefined {
  const at = toLogKey({ group: isthmusGroup, resource: 'clusters', name: peer.cluster });
  const cluster = desired.get(at)?.object as Cluster | undefined;
  return cluster?.metadata.uid === peer.clusterUid
    ? checkAdmission(cluster, peer.publicKeyHash)
    : removedRefusal(peer.cluster);
}

/** Why this key may not speak for the Cluster (any more). */
export function checkAdmission(cluster: Cluster, publicKeyHash: string): Refusal | undefined {
  const { status, metadata } = cluster;
  if (isAdmitted(status, publicKeyHash)) return undefined;
  const { name } = metadata;
  if (isDenied(status, publicKeyHash)) {
    const { approval } = status ?? {};
    // Another key may have asked, or been decided on, since.
    const said = approval?.publicKeyHash === publicKeyHash ? approval : undefined;
    const { decidedBy = 'somebody', message } = said ?? {};
    const why = message === undefined ? '' : ` (${message})`;
    return {
      reason: 'Revoked',
      message: `${decidedBy} revoked cluster ${name}${why}; kubectl isthmus approve ${name} lets it in again`,
      retry: false,
    };
  }
  return {
    reason: 'KeyReplaced',
    message: `another agent has joined as cluster ${name} since, with a key of its own; one cluster has one agent`,
    retry: false,
  };
}

export function removedRefusal(cluster: ClusterName): Refusal {
  return {
    reason: 'ClusterRemoved',
    message: `cluster ${cluster} was removed from the federation; join it again with a new token`,
    retry: false,
  };
}

export function supersededRefusal(cluster: ClusterName, by: string): Refusal {
  return {
    reason: 'Superseded',
    message: `another agent of cluster ${cluster} has connected from ${by}; one cluster has one agent`,
    retry: false,
  };
}

/** After a restart the placement is recomputed from the log within moments. */
export async function awaitView(
  { placement, clock }: { readonly placement: PlacementView; readonly clock: Clock },
  revision: Revision,
): Promise<void> {
  const deadline = clock.monotonicMs() + viewWaitMs;
  while (placement.revision() < revision) {
    if (clock.monotonicMs() > deadline) {
      throw new MeshError(
        'retryable',
        'VIEW_BEHIND',
        'the placement has not reached the agent’s view',
      );
    }
    await sleep(clock, viewStepMs);
  }
}

/** The next session number of the cluster, by compare-and-set: it orders lives over all replicas. */
export async function claimSession(desired: Desired, cluster: ClusterName): Promise<number> {
  const key = toLogKey({ group: isthmusGroup, resource: 'sessions', name: cluster });
  for (let attempt = 0; attempt < claimAttemptsMax; attempt += 1) {
    const stored = desired.get(key);
    const last = (stored?.object.spec as { readonly number?: number } | undefined)?.number ?? 0;
    const object = {
      apiVersion: isthmusApiVersion,
      kind: 'Session',
      metadata: { name: cluster },
      spec: { number: last + 1 },
    };
    const outcome = await desired.write({
      key,
      object,
      expected: stored?.revision ?? toRevision(0),
    });
    if (outcome.kind === 'written') return last + 1;
  }
  throw new MeshError('retryable', 'SESSION_CONTENDED', `session number of ${cluster}`);
}
