// The cluster as a replica may change it: every write is asked for leave just before it is sent.

import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';

/** Reads pass; writes reject with MeshError retryable NOT_LEADING while `mayWrite` says no. */
export function fenceKube(kube: KubeClient, mayWrite: () => boolean): KubeClient {
  const check = (): void => {
    if (mayWrite()) return;
    throw new MeshError(
      'retryable',
      'NOT_LEADING',
      'this replica of the agent cannot prove that it leads: its Lease was not renewed in time',
    );
  };
  return {
    ...kube,
    create: async (path, object) => {
      check();
      return kube.create(path, object);
    },
    apply: async (path, name, configuration, options) => {
      check();
      return kube.apply(path, name, configuration, options);
    },
    mergePatch: async (path, name, patch, manager) => {
      check();
      return kube.mergePatch(path, name, patch, manager);
    },
    jsonPatch: async (path, name, patch, manager) => {
      check();
      return kube.jsonPatch(path, name, patch, manager);
    },
    delete: async (path, name, options) => {
      check();
      return kube.delete(path, name, options);
    },
  };
}
