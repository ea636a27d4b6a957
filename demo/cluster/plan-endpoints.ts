// A Service's EndpointSlice and Endpoints, from the Pods that its selector takes. Pure.
//
//   E1. A Pod without an address is no endpoint. An endpoint is ready when its Pod is.
//   E2. The result depends on nothing but Service and Pods, and is sorted by Pod name.

import { contentHash } from '../../common/pure/digest.ts';
import type { OwnerReference, Service, ServicePort } from '../../common/model/kube-object.ts';
import {
  isReady,
  isSelected,
  type EndpointAddress,
  type EndpointPort,
  type Endpoints,
  type EndpointSlice,
  type ObjectReference,
  type Pod,
} from './shapes.ts';

export const sliceManager = 'endpointslice-controller.k8s.io';

export interface EndpointsPlan {
  readonly slice: EndpointSlice;
  readonly endpoints: Endpoints;
}

/** Undefined when Kubernetes makes none: ExternalName, or no selector. */
export function planEndpoints(
  service: Service,
  pods: readonly Pod[],
  zoneOf: (nodeName: string) => string | undefined,
): EndpointsPlan | undefined {
  if (service.spec.type === 'ExternalName') return undefined;
  if (Object.keys(service.spec.selector ?? {}).length === 0) return undefined;
  const chosen = selectPods(service, pods);
  return { slice: toSlice(service, chosen, zoneOf), endpoints: toEndpoints(service, chosen) };
}

/** Pods behind the Service that have an address, by name. */
export function selectPods(service: Service, pods: readonly Pod[]): readonly Pod[] {
  return pods
    .filter((pod) => pod.status?.podIP !== undefined)
    .filter((pod) => isSelected(service, pod.metadata.labels ?? {}))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** Deterministic, so that a restarted controller finds its own slice again. */
export function sliceNameOf(service: Service): string {
  const seed = `${service.metadata.name}/${service.metadata.uid ?? ''}`;
  return `${service.metadata.name}-${contentHash(Buffer.from(seed)).slice(0, 5)}`;
}

function toSlice(
  service: Service,
  pods: readonly Pod[],
  zoneOf: (nodeName: string) => string | undefined,
): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: sliceNameOf(service),
      ...namespaceOf(service),
      labels: {
        'kubernetes.io/service-name': service.metadata.name,
        'endpointslice.kubernetes.io/managed-by': sliceManager,
      },
      ownerReferences: [ownerOf(service)],
    },
    addressType: 'IPv4',
    endpoints: pods.map((pod) => {
      const { nodeName } = pod.spec;
      const zone = nodeName === undefined ? undefined : zoneOf(nodeName);
      const terminating = pod.metadata.deletionTimestamp !== undefined;
      const ready = isReady(pod);
      return {
        addresses: [pod.status?.podIP ?? ''],
        conditions: { ready, serving: ready, terminating },
        ...(nodeName === undefined ? {} : { nodeName }),
        ...(zone === undefined ? {} : { zone }),
        targetRef: referenceTo(pod),
      };
    }),
    ports: toPorts(service, pods),
  };
}

function toEndpoints(service: Service, pods: readonly Pod[]): Endpoints {
  const addresses = pods.filter(isReady).map(toAddress);
  const notReadyAddresses = pods.filter((pod) => !isReady(pod)).map(toAddress);
  const subset = {
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
    ports: toPorts(service, pods),
  };
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: service.metadata.name, ...namespaceOf(service), ...labelsOf(service) },
    subsets: pods.length === 0 ? [] : [subset],
  };
}

function toAddress(pod: Pod): EndpointAddress {
  const { nodeName } = pod.spec;
  return {
    ip: pod.status?.podIP ?? '',
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: referenceTo(pod),
  };
}

function toPorts(service: Service, pods: readonly Pod[]): readonly EndpointPort[] {
  return (service.spec.ports ?? []).map((port) => ({
    name: port.name ?? '',
    port: targetPortOf(port, pods[0]),
    protocol: port.protocol ?? 'TCP',
  }));
}

/** A named target port is the container's port of that name. */
function targetPortOf(port: ServicePort, pod: Pod | undefined): number {
  const { targetPort = port.port } = port;
  if (typeof targetPort === 'number') return targetPort;
  const containerPorts = (pod?.spec.containers ?? []).flatMap(({ ports }) => ports ?? []);
  return containerPorts.find(({ name }) => name === targetPort)?.containerPort ?? port.port;
}

function referenceTo(pod: Pod): ObjectReference {
  const { name, namespace = '', uid = '' } = pod.metadata;
  return { kind: 'Pod', name, namespace, uid };
}

function ownerOf(service: Service): OwnerReference {
  const { name, uid = '' } = service.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

function namespaceOf(service: Service): { readonly namespace: string } {
  return { namespace: service.metadata.namespace ?? 'default' };
}

function labelsOf(service: Service): { readonly labels?: Readonly<Record<string, string>> } {
  const { labels } = service.metadata;
  return labels === undefined ? {} : { labels };
}
