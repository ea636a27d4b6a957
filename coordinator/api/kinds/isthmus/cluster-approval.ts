// clusters/approval: a person lets a cluster's key in, refuses it, or throws it out. RBAC separates
// it from every other write: verbs update and patch on clusters/approval.
//
//   PATCH /apis/isthmus.dev/v1alpha1/clusters/NAME/approval
//   Content-Type: application/merge-patch+json
//   {"metadata":{"resourceVersion":"..."},                    optional: refused when it changed
//    "status":{"approval":{"decision":"Approved",             or "Denied", which also revokes
//                          "publicKeyHash":"...",             the key that the person has seen
//                          "message":"asked by Ana"}}}        optional
//
// PUT of a whole Cluster does the same; everything else in the body is ignored.

import type { Cluster, ClusterApproval } from '../../../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { withApproval } from '../../../../common/pure/cluster-approval.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import type { FieldError, WriteContext } from '../../machinery/kind.ts';
import { boundText, struct, text, time } from '../schema-parts.ts';

const sha256 = '^[0-9a-f]{64}$';
const textMax = 253;
const messageMax = 1024;

export const approvalSchema = struct(
  'ClusterApproval',
  "Whether a key may speak for the cluster. Written by the cluster's join and, by people, through " +
    'the subresource approval only.',
  {
    decision: text('Pending while a person has to decide; Approved; Denied, which also revokes.', [
      'Pending',
      'Approved',
      'Denied',
    ]),
    publicKeyHash: boundText(
      'SHA-256 (hex) of the public key that asks, or that was decided on. Its first 16 digits are ' +
        "the fingerprint in the agent's log.",
      { pattern: sha256 },
    ),
    reason: text('Why it asks.', ['NewCluster', 'CertificateExpired', 'KeyReplaced']),
    requestedAt: time('When it first asked.'),
    remoteAddress: boundText('Address that it asked from.', { maxLength: textMax }),
    agentVersion: boundText('Version of the agent that asks.', { maxLength: textMax }),
    joinToken: boundText('Name of the JoinToken that it asked with.', { maxLength: textMax }),
    decidedAt: time('When it was decided.'),
    decidedBy: boundText('User who decided, or jointoken/NAME.', { maxLength: messageMax }),
    message: boundText('What the user who decided has to say.', { maxLength: messageMax }),
  },
);

/** What a write of clusters/approval makes of the Cluster; what it may not be is for validation. */
export function prepareApproval(
  next: KubeObject,
  old: KubeObject,
  { user, nowMs }: WriteContext,
): KubeObject {
  const cluster = old as Cluster; // its kind's schema was checked when it was stored
  const status = cluster.status ?? {};
  const wish = (next as Cluster).status?.approval; // decoded by the schema
  const known = status.approval;
  const key = wish?.publicKeyHash ?? known?.publicKeyHash ?? status.publicKeyHash;
  if (wish === undefined || key === undefined) return next;
  const isDecision = wish.decision === 'Approved' || wish.decision === 'Denied';
  const isSame = known?.decision === wish.decision && known.publicKeyHash === key;
  if (!isDecision || (isSame && known.message === wish.message)) {
    return { ...next, status: { ...status, approval: isSame ? known : wish } };
  }
  const nowText = toTimestamp(nowMs);
  const approval: ClusterApproval = {
    ...(known?.publicKeyHash === key ? known : {}),
    decision: wish.decision,
    publicKeyHash: key,
    decidedAt: isSame ? (known.decidedAt ?? nowText) : nowText,
    decidedBy: user.name,
  };
  const { message: _former, ...rest } = approval;
  const said = isChanged(wish, known) ? { ...rest, message: wish.message ?? '' } : rest;
  return {
    ...next,
    status: withApproval(status, said, { cluster: cluster.metadata.name, nowText }),
  };
}

/** A merge patch without a message carries the former one, which was about another decision. */
function isChanged(wish: ClusterApproval, known: ClusterApproval | undefined): boolean {
  return wish.message !== undefined && wish.message !== known?.message;
}

/** What is wrong with a decision. `next` is prepared. */
export function validateApproval(next: KubeObject, old: KubeObject): readonly FieldError[] {
  const { approval } = (next as Cluster).status ?? {};
  const { approval: known, publicKeyHash } = (old as Cluster).status ?? {};
  const keys = [known?.publicKeyHash, publicKeyHash].filter((key) => key !== undefined);
  const invalid = (field: string, value: string, why: string): FieldError => ({
    field: `status.approval.${field}`,
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
  });
  if (keys.length === 0) {
    const why = 'no agent has asked to join as this cluster, so there is nothing to decide';
    return [invalid('decision', approval?.decision ?? '', why)];
  }
  if (approval === undefined) {
    const message = 'Required value: Approved or Denied';
    return [{ field: 'status.approval.decision', reason: 'FieldValueRequired', message }];
  }
  if (!keys.includes(approval.publicKeyHash)) {
    const why = `another key waits by now: ${keys.join(' or ')}; look again before you decide`;
    return [invalid('publicKeyHash', approval.publicKeyHash, why)];
  }
  if (approval.decision === 'Pending' && known?.decision !== 'Pending') {
    return [invalid('decision', 'Pending', 'a decision is Approved or Denied')];
  }
  return [];
}

/**
 * A write of the status leaves what joins and decisions wrote as it is: which key is in, until when,
 * and the condition that says so. Whoever could write those would let in any key without a token.
 */
export function keepIdentity(next: KubeObject, old: KubeObject): KubeObject {
  const { conditions: said = [], ...given } = (next as Cluster).status ?? {};
  const before = (old as Cluster).status ?? {};
  const isOurs = ({ type }: { readonly type: string }): boolean => type === 'Approved';
  const conditions = [
    ...said.filter((condition) => !isOurs(condition)),
    ...(before.conditions ?? []).filter(isOurs),
  ];
  const pickJoined = (status: object): object =>
    Object.fromEntries(Object.entries(status).filter(([field]) => joinedFields.has(field)));
  const others = Object.entries(given).filter(([field]) => !joinedFields.has(field));
  const status = {
    ...Object.fromEntries(others),
    ...pickJoined(before),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
  return Object.keys(status).length === 0 ? next : { ...next, status };
}

const joinedFields: ReadonlySet<string> = new Set([
  'publicKeyHash',
  'revokedPublicKeyHash',
  'joinedAt',
  'approval',
  'certificateExpirationTimestamp',
  'trustDigest',
]);
