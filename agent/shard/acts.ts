// The few calls by which the applier changes a cluster, each conditional on what was planned.

import { splitServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import { fieldManager } from '../../common/model/isthmus-kinds.ts';
import type { JsonObject, KubeObject, Service } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient, ResourcePath } from '../../common/runtime/kube-client.ts';
import { planDisowning, planRelease } from './plan-release.ts';

export interface ShardActs {
  read(key: ServiceKey): Promise<Service | undefined>;
  createNamespace(namespace: string): Promise<void>;
  /** Throws MeshError conflict KUBE_EXISTS when somebody was faster. */
  create(key: ServiceKey, object: JsonObject): Promise<Service>;
  apply(key: ServiceKey, configuration: JsonObject): Promise<Service>;
  patch(key: ServiceKey, patch: readonly JsonObject[]): Promise<Service>;
  /** Of the Service as it was looked at: one that is wanted again meanwhile has been written. */
  delete(key: ServiceKey, of: { uid: string; resourceVersion: string | undefined }): Promise<void>;
  /** False: it keeps its present values, for its former shape is not on record. */
  release(key: ServiceKey, uid: string): Promise<boolean>;
}

export function createActs(kube: KubeClient): ShardActs {
  const read = async (key: ServiceKey): Promise<Service | undefined> => {
    const { path, name } = locate(key);
    const live = await kube.get(path, name);
    return live === undefined ? undefined : asService(live);
  };
  const patch = async (key: ServiceKey, changes: readonly JsonObject[]): Promise<Service> => {
    const { path, name } = locate(key);
    return asService(await kube.jsonPatch(path, name, changes, fieldManager));
  };
  return {
    read,
    patch,
    createNamespace: async (namespace) => {
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
      try {
        await kube.create({ apiVersion: 'v1', plural: 'namespaces' }, object);
      } catch (error) {
        if (!(error instanceof MeshError && error.code === 'KUBE_EXISTS')) throw error;
      }
    },
    create: async (key, object) =>
      asService(await kube.create(locate(key).path, object as unknown as KubeObject)), // we made it
    // Forced: type, selector and ports are wholly ours, and the user's wish wins the rest too.
    apply: async (key, configuration) => {
      const { path, name } = locate(key);
      return asService(await kube.apply(path, name, configuration, { fieldManager, force: true }));
    },
    delete: async (key, of) => {
      const { path, name } = locate(key);
      await kube.delete(path, name, of);
    },
    release: async (key, uid) => {
      const live = await read(key); // the cache keeps no managedFields
      if (live === undefined || live.metadata.uid !== uid) return false;
      const plan = planRelease(live, fieldManager);
      const released = await patch(key, plan.patch).catch((error: unknown) => {
        // Its former node ports are somebody else's by now: then it keeps the present ones.
        if (!(error instanceof MeshError && error.code === 'KUBE_PORT_TAKEN')) throw error;
        return patch(key, planRelease(live, fieldManager, { withNodePorts: false }).patch);
      });
      const disowning = planDisowning(released, fieldManager);
      if (disowning.length > 0) await patch(key, disowning);
      return plan.isRestored;
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
