// Decides whether a join is granted. Pure.
//
//   J1. A token works before its end, with its secret, for the name it is bound to, if any.
//   J2. The first key that uses a token owns it: the same key may ask again (a lost answer),
//       another is refused.
//   J3. A cluster's name is taken by its key; only a token bound to that name may replace it.
//   J4. A used token does not bring a removed Cluster back.

import { isDnsLabel } from '../../common/model/ids.ts';
import type { Cluster, JoinToken } from '../../common/model/isthmus-kinds.ts';
import type { Refusal } from './mesh-port.ts';

export interface JoinInput {
  readonly clusterName: string;
  readonly token: JoinToken | undefined;
  /** Whether the presented secret hashes to the stored hash, compared in constant time. */
  readonly isSecretRight: boolean;
  readonly cluster: Cluster | undefined;
  /** Of the key in the certificate request. */
  readonly publicKeyHash: string;
  readonly nowMs: number;
  readonly expiresAtMs: number | undefined;
}

export type JoinPlan =
  | { readonly kind: 'grant'; readonly bindsToken: boolean; readonly changesKey: boolean }
  | ({ readonly kind: 'refuse' } & Refusal);

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
  const { token, cluster, clusterName, publicKeyHash } = input;
  if (!isDnsLabel(clusterName)) {
    return refuse(
      'InvalidClusterName',
      `"${clusterName}" is not a DNS label (a-z, 0-9 and -, at most 63)`,
    );
  }
  // One answer for an unknown name and a wrong secret: the difference helps only a guesser.
  if (token === undefined || !input.isSecretRight) {
    return refuse('TokenUnknown', 'the join token is not known here; make a new one');
  }
  if (input.expiresAtMs === undefined || input.expiresAtMs <= input.nowMs) {
    return refuse('TokenExpired', `join token ${token.metadata.name} has expired; make a new one`);
  }
  const boundTo = token.spec?.cluster;
  if (boundTo !== undefined && boundTo !== clusterName) {
    return refuse(
      'TokenForOtherCluster',
      `join token ${token.metadata.name} is for cluster ${boundTo}`,
    );
  }
  const owner = token.status?.publicKeyHash;
  if (owner !== undefined && (owner !== publicKeyHash || token.status?.usedBy !== clusterName)) {
    const user = token.status?.usedBy ?? 'another cluster';
    return refuse(
      'TokenUsed',
      `join token ${token.metadata.name} was used by ${user} with another key`,
    );
  }
  const isGone = cluster === undefined || cluster.metadata.deletionTimestamp !== undefined;
  if (isGone && (token.status?.joinedAt !== undefined || cluster !== undefined)) {
    return refuse(
      'ClusterRemoved',
      `cluster ${clusterName} was removed from the federation; join it again with a new token`,
    );
  }
  const holder = cluster?.status?.publicKeyHash;
  const changesKey = holder !== publicKeyHash;
  if (holder !== undefined && changesKey && boundTo !== clusterName) {
    return refuse(
      'NameTaken',
      `cluster ${clusterName} has joined with another key; use a token whose spec.cluster is ` +
        `${clusterName} to replace it, or another name`,
    );
  }
  return { kind: 'grant', bindsToken: owner === undefined, changesKey };
}

function refuse(reason: string, message: string): JoinPlan {
  return { kind: 'refuse', reason, message, retry: false };
}
