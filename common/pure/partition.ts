// The fixed partition `<pp>` of a cluster's telemetry subjects, and the subjects themselves.

import type { ClusterName } from '../model/ids.ts';

export const partitions = 64;

/** FNV-1a (32 bit) of the name modulo 64, two decimal digits. */
export function partitionOf(cluster: ClusterName): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(cluster, 'utf8')) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return String(hash % partitions).padStart(2, '0');
}

export type SubjectKind =
  | 'heartbeat'
  | 'health.delta'
  | 'health.full'
  | 'ingress.delta'
  | 'ingress.full'
  | 'event';

/** `isthmus.<federation>.<kind>.<pp>.<cluster>[.<rest>]`: agent to coordinators. */
export function reportSubject(federation: string, kind: SubjectKind, cluster: ClusterName): string {
  const [head, rest] = kind.split('.');
  const base = `isthmus.${federation}.${head}.${partitionOf(cluster)}.${cluster}`;
  return rest === undefined ? base : `${base}.${rest}`;
}

/** Every report of every cluster. */
export function reportPatterns(federation: string): readonly string[] {
  return ['heartbeat', 'health', 'ingress', 'event'].map(
    (kind) => `isthmus.${federation}.${kind}.>`,
  );
}

/** `isthmus.<federation>.sync|probe.<cluster>`: coordinator to agent, request/reply. */
export function requestSubject(
  federation: string,
  kind: 'sync' | 'probe',
  cluster: ClusterName,
): string {
  return `isthmus.${federation}.${kind}.${cluster}`;
}
