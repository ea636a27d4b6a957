// A view as it stood at an earlier revision: the present, with the window's events undone. So the
// pages of a list agree with page one while nothing is held in memory between them, and the
// work is proportional to what changed since.
//
// Input: a view, a prefix, a revision. Output: objects in key order, or 'expired'.

import type { ObjectView, StoredObject, ViewEvent } from '../../../desired/store.ts';
import type { Revision } from '../../../../common/model/ids.ts';

export function snapshotAt(
  view: ObjectView,
  prefix: string,
  revision: Revision,
): readonly StoredObject[] | 'expired' {
  if (revision >= view.revision()) return [...view.list(prefix)];
  const events: ViewEvent[] = [];
  // The backlog is delivered before watch() returns; what follows is cancelled at once.
  const handle = view.watch(prefix, revision, (batch) => void events.push(...batch));
  if (handle === 'expired') return 'expired';
  handle.cancel();
  return undo([...view.list(prefix)], events);
}

/** `now` without `events`, newest undone first. Pure. */
export function undo(
  now: readonly StoredObject[],
  events: readonly ViewEvent[],
): readonly StoredObject[] {
  if (events.length === 0) return now;
  const before = new Map<string, StoredObject>(now.map((stored) => [stored.key, stored]));
  for (const event of events.toReversed()) {
    if (event.previous === undefined) before.delete(event.current.key);
    else before.set(event.current.key, event.previous);
  }
  return [...before.values()].sort(byKey);
}

/** Keys are ASCII (names are validated), so text order is byte order. */
function byKey(a: StoredObject, b: StoredObject): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
