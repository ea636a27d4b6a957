// The few calls by which the applier changes a cluster, each conditional on what was planned.

import { splitServiceKey, type ContentHash, type ServiceKey } from '../../common/model/ids.ts';
import { fieldManager } from '../../common/model/isthmus-kinds.ts';
import type { JsonObject, Service } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient, ResourcePath } from '../../common/runtime/kube-client.ts';
import { planReleasePatch } from './plan-configuration.ts';

/** Our newest write of a Service. */
export interface WrittenMark {
  readonly hash: ContentHash | undefined;
  readonly resourceVersion: string;
  /** Version seen before it, while the watch has not brought a newer one. */
  readonly pendingFrom: string | undefined;
  readonly atMs: number;
}

export interface ShardActs {
  read(key: ServiceKey): Promise<Service | undefined>;
  createNamespace(namespace: string): Promise<void>;
  apply(key: ServiceKey, configuration: JsonObject): Promise<Service>;
  patch(key: ServiceKey, patch: readonly JsonObject[]): Promise<Service>;
  delete(key: ServiceKey, uid: string): Promise<void>;
  release(key: ServiceKey, uid: string): Promise<void>;
}

export function createActs(kube: KubeClient): ShardActs {
  return {
    read: async (key) => {
      const { path, name } = locate(key);
      const live = await kube.get(path, name);
      return live === undefined ? undefined : asService(live);
    },
    createNamespace: async (namespace) => {
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
      try {
        await kube.create({ apiVersion: 'v1', plural: 'namespaces' }, object);
      } catch (error) {
        if (!(error instanceof MeshError && error.code === 'KUBE_EXISTS')) throw error;
      }
    },
    // Forced: type, selector and ports are wholly ours, and the user's wish wins the rest too.
    apply: async (key, configuration) => {
      const { path, name } = locate(key);
      return asService(await kube.apply(path, name, configuration, { fieldManager, force: true }));
    },
    patch: async (key, patch) => {
      const { path, name } = locate(key);
      return asService(await kube.jsonPatch(path, name, patch, fieldManager));
    },
    delete: async (key, uid) => {
      const { path, name } = locate(key);
      await kube.delete(path, name, { uid });
    },
    release: async (key, uid) => {
      const { path, name } = locate(key);
      const live = await kube.get(path, name); // the cache keeps no managedFields
      if (live === undefined || live.metadata.uid !== uid) return;
      await kube.jsonPatch(
        path,
        name,
        planReleasePatch(asService(live), fieldManager),
        fieldManager,
      );
    },
  };
}

function locate(key: ServiceKey): { readonly path: ResourcePath; readonly name: string } {
  const { namespace, name } = splitServiceKey(key);
  return { path: { apiVersion: 'v1', plural: 'services', namespace }, name };
}

function asService(object: object): Service {
  return object as Service; // answered under the path of Services
}
