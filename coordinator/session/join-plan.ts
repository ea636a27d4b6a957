// Decides whether a join is granted, waits for a person, or is refused. Pure.
//
//   J1. A token works before its end, with its secret, for the name it is bound to, if any.
//   J2. The first key that uses a token owns it: the same key may ask again (a lost answer),
//       another is refused.
//   J3. A cluster's name is taken by its key, also by one that waits for approval; only a token
//       bound to that name may replace it, and not one whose own key was replaced since.
//   J4. A used token does not bring a removed Cluster back, nor its agent into a later one of the name.
//   J5. A key that is in may have its certificate again as long as that would still be good. After
//       its end the key alone makes it known, and a person has to vouch for it once more.
//   J6. What a person said of this very key, approved or denied, counts more than any token. That the
//       key which is in was revoked also counts while another one asks (cluster-approval.ts).
//   J7. A Cluster that is on its way out has orders for its agent: the key that is in may come back, as
//       J5 says, to obey them. Nobody else may, and no token.

import { isDnsLabel } from '../../common/model/ids.ts';
import type { ApprovalMode, Cluster, JoinToken } from '../../common/model/isthmus-kinds.ts';
import { formatFingerprint, isDenied } from '../../common/pure/cluster-approval.ts';
import type { Refusal } from './mesh-port.ts';

export interface JoinInput {
  readonly clusterName: string;
  /** False: an agent that was in asks to come back, with nothing but its key. */
  readonly hasToken: boolean;
  readonly token: JoinToken | undefined;
  /** Whether the presented secret hashes to the stored hash, compared in constant time. */
  readonly isSecretRight: boolean;
  readonly cluster: Cluster | undefined;
  /** Of the key in the certificate request. */
  readonly publicKeyHash: string;
  /** RFC 3339 in UTC, to the second, as every time in here: they compare as texts. */
  readonly nowText: string;
  /** Of tokens that do not say. */
  readonly joinApproval: ApprovalMode;
}

export type JoinPlan =
  /** `token` is what it is granted by; without it a person's word or the key itself is. */
  | {
      readonly kind: 'grant';
      readonly byToken: boolean;
      readonly bindsToken: boolean;
      readonly changesKey: boolean;
    }
  | {
      readonly kind: 'wait';
      readonly bindsToken: boolean;
      readonly reason: 'NewCluster' | 'CertificateExpired' | 'KeyReplaced';
    }
  | RefusedJoin;

type RefusedJoin = { readonly kind: 'refuse' } & Refusal;

/** `isthmus.v1.<name>.<secret>.<CA hash>`; undefined when it is not that. */
export function parseToken(
  text: string,
): { readonly name: string; readonly secret: string; readonly caHash: string } | undefined {
  const match = /^isthmus\.v1\.([a-z0-9-]{1,63})\.([A-Za-z0-9_-]{16,128})\.([0-9a-f]{32})$/.exec(
    text,
  );
  const [, name, secret, caHash] = match ?? [];
  return name === undefined || secret === undefined || caHash === undefined
    ? undefined
    : { name, secret, caHash };
}

export function planJoin(input: JoinInput): JoinPlan {
  const { token, clusterName, publicKeyHash } = input;
  if (!isDnsLabel(clusterName)) {
    return refuse(
      'InvalidClusterName',
      `"${clusterName}" is not a DNS label (a-z, 0-9 and -, at most 63)`,
    );
  }
  const living = findLiving(input);
  if (isDenied(living?.status, publicKeyHash)) return refuseDenied(input);
  const byToken = checkToken(input) ?? checkName(input);
  const bindsToken = byToken === undefined && token?.status?.publicKeyHash === undefined;
  const changesKey = living?.status?.publicKeyHash !== publicKeyHash;
  if (isVouchedFor(input)) {
    return { kind: 'grant', byToken: byToken === undefined, bindsToken, changesKey };
  }
  if (byToken === undefined) {
    const mode = token?.spec?.approval ?? input.joinApproval;
    if (mode === 'Automatic') return { kind: 'grant', byToken: true, bindsToken, changesKey };
    const isReplaced = living?.status?.publicKeyHash !== undefined && changesKey;
    return { kind: 'wait', bindsToken, reason: isReplaced ? 'KeyReplaced' : 'NewCluster' };
  }
  if (living !== undefined && !changesKey) {
    return { kind: 'wait', bindsToken: false, reason: 'CertificateExpired' }; // J5
  }
  const { approval } = living?.status ?? {};
  const isWaiting = approval?.decision === 'Pending' && approval.publicKeyHash === publicKeyHash;
  // The token was good when it asked first; a person may take longer than a token lives.
  if (isWaiting && byToken.reason === 'TokenExpired') {
    return { kind: 'wait', bindsToken: false, reason: approval.reason ?? 'NewCluster' };
  }
  return byToken;
}

function findLiving({ cluster, hasToken, publicKeyHash }: JoinInput): Cluster | undefined {
  if (cluster?.metadata.deletionTimestamp === undefined) return cluster;
  return !hasToken && cluster.status?.publicKeyHash === publicKeyHash ? cluster : undefined; // J7
}

/** J5, J6. */
function isVouchedFor(input: JoinInput): boolean {
  const { publicKeyHash, nowText } = input;
  const status = findLiving(input)?.status;
  if (status === undefined) return false;
  const { approval, certificateExpirationTimestamp: end = '' } = status;
  if (status.publicKeyHash === publicKeyHash && nowText < end) return true;
  if (approval?.publicKeyHash !== publicKeyHash || approval.decision !== 'Approved') return false;
  return (approval.decidedAt ?? '') > end;
}

/** J1, J2; undefined when the token is good. */
function checkToken(input: JoinInput): RefusedJoin | undefined {
  const { token, clusterName, publicKeyHash, nowText } = input;
  if (!input.hasToken) {
    return refuse(
      'TokenMissing',
      `this key is not known as cluster ${clusterName}'s; give the agent a join token`,
    );
  }
  // One answer for an unknown name and a wrong secret: the difference helps only a guesser.
  if (token === undefined || !input.isSecretRight) {
    return refuse(
      'TokenUnknown',
      'the join token is not known here: it was revoked, has expired long since, or is of another ' +
        'federation; make a new one',
    );
  }
  const { name } = token.metadata;
  const end = token.status?.expirationTimestamp;
  if (end === undefined || end <= nowText) {
    return refuse(
      'TokenExpired',
      `join token ${name} has expired; make a new one (its end was ${end ?? 'never set'})`,
    );
  }
  const boundTo = token.spec?.cluster;
  if (boundTo !== undefined && boundTo !== clusterName) {
    return refuse('TokenForOtherCluster', `join token ${name} is for cluster ${boundTo}`);
  }
  const owner = token.status?.publicKeyHash;
  if (owner !== undefined && (owner !== publicKeyHash || token.status?.usedBy !== clusterName)) {
    const user = token.status?.usedBy ?? 'another cluster';
    return refuse('TokenUsed', `join token ${name} was used by ${user} with another key`);
  }
  return undefined;
}

/** J3, J4; undefined when this key may have the name, by a good token. */
function checkName(input: JoinInput): RefusedJoin | undefined {
  const { token, cluster, clusterName, publicKeyHash } = input;
  const living = findLiving(input);
  if (living === undefined && (token?.status?.joinedAt !== undefined || cluster !== undefined)) {
    return refuse(
      'ClusterRemoved',
      `cluster ${clusterName} was removed from the federation; join it again with a new token`,
    );
  }
  const { approval, publicKeyHash: holder } = living?.status ?? {};
  const waiting = approval?.decision === 'Denied' ? undefined : approval?.publicKeyHash;
  const taken = holder ?? waiting;
  const isFree = taken === undefined || taken === publicKeyHash;
  if (isFree && token?.status?.joinedAt !== undefined) {
    const { name } = token.metadata;
    return refuse('TokenUsed', `join token ${name} has let this key in already, and does so once`);
  }
  if (isFree || waiting === publicKeyHash) return undefined;
  const key = `key ${formatFingerprint(taken)}`;
  if (token?.spec?.cluster !== clusterName) {
    return refuse(
      'NameTaken',
      `cluster ${clusterName} ${holder === undefined ? 'is asked for' : 'has joined'} with another ` +
        `key (${key}); use a token whose spec.cluster is ${clusterName} to replace it, or another name`,
    );
  }
  return isReplacedSince(input)
    ? refuse(
        'KeyReplaced',
        `another agent has taken cluster ${clusterName} since (${key}); one cluster has one agent`,
      )
    : undefined;
}

/** Two agents with a token each for one name: the later first use wins, and stays. */
function isReplacedSince({ token, cluster, publicKeyHash }: JoinInput): boolean {
  const { publicKeyHash: owner, usedAt = '', joinedAt } = token?.status ?? {};
  if (owner !== publicKeyHash) return false;
  const { requestedAt = '', decidedAt = '' } = cluster?.status?.approval ?? {};
  return joinedAt !== undefined || requestedAt > usedAt || decidedAt > usedAt;
}

function refuseDenied({ cluster, clusterName, publicKeyHash }: JoinInput): RefusedJoin {
  const { approval, publicKeyHash: holder } = cluster?.status ?? {};
  const isRevoked = holder === publicKeyHash;
  // Another key may have asked, or been decided on, since.
  const said = approval?.publicKeyHash === publicKeyHash ? approval : undefined;
  const by = said?.decidedBy ?? 'somebody';
  const why = said?.message === undefined ? '' : ` (${said.message})`;
  return refuse(
    isRevoked ? 'Revoked' : 'Denied',
    `${by} ${isRevoked ? 'revoked' : 'denied'} key ${formatFingerprint(publicKeyHash)} of cluster ` +
      `${clusterName}${why}; kubectl isthmus approve ${clusterName} lets it in`,
  );
}

function refuse(reason: string, message: string): RefusedJoin {
  return { kind: 'refuse', reason, message, retry: false };
}
