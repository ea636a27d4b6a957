// The cluster's API with an eye on whether it answers: a failed watch, a call that got no answer, and
// each call after a long silence make the active check ask at once (api-freshness.ts).

import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';

export interface Watcher {
  ageMs(): number;
  look(): void;
}

/** An answer that is younger says enough about the server. */
const recentMs = 3_000;
const silences = new Set(['KUBE_UNREACHABLE', 'KUBE_TIMEOUT', 'KUBE_SERVER_ERROR']);

export function watchKube(kube: KubeClient, watcher: Watcher): KubeClient {
  const noteError = (error: unknown): void => {
    if (error instanceof MeshError && silences.has(error.code)) watcher.look();
  };
  const leanOn = async <T>(call: () => Promise<T>): Promise<T> => {
    if (watcher.ageMs() > recentMs) watcher.look();
    try {
      return await call();
    } catch (error) {
      noteError(error);
      throw error;
    }
  };
  return {
    get: (path, name) => leanOn(() => kube.get(path, name)),
    list: (path) => leanOn(() => kube.list(path)),
    create: (path, object) => leanOn(() => kube.create(path, object)),
    apply: (path, name, configuration, options) =>
      leanOn(() => kube.apply(path, name, configuration, options)),
    mergePatch: (path, name, patch, manager) =>
      leanOn(() => kube.mergePatch(path, name, patch, manager)),
    jsonPatch: (path, name, patch, manager) =>
      leanOn(() => kube.jsonPatch(path, name, patch, manager)),
    delete: (path, name, options) => leanOn(() => kube.delete(path, name, options)),
    watch: (path, sink) =>
      kube.watch(path, {
        ...sink,
        onError: (error) => {
          noteError(error);
          sink.onError(error);
        },
      }),
    version: () => kube.version(),
    close: () => kube.close(),
  };
}
