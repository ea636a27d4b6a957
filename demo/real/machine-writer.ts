// The writes of kubelet, scheduler and cloud at a real API server: subresources, which the
// agent's client does not need. Adapter (HTTP).

import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Exchange, KubeRequest } from '../../common/runtime/kube-http-exchange.ts';

export interface MachineWriter {
  /** Makes the Node and its status unless it is there. */
  ensureNode(node: KubeObject): Promise<void>;
  /** As the scheduler does. */
  bind(pod: KubeObject, nodeName: string): Promise<void>;
  /** Merges into the status subresource. */
  writeStatus(plural: 'pods' | 'services', object: KubeObject, status: object): Promise<void>;
  /** As the kubelet does when the containers have ended. */
  endPod(pod: KubeObject): Promise<void>;
}

const deadlineMs = 5_000;

export function createMachineWriter(exchange: Exchange): MachineWriter {
  const send = (request: Omit<KubeRequest, 'deadlineMs' | 'body'>, body: object): Promise<string> =>
    exchange.send({ ...request, body: JSON.stringify(body), deadlineMs });
  const patchStatus = (path: string, status: object): Promise<string> =>
    send(
      { method: 'PATCH', path: `${path}/status`, contentType: 'application/merge-patch+json' },
      { status },
    );
  const json = 'application/json';
  return {
    ensureNode: async (node) => {
      const path = '/api/v1/nodes';
      await ignoring('KUBE_EXISTS', send({ method: 'POST', path, contentType: json }, node));
      const { status } = node as KubeObject & { readonly status: JsonObject };
      await patchStatus(`${path}/${node.metadata.name}`, status);
    },
    bind: async (pod, nodeName) => {
      const { name, namespace } = pod.metadata;
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      };
      const path = `${pathOf('pods', pod)}/binding`;
      await ignoring('KUBE_CONFLICT', send({ method: 'POST', path, contentType: json }, binding));
    },
    writeStatus: async (plural, object, status) => {
      await ignoring('KUBE_NOT_FOUND', patchStatus(pathOf(plural, object), status));
    },
    endPod: async (pod) => {
      const { uid } = pod.metadata;
      const options = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        gracePeriodSeconds: 0,
        preconditions: { uid },
      };
      const path = pathOf('pods', pod);
      await ignoring('KUBE_NOT_FOUND', send({ method: 'DELETE', path }, options));
    },
  };
}

function pathOf(plural: string, { metadata }: KubeObject): string {
  return `/api/v1/namespaces/${metadata.namespace ?? 'default'}/${plural}/${metadata.name}`;
}

/** What has been done already, or is gone, is as wanted. */
async function ignoring(code: string, sent: Promise<string>): Promise<void> {
  try {
    await sent;
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== code) throw error;
  }
}
