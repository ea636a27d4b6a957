// What several commands know of Clusters: where they are, how one is found, and the words for one
// that is not there.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Argument } from '../command.ts';
import { isthmus, type Federation } from '../federation.ts';
import { textAt } from '../output.ts';

export const clustersPath = `${isthmus}/clusters`;

export const clusterArgument: Argument = { name: 'CLUSTER', completes: 'clusters' };

export function clusterPath(name: string): string {
  return `${clustersPath}/${encodeURIComponent(name)}`;
}

/** Throws MeshError with the names that there are. */
export async function requireCluster(federation: Federation, name: string): Promise<KubeObject> {
  const found = await federation.get(clusterPath(name));
  if (found !== undefined) return found;
  const names = (await federation.list(clustersPath)).map(({ metadata }) => metadata.name);
  const known = names.length === 0 ? 'it has none yet' : `there are: ${names.join(', ')}`;
  throw new MeshError('fatal', 'NO_CLUSTER', `the federation has no cluster "${name}"; ${known}`);
}

/** As agents log it: the first 16 digits of the key's hash, in groups of four. */
export function toFingerprint(publicKeyHash: string): string {
  return (publicKeyHash.slice(0, 16).match(/.{1,4}/g) ?? []).join(':');
}

/** A fingerprint as people copy it; undefined when it is none. */
export function parseFingerprint(text: string): string | undefined {
  const digits = text.replaceAll(':', '').toLowerCase();
  return /^[0-9a-f]{16,64}$/.test(digits) ? digits : undefined;
}

export function approvalOf(cluster: KubeObject) {
  const at = (field: string): string => textAt(cluster, 'status', 'approval', field);
  const hash = at('publicKeyHash');
  return {
    decision: at('decision'),
    publicKeyHash: hash === '' ? textAt(cluster, 'status', 'publicKeyHash') : hash,
    reason: at('reason'),
    remoteAddress: at('remoteAddress'),
    joinToken: at('joinToken'),
  };
}

/** The key that joined, and whether it is in still, while another one may ask for its place. */
export function admittedOf(
  cluster: KubeObject,
): { readonly publicKeyHash: string; readonly decision: 'Approved' | 'Denied' } | undefined {
  const publicKeyHash = textAt(cluster, 'status', 'publicKeyHash');
  if (publicKeyHash === '') return undefined;
  const isRevoked = textAt(cluster, 'status', 'revokedPublicKeyHash') === publicKeyHash;
  return { publicKeyHash, decision: isRevoked ? 'Denied' : 'Approved' };
}
