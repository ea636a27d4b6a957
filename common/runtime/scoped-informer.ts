// A cache of one resource where not all of the cluster may be read: one watch per namespace, seen as
// one cache. It is complete when every part is.

import { createInformer, type Informer, type ObjectKey } from './informer.ts';
import type { KubeObject } from '../model/kube-object.ts';
import type { KubeClient, ResourcePath } from './kube-client.ts';
import type { Log } from './log.ts';

/** `namespaces` undefined: one watch over the whole cluster. Throws nothing; stop() ends all. */
export function createScopedInformer<T>(options: {
  readonly kube: KubeClient;
  readonly path: ResourcePath;
  readonly log: Log;
  readonly pick: (object: KubeObject) => T | undefined;
  readonly namespaces: readonly string[] | undefined;
}): Informer<T> {
  const { namespaces, path, log } = options;
  if (namespaces === undefined) return createInformer(options);
  const parts = new Map(
    namespaces.map((namespace) => [
      namespace,
      createInformer({ ...options, path: { ...path, namespace }, log: log.with({ namespace }) }),
    ]),
  );
  const hasSynced = (): boolean => [...parts.values()].every((part) => part.hasSynced());
  return {
    get: (key) => parts.get(namespaceOf(key))?.get(key),
    *values() {
      for (const part of parts.values()) yield* part.values();
    },
    size: () => [...parts.values()].reduce((sum, part) => sum + part.size(), 0),
    hasSynced,
    subscribe: ({ onChange, onSynced }) => {
      const unsubscribes = [...parts.values()].map((part) =>
        part.subscribe({
          onChange,
          onSynced: () => {
            if (hasSynced()) onSynced?.();
          },
        }),
      );
      return () => {
        for (const unsubscribe of unsubscribes) unsubscribe();
      };
    },
    stop: () => {
      for (const part of parts.values()) part.stop();
    },
  };
}

/** A cache of what is not read: complete, and empty for ever. */
export function createEmptyInformer<T>(): Informer<T> {
  return {
    get: () => undefined,
    values: () => [],
    size: () => 0,
    hasSynced: () => true,
    subscribe: () => () => undefined,
    stop: () => undefined,
  };
}

function namespaceOf(key: ObjectKey): string {
  return key.slice(0, Math.max(key.indexOf('/'), 0));
}
