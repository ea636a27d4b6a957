// The desired state in a few lines: a counter, a map and a list of events. It keeps the contract
// of coordinator/desired/store.ts as readers see it, so that the API can be tested by itself.

import { toRevision, type LogKey, type Revision } from '../../common/model/ids.ts';
import type { Desired, StoredObject, ViewEvent } from '../../coordinator/desired/store.ts';

interface Watcher {
  readonly prefix: string;
  readonly onEvents: (events: readonly ViewEvent[]) => void;
}

/** `windowEvents`: how many events a watch can look back. */
export function createTinyDesired(options: { readonly windowEvents?: number } = {}): Desired {
  const windowEvents = options.windowEvents ?? 10_000;
  const base = 2 ** 40; // epoch 1
  let revision = toRevision(base);
  let oldest = toRevision(base);
  const objects = new Map<LogKey, StoredObject>();
  const events: ViewEvent[] = [];
  const watchers = new Set<Watcher>();

  const publish = (event: ViewEvent): void => {
    events.push(event);
    while (events.length > windowEvents) oldest = events.shift()?.current.revision ?? oldest;
    for (const watcher of [...watchers]) {
      if (event.current.key.startsWith(watcher.prefix)) watcher.onEvents([event]);
    }
  };
  const known = (key: LogKey): Revision => objects.get(key)?.revision ?? toRevision(0);

  return {
    identity: () => ({ id: 'tiny', epoch: 1 }),
    revision: () => revision,
    oldestRevision: () => oldest,
    get: (key) => objects.get(key),
    list: (prefix) =>
      [...objects.values()]
        .filter(({ key }) => key.startsWith(prefix))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    watch: (prefix, from, onEvents) => {
      if (from < oldest) return 'expired';
      const backlog = events.filter(
        ({ current }) => current.revision > from && current.key.startsWith(prefix),
      );
      if (backlog.length > 0) onEvents(backlog);
      const watcher = { prefix, onEvents };
      watchers.add(watcher);
      return { cancel: () => void watchers.delete(watcher) };
    },
    reach: (wanted) => Promise.resolve(revision >= wanted),
    barrier: () => Promise.resolve(revision),
    write: async (request) => {
      await Promise.resolve(); // as any store: the outcome is not there at once
      const { key, guard } = request;
      if (known(key) !== request.expected) return { kind: 'conflict', current: known(key) };
      if (guard !== undefined && known(guard.key) !== guard.revision) {
        return { kind: 'fenced', current: known(guard.key) };
      }
      const previous = objects.get(key);
      revision = toRevision(revision + 1);
      const object = request.object ?? previous?.object;
      if (object === undefined) return { kind: 'conflict', current: toRevision(0) };
      const metadata = { ...object.metadata, resourceVersion: String(revision) };
      const stored = toStored(key, revision, { ...object, metadata });
      if (request.object === undefined) objects.delete(key);
      else objects.set(key, stored);
      const kind = request.object === undefined ? 'deleted' : previous === undefined ? 'added' : 'modified';
      publish({ kind, current: stored, previous });
      return { kind: 'written', stored };
    },
    refuseWrites: () => undefined,
    close: () => Promise.resolve(),
  };
}

function toStored(key: LogKey, revision: Revision, object: StoredObject['object']): StoredObject {
  let bytes: Uint8Array | undefined;
  return {
    key,
    revision,
    object,
    bytes: () => {
      bytes ??= Buffer.from(JSON.stringify(object));
      return bytes;
    },
  };
}
