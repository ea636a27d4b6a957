// What the garbage collector does with one object, as kube-controller-manager's decides it. Pure.
// Input: the object, what its owners are, what depends on it. Output: one step; the events that it
// causes bring the next.
//
//   P1. An object with an owner that stays, stays; references to owners that went are dropped.
//   P2. An object whose owners are all gone, or wait for it, is deleted.
//   P3. `orphan` goes when nobody names the object as owner any more, `foregroundDeletion` when
//       nobody does who blocks it.
//   P4. An owner that cannot be known (its kind is not served here) counts for nothing: the
//       object stays as it is.
//   P5. Finalizers of our own domain read how an object leaves (`orphan` releases the shards of a
//       Service instead of removing them), so the collector's are taken last.

import type { KubeObject, OwnerReference } from '../../../../common/model/kube-object.ts';
import type { StoredObject } from '../../../desired/store.ts';
import type { Propagation } from '../request/delete-options.ts';
import { foregroundFinalizer, orphanFinalizer } from '../verbs/delete.ts';

/** `waiting`: deleted in the foreground, until what depends on it is gone. */
export type OwnerState = 'solid' | 'absent' | 'waiting' | 'unknown';

export type CollectStep =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'dropFinalizer'; readonly finalizer: string }
  /** Each of these forgets the object as its owner. */
  | { readonly kind: 'orphan'; readonly dependents: readonly StoredObject[] }
  | { readonly kind: 'dropOwners'; readonly uids: readonly string[] }
  | { readonly kind: 'delete'; readonly propagation: Propagation; readonly unblocks: boolean };

export interface CollectFacts {
  readonly stateOf: (owner: OwnerReference) => OwnerState;
  readonly dependents: readonly StoredObject[];
}

const nothing: CollectStep = { kind: 'nothing' };
const ownDomain = 'isthmus.dev/';

export function planCollect({ metadata }: KubeObject, facts: CollectFacts): CollectStep {
  const { deletionTimestamp, finalizers = [], ownerReferences = [], uid = '' } = metadata;
  if (deletionTimestamp === undefined) {
    return ownerReferences.length === 0 ? nothing : planOwned(ownerReferences, finalizers, facts);
  }
  if (finalizers.includes(orphanFinalizer)) return planOrphaning(uid, finalizers, facts);
  if (finalizers.includes(foregroundFinalizer)) return planForeground(uid, finalizers, facts);
  return nothing;
}

function planOwned(
  owners: readonly OwnerReference[],
  finalizers: readonly string[],
  { stateOf, dependents }: CollectFacts,
): CollectStep {
  const states = owners.map((owner) => ({ uid: owner.uid, state: stateOf(owner) }));
  if (states.some(({ state }) => state === 'unknown')) return nothing; // P4
  const lost = states.filter(({ state }) => state !== 'solid');
  if (lost.length === 0) return nothing;
  if (lost.length < states.length) return { kind: 'dropOwners', uids: lost.map((it) => it.uid) }; // P1
  const isWaitedFor = lost.some(({ state }) => state === 'waiting');
  if (isWaitedFor && dependents.length > 0) {
    // Somebody who waits for this object and is waited for by it: the circle opens here.
    const unblocks = dependents.some(({ object }) => isForeground(object));
    return { kind: 'delete', propagation: 'Foreground', unblocks };
  }
  return { kind: 'delete', propagation: ownPropagation(finalizers), unblocks: false }; // P2
}

/** Finalizers that the object carries already say how it wants to leave. */
function ownPropagation(finalizers: readonly string[]): Propagation {
  if (finalizers.includes(orphanFinalizer)) return 'Orphan';
  return finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background';
}

export function isForeground({ metadata }: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [] } = metadata;
  return deletionTimestamp !== undefined && finalizers.includes(foregroundFinalizer);
}

function planOrphaning(
  uid: string,
  finalizers: readonly string[],
  { dependents }: CollectFacts,
): CollectStep {
  const still = dependents.filter(({ object }) => refersTo(object, uid) !== undefined);
  if (still.length > 0) return { kind: 'orphan', dependents: still };
  return dropLast(orphanFinalizer, finalizers);
}

function planForeground(
  uid: string,
  finalizers: readonly string[],
  { dependents }: CollectFacts,
): CollectStep {
  const isBlocked = dependents.some(
    ({ object }) => refersTo(object, uid)?.blockOwnerDeletion === true,
  );
  return isBlocked ? nothing : dropLast(foregroundFinalizer, finalizers);
}

/** P3, P5. */
function dropLast(finalizer: string, finalizers: readonly string[]): CollectStep {
  if (finalizers.some((name) => name.startsWith(ownDomain))) return nothing;
  return { kind: 'dropFinalizer', finalizer };
}

function refersTo({ metadata }: KubeObject, uid: string): OwnerReference | undefined {
  return metadata.ownerReferences?.find((owner) => owner.uid === uid);
}
