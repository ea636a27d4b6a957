// The cluster as a replica may change it: every write is asked for leave before it is made, and once
// more just before it is sent: credentials take a while, and a process that was stopped in between
// may have a successor by now.

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
  const fenced = kube.withLeave?.(check) ?? kube;
  return {
    ...fenced,
    create: async (path, object) => {
      check();
      return fenced.create(path, object);
    },
    apply: async (path, name, configuration, options) => {
      check();
      return fenced.apply(path, name, configuration, options);
    },
    mergePatch: async (path, name, patch, manager) => {
      check();
      return fenced.mergePatch(path, name, patch, manager);
    },
    jsonPatch: async (path, name, patch, manager) => {
      check();
      return fenced.jsonPatch(path, name, patch, manager);
    },
    delete: async (path, name, options) => {
      check();
      return fenced.delete(path, name, options);
    },
  };
}
