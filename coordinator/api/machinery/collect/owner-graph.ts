// Who depends on whom: an index by the owners' UIDs, folded from the log. Pure.
//
//   W1. Each event costs what its object's references cost, however much there is.
//   W2. What an event may change the fate of is named, and nothing else.

import type { LogKey } from '../../../../common/model/ids.ts';
import type { KubeObject, OwnerReference } from '../../../../common/model/kube-object.ts';
import type { ViewEvent } from '../../../desired/store.ts';
import { isCollectors } from '../verbs/delete.ts';

export interface OwnerGraph {
  /** The keys to look at after the event. */
  fold(event: ViewEvent): readonly LogKey[];
  dependentsOf(uid: string): readonly LogKey[];
}

export function createOwnerGraph(): OwnerGraph {
  const dependents = new Map<string, Set<LogKey>>();
  /** Objects that are being deleted and wait for the collector, by UID. */
  const waiting = new Map<string, LogKey>();

  const link = (key: LogKey, owners: readonly OwnerReference[]): void => {
    for (const { uid } of owners) {
      const known = dependents.get(uid);
      if (known === undefined) dependents.set(uid, new Set([key]));
      else known.add(key);
    }
  };
  const unlink = (key: LogKey, owners: readonly OwnerReference[]): void => {
    for (const { uid } of owners) {
      const known = dependents.get(uid);
      known?.delete(key);
      if (known?.size === 0) dependents.delete(uid);
    }
  };
  const waitingOf = (owners: readonly OwnerReference[]): readonly LogKey[] =>
    owners.flatMap(({ uid }) => waiting.get(uid) ?? []);
  const dependentsOf = (uid: string): readonly LogKey[] => [...(dependents.get(uid) ?? [])];

  const foldDeleted = ({ current, previous }: ViewEvent): readonly LogKey[] => {
    const { uid = '' } = current.object.metadata;
    const owners = ownersOf(previous?.object ?? current.object);
    unlink(current.key, owners);
    waiting.delete(uid);
    return [...waitingOf(owners), ...dependentsOf(uid)];
  };

  const foldLive = ({ current, previous }: ViewEvent): readonly LogKey[] => {
    const { key, object } = current;
    const { uid = '' } = object.metadata;
    const marked: LogKey[] = [];
    const [before, now] = [ownersOf(previous?.object), ownersOf(object)];
    if (!isSameOwners(before, now)) {
      unlink(key, before);
      link(key, now);
      // Also the former owners: one may have waited for this object alone.
      marked.push(key, ...waitingOf([...before, ...now]));
    }
    if (isWaiting(object)) {
      // What depends on it may go from now on.
      if (!waiting.has(uid)) marked.push(...dependentsOf(uid));
      waiting.set(uid, key);
      marked.push(key);
    } else waiting.delete(uid);
    return marked;
  };

  return {
    fold: (event) => (event.kind === 'deleted' ? foldDeleted(event) : foldLive(event)),
    dependentsOf,
  };
}

function ownersOf(object: KubeObject | undefined): readonly OwnerReference[] {
  return object?.metadata.ownerReferences ?? [];
}

function isSameOwners(a: readonly OwnerReference[], b: readonly OwnerReference[]): boolean {
  if (a === b || (a.length === 0 && b.length === 0)) return true;
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Being deleted, and held by a finalizer that the collector takes away. */
export function isWaiting({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).some(isCollectors);
}
