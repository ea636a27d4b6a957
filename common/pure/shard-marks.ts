// The marks by which a Service in a member cluster is known as a shard. Written with each apply,
// read by the applier (what may it delete?) and by the health reporter (what does it report?).

import type { KubeObject } from '../model/kube-object.ts';

/** Federation that the Service is a shard of. */
export const shardOfMark = 'isthmus.dev/shard-of';
/** Content hash last applied: tells a changed wish from a hand edit, also after a restart. */
export const shardHashMark = 'isthmus.dev/shard-hash';
/** "true": the Service was there before we first applied. */
export const adoptedMark = 'isthmus.dev/adopted';
/** JSON of what an adopted Service looked like before, for a person who wants it back. */
export const formerSpecMark = 'isthmus.dev/former-spec';

export const allMarks = [shardOfMark, shardHashMark, adoptedMark, formerSpecMark] as const;

/** The federation that claims this Service as its shard; undefined for everybody else's Service. */
export function federationOf(service: KubeObject): string | undefined {
  return service.metadata.annotations?.[shardOfMark];
}

export function isAdopted(service: KubeObject): boolean {
  return service.metadata.annotations?.[adoptedMark] === 'true';
}
