// Follows one kind of the desired state: what is there, then each change, without a gap.

import type { Desired, StoredObject, ViewEvent, WatchHandle } from '../desired/store.ts';

/**
 * Calls `onObject` for each object under `prefix` now and after each change; `isDeleted` says
 * that it is gone. `onObject` must only note what is due.
 */
export function followPrefix(
  desired: Desired,
  prefix: string,
  onObject: (stored: StoredObject, isDeleted: boolean) => void,
): WatchHandle {
  const onEvents = (events: readonly ViewEvent[]): void => {
    for (const { kind, current } of events) onObject(current, kind === 'deleted');
  };
  for (;;) {
    const from = desired.revision();
    for (const stored of desired.list(prefix)) onObject(stored, false);
    const watch = desired.watch(prefix, from, onEvents);
    if (watch !== 'expired') return watch;
  }
}
