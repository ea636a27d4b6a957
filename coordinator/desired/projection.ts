// A view of projected objects: computed by this replica, never stored. Its revisions are its own
// (replica epoch, then a local counter), so that a watch from another life gets 410.

import { toLogKey, toRevision, type ContentHash, type LogKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import { contentHash } from '../../common/pure/digest.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { silentLog, type Log } from '../../common/runtime/log.ts';
import { MemoryView } from './memory-view.ts';
import { toStoredObject } from './stored-object.ts';
import type { ObjectView } from './store.ts';

export interface Projection extends ObjectView {
  /** Adds or replaces; an equal object makes no event. */
  put(object: KubeObject): void;
  /** Nothing happens when it is not there. */
  remove(at: { readonly namespace?: string | undefined; readonly name: string }): void;
}

export interface ProjectionOptions {
  /** Rises with each life of the replica; below 2^13. */
  readonly epoch: number;
  readonly group: string;
  readonly resource: string;
  readonly clock: Clock;
  readonly log?: Log;
  readonly windowEvents?: number;
}

export function createProjection(options: ProjectionOptions): Projection {
  const { group, resource, epoch } = options;
  const start = toRevision(epoch * 2 ** 40);
  const view = new MemoryView({
    start,
    clock: options.clock,
    log: options.log ?? silentLog,
    windowEvents: options.windowEvents ?? 10_000,
    windowBytes: 64 * 2 ** 20,
  });
  let last = start;
  const next = (): typeof last => (last = toRevision(last + 1));
  // A hash instead of the text: there may be hundreds of thousands of objects.
  const hashes = new Map<LogKey, ContentHash>();
  return {
    revision: () => view.revision(),
    oldestRevision: () => view.oldestRevision(),
    get: (key) => view.get(key),
    list: (prefix, after) => view.list(prefix, after),
    count: (prefix, after) => view.count(prefix, after),
    watch: (prefix, from, onEvents) => view.watch(prefix, from, onEvents),
    reach: (revision, timeoutMs) => view.reach(revision, timeoutMs),
    put: (object) => {
      const { namespace, name } = object.metadata;
      const key = toLogKey({ group, resource, namespace, name });
      const hash = contentHash(Buffer.from(toCanonicalJson(withoutVersion(object)), 'utf8'));
      const previous = view.get(key);
      if (previous !== undefined && hashes.get(key) === hash) return;
      hashes.set(key, hash);
      const current = toStoredObject(key, next(), object);
      view.fold([{ kind: previous === undefined ? 'added' : 'modified', current, previous }]);
    },
    remove: ({ namespace, name }) => {
      const key = toLogKey({ group, resource, namespace, name });
      const previous = view.get(key);
      if (previous === undefined) return;
      hashes.delete(key);
      const current = toStoredObject(key, next(), previous.object);
      view.fold([{ kind: 'deleted', current, previous }]);
    },
  };
}

function withoutVersion(object: KubeObject): KubeObject {
  const { resourceVersion: _own, ...metadata } = object.metadata;
  return { ...object, metadata };
}
