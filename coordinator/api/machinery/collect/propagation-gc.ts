// Takes away the two finalizers that `--cascade=orphan` and `--cascade=foreground` put on an
// object, which a cluster's garbage collector would take away.
//
// Objects here have no dependents that a collector must find, so it waits only for the others:
//   P1. An object that is being deleted goes as soon as nothing but these two holds it.

import { toLogPrefix, type LogKey } from '../../../../common/model/ids.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import { createLoop } from '../../../../common/runtime/loop.ts';
import type { ViewEvent } from '../../../desired/store.ts';
import type { NamespaceGcOptions } from './namespace-gc.ts';

const collectorFinalizers: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion']);

export function startPropagationGc(options: NamespaceGcOptions): { stop(): Promise<void> } {
  const { kinds, desired, clock, chance, log } = options;
  const loop = createLoop<LogKey>({
    name: 'propagation-gc',
    clock,
    chance,
    log,
    run: async (key) => {
      const stored = desired.get(key);
      if (stored === undefined || !isFree(stored.object)) return undefined;
      await desired.write({ key, object: undefined, expected: stored.revision });
      return undefined; // a lost race is another event, which marks the key again
    },
  });
  const prefixes = kinds.all
    .filter(({ storage }) => storage === 'logged')
    .map(({ group, plural }) => toLogPrefix(group, plural));
  const onEvents = (events: readonly ViewEvent[]): void => {
    for (const { kind, current } of events) {
      if (kind === 'modified' && isFree(current.object)) loop.mark(current.key);
    }
  };
  const from = desired.revision();
  const handles = prefixes.map((prefix) => {
    for (const stored of desired.list(prefix)) if (isFree(stored.object)) loop.mark(stored.key);
    return desired.watch(prefix, from, onEvents);
  });
  return {
    stop: async () => {
      for (const handle of handles) if (handle !== 'expired') handle.cancel();
      await loop.stop();
    },
  };
}

function isFree({ metadata }: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [] } = metadata;
  if (deletionTimestamp === undefined || finalizers.length === 0) return false;
  return finalizers.every((name) => collectorFinalizers.has(name));
}
