// A cache of one resource, kept by a watch, shared by whoever needs it. Subscribers are told what
// changed against the cache, so a re-list after a gap brings only the differences.
//
//   F1. Nothing is not a wish (I3): before the first complete list the cache is not synced, and
//       readers must not take an absent object for a deleted one.
//   F2. An object that a re-list lacks was deleted while nobody watched: it is told as such.

import type { KubeObject } from '../model/kube-object.ts';
import type { KubeClient, ResourcePath } from './kube-client.ts';
import { describeError, type Log } from './log.ts';

/** `<namespace>/<name>`, or the name for kinds without a namespace. */
export type ObjectKey = string;

export interface InformerChange<T> {
  readonly key: ObjectKey;
  /** Undefined: deleted. */
  readonly object: T | undefined;
  readonly previous: T | undefined;
}

export interface Informer<T> {
  get(key: ObjectKey): T | undefined;
  values(): Iterable<T>;
  size(): number;
  /** True once a first complete list was seen; stays true. */
  hasSynced(): boolean;
  /** Called synchronously per change, and once when the cache first is complete. */
  subscribe(listener: {
    readonly onChange: (change: InformerChange<T>) => void;
    readonly onSynced?: () => void;
  }): () => void;
  stop(): void;
}

export function createInformer<T>(options: {
  readonly kube: KubeClient;
  readonly path: ResourcePath;
  readonly log: Log;
  /** What is kept of each object; undefined keeps nothing of it. */
  readonly pick: (object: KubeObject) => T | undefined;
}): Informer<T> {
  const { log, pick, path } = options;
  const cache = new Map<ObjectKey, T>();
  const listeners = new Set<{
    readonly onChange: (change: InformerChange<T>) => void;
    readonly onSynced?: () => void;
  }>();
  let isSynced = false;
  let isFailing = false;

  const put = (key: ObjectKey, object: T | undefined): void => {
    const previous = cache.get(key);
    if (object === undefined && previous === undefined) return;
    if (object === undefined) cache.delete(key);
    else cache.set(key, object);
    for (const { onChange } of listeners) onChange({ key, object, previous });
  };

  const replaceAll = (objects: readonly KubeObject[]): void => {
    const gone = new Set(cache.keys());
    for (const object of objects) {
      const key = toObjectKey(object);
      gone.delete(key);
      put(key, pick(object));
    }
    for (const key of gone) put(key, undefined); // F2
    isFailing = false;
    if (isSynced) return;
    isSynced = true;
    log.info('cache filled', { resource: path.plural, objects: cache.size });
    for (const { onSynced } of listeners) onSynced?.();
  };

  const watch = options.kube.watch(path, {
    onList: replaceAll,
    onEvent: (type, object) => {
      isFailing = false;
      put(toObjectKey(object), type === 'DELETED' ? undefined : pick(object));
    },
    onError: (error) => {
      // The watch retries by itself and may do so for days: one line per outage is enough.
      if (!isFailing)
        log.warn('watch failed', { resource: path.plural, error: describeError(error) });
      isFailing = true;
    },
  });

  return {
    get: (key) => cache.get(key),
    values: () => cache.values(),
    size: () => cache.size,
    hasSynced: () => isSynced,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => {
      watch.cancel();
      listeners.clear();
    },
  };
}

export function toObjectKey({ metadata }: KubeObject): ObjectKey {
  return metadata.namespace === undefined
    ? metadata.name
    : `${metadata.namespace}/${metadata.name}`;
}
