// The marks by which a Service in a member cluster is known as a shard. Written with each apply,
// read by the applier (what may it delete?) and by the health reporter (what does it report?).
// Whatever annotation begins with our prefix is a mark: it is never taken from a user's manifest.

import type { KubeObject } from '../model/kube-object.ts';

export const markPrefix = 'isthmus.dev/';

/** Federation that the Service is a shard of. */
export const shardOfMark = 'isthmus.dev/shard-of';
/** Content hash last applied: tells a changed wish from a hand edit, also after a restart. */
export const shardHashMark = 'isthmus.dev/shard-hash';
/** The content itself: an agent that lost its data folder goes on from it without coordinator. */
export const shardContentMark = 'isthmus.dev/shard-content';
/** "true": the Service was there before we first applied. */
export const adoptedMark = 'isthmus.dev/adopted';
/** JSON of what an adopted Service looked like before; a release puts it back. */
export const formerSpecMark = 'isthmus.dev/former-spec';
/** `delete <revision>`: ordered away, and waiting for the local guard. */
export const removalOrderMark = 'isthmus.dev/removal-order';
/** "true", written by the cluster's own people: the removal that waits may go on. */
export const confirmRemovalMark = 'isthmus.dev/confirm-removal';
/**
 * In a shard's manifest only, from coordinator to agent: what to do with a Service of others that
 * is there already (ifEqual, never). Absent: always adopt it.
 */
export const adoptionMark = 'isthmus.dev/adoption';

export type Adoption = 'always' | 'ifEqual' | 'never';

/** The federation that claims this Service as its shard; undefined for everybody else's Service. */
export function federationOf(service: KubeObject): string | undefined {
  return service.metadata.annotations?.[shardOfMark];
}

export function isAdopted(service: KubeObject): boolean {
  return service.metadata.annotations?.[adoptedMark] === 'true';
}

/** Of a manifest. What this version does not know is taken for the most careful one. */
export function adoptionOf(annotations: Readonly<Record<string, string>> | undefined): Adoption {
  const text = annotations?.[adoptionMark] ?? 'always';
  return text === 'always' || text === 'ifEqual' ? text : 'never';
}
