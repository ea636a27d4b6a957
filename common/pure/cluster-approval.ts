// Whether a key may speak for its Cluster, and how that is said: the condition Approved.
// Input: a Cluster's status. Output: its standing, its next status. Pure.
//
//   A1. A key is in when it joined (status.publicKeyHash) and nobody has revoked it since. Another
//       key that asks afterwards takes the approval over, and with it the word "Denied": that the key
//       which is in was revoked stands apart, until somebody approves it or another is let in.
//   A2. The condition follows from the approval, always written with it.

import type { Cluster, ClusterApproval } from '../model/isthmus-kinds.ts';
import type { Condition } from '../model/kube-object.ts';

export type ClusterStatus = NonNullable<Cluster['status']>;

export const approvedCondition = 'Approved';

/** A1. A deleted Cluster is not asked about here. */
export function isAdmitted(status: ClusterStatus | undefined, publicKeyHash: string): boolean {
  return status?.publicKeyHash === publicKeyHash && !isDenied(status, publicKeyHash);
}

/** A person refused this very key: before it was in, or after. */
export function isDenied(status: ClusterStatus | undefined, publicKeyHash: string): boolean {
  const { approval, revokedPublicKeyHash } = status ?? {};
  if (revokedPublicKeyHash === publicKeyHash) return true;
  return approval?.decision === 'Denied' && approval.publicKeyHash === publicKeyHash;
}

/** Its agent has asked, and no key was let in yet: nothing is to be expected of it. */
export function isStranger(status: ClusterStatus | undefined): boolean {
  return status?.approval !== undefined && status.publicKeyHash === undefined;
}

/** A2. The status with this approval and the condition that says it. */
export function withApproval(
  status: ClusterStatus,
  approval: ClusterApproval,
  at: { readonly cluster: string; readonly nowText: string },
): ClusterStatus {
  const next = withRevoked(status, approval);
  const { conditions = [] } = status;
  const said = sayApproved(next, approval, at.cluster);
  const before = conditions.find(({ type }) => type === approvedCondition);
  const isSame = before?.status === said.status && before.lastTransitionTime !== undefined;
  const condition = {
    ...said,
    lastTransitionTime: isSame ? before.lastTransitionTime : at.nowText,
  };
  const others = conditions.filter(({ type }) => type !== approvedCondition);
  return { ...next, conditions: [...others, condition] };
}

/** A1. */
function withRevoked(before: ClusterStatus, approval: ClusterApproval): ClusterStatus {
  const { revokedPublicKeyHash: _former, ...status } = before;
  const { publicKeyHash } = status;
  const isRevoked =
    publicKeyHash !== undefined &&
    (approval.publicKeyHash === publicKeyHash
      ? approval.decision === 'Denied'
      : isDenied(before, publicKeyHash));
  return { ...status, approval, ...(isRevoked ? { revokedPublicKeyHash: publicKeyHash } : {}) };
}

type Said = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

function sayApproved(status: ClusterStatus, approval: ClusterApproval, cluster: string): Said {
  const type = approvedCondition;
  const key = `key ${formatFingerprint(approval.publicKeyHash)}`;
  const by = approval.decidedBy === undefined ? '' : ` by ${approval.decidedBy}`;
  const why = approval.message === undefined ? '' : `: ${approval.message}`;
  switch (approval.decision) {
    case 'Pending':
      return {
        type,
        status: 'False',
        reason: 'WaitingForApproval',
        message: `${sayPending(status, approval, key)}. Compare the key with the agent's log, then: kubectl isthmus approve ${cluster}`,
      };
    case 'Approved': {
      const isByToken = approval.decidedBy?.startsWith(byTokenPrefix) === true;
      const reason = isByToken ? 'ApprovedByToken' : 'ApprovedByPerson';
      return { type, status: 'True', reason, message: `${key} was approved${by}${why}` };
    }
    case 'Denied': {
      const isRevoked = status.publicKeyHash === approval.publicKeyHash;
      const isOther = status.publicKeyHash !== undefined && !isRevoked;
      if (isOther) {
        const message = `${key}, which asked to replace the cluster's, was denied${by}${why}`;
        if (status.revokedPublicKeyHash === undefined)
          return { type, status: 'True', reason: 'ReplacementDenied', message };
        const both = `${message}; the cluster's own was revoked before`;
        return { type, status: 'False', reason: 'Revoked', message: both };
      }
      const [reason, verb] = isRevoked ? ['Revoked', 'revoked'] : ['Denied', 'denied'];
      return { type, status: 'False', reason, message: `${key} was ${verb}${by}${why}` };
    }
  }
}

function sayPending(status: ClusterStatus, approval: ClusterApproval, key: string): string {
  const from = approval.remoteAddress === undefined ? '' : ` from ${approval.remoteAddress}`;
  const { joinToken } = approval;
  const token = joinToken === undefined ? '' : ` with join token ${joinToken}`;
  switch (approval.reason) {
    case 'CertificateExpired':
      return (
        `its agent (${key}) asks${from} to come back: its certificate ended` +
        (status.certificateExpirationTimestamp === undefined
          ? ''
          : ` at ${status.certificateExpirationTimestamp}`)
      );
    case 'KeyReplaced':
      return `an agent with another ${key} asks${from}${token} to replace the one that is in`;
    default:
      return `an agent with ${key} asks${from}${token} to join`;
  }
}

const byTokenPrefix = 'jointoken/';

/** Who decided, when a token did. */
export function byToken(name: string): string {
  return `${byTokenPrefix}${name}`;
}

/** The first 64 bits, as people compare them: `ab12:cd34:ef56:7890`. */
export function formatFingerprint(publicKeyHash: string): string {
  return (
    publicKeyHash
      .slice(0, 16)
      .match(/.{1,4}/g)
      ?.join(':') ?? ''
  );
}
