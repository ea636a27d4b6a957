// What stands in a simulated cluster from its first moment: namespaces and nodes with the labels
// by which agents find out where they are. Pure.

import type { KubeObject } from '../../common/model/kube-object.ts';

export interface ClusterPlace {
  readonly name: string;
  /** Second octet of the cluster's own addresses. */
  readonly octet: number;
  /** Undefined: nodes carry no such label, as on a bare OpenStack. */
  readonly zone: string | undefined;
  readonly region: string | undefined;
  /** Scheme of the nodes' providerID: gce, aws, openstack. */
  readonly provider: string;
}

const nodeCount = 2;

export function planNamespaces(now: string): readonly KubeObject[] {
  return ['default', 'kube-node-lease', 'kube-public', 'kube-system'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, creationTimestamp: now, labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }));
}

export function planNodes(place: ClusterPlace, now: string): readonly KubeObject[] {
  return Array.from({ length: nodeCount }, (_, index) => toNode(place, index + 1, now));
}

export function nodeNameOf(place: ClusterPlace, index: number): string {
  return `${place.name}-node-${index}`;
}

/** The node for a Pod: spread by name, the same each time. */
export function chooseNode(
  place: ClusterPlace,
  podName: string,
): { readonly name: string; readonly ip: string } {
  const sum = [...podName].reduce((total, character) => total + (character.codePointAt(0) ?? 0), 0);
  const index = (sum % nodeCount) + 1;
  return { name: nodeNameOf(place, index), ip: nodeIpOf(place, index) };
}

function nodeIpOf(place: ClusterPlace, index: number): string {
  return `10.${place.octet}.64.${index}`;
}

function toNode(place: ClusterPlace, index: number, now: string): KubeObject {
  const name = nodeNameOf(place, index);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      creationTimestamp: now,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        ...(place.zone === undefined ? {} : { 'topology.kubernetes.io/zone': place.zone }),
        ...(place.region === undefined ? {} : { 'topology.kubernetes.io/region': place.region }),
      },
    },
    spec: { providerID: toProviderId(place, name), podCIDR: `10.${place.octet}.128.0/24` },
    status: {
      addresses: [
        { type: 'InternalIP', address: nodeIpOf(place, index) },
        { type: 'Hostname', address: name },
      ],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'kubelet is posting ready status',
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
      nodeInfo: {
        architecture: 'amd64',
        bootID: '',
        containerRuntimeVersion: 'simulated://1',
        kernelVersion: '',
        kubeProxyVersion: '',
        kubeletVersion: 'v1.33.0',
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'Isthmus demo',
        systemUUID: '',
      },
    },
  };
}

function toProviderId(place: ClusterPlace, node: string): string {
  switch (place.provider) {
    case 'gce':
      return `gce://isthmus-demo/${place.zone ?? ''}/${node}`;
    case 'aws':
      return `aws:///${place.zone ?? ''}/i-${node}`;
    default:
      return `${place.provider}:///${node}`;
  }
}
