// The parts of Pods, EndpointSlices and Endpoints that the simulated cluster's controllers read
// and write. The API machinery has checked every object against its schema before it was stored,
// which is why narrowing here is a cast and not a second check.

import type { KubeObject, Service } from '../../common/model/kube-object.ts';

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

/** Unlike metav1.Condition, without a reason while all is well. */
export interface PodCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface Pod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly containers?: readonly {
      readonly name: string;
      readonly image?: string;
      readonly ports?: readonly ContainerPort[];
    }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly PodCondition[];
    readonly [field: string]: unknown;
  };
}

export interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions: {
    readonly ready: boolean;
    readonly serving: boolean;
    readonly terminating: boolean;
  };
  readonly nodeName?: string;
  readonly zone?: string;
  readonly targetRef: ObjectReference;
}

export interface ObjectReference {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export interface EndpointPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
}

export interface EndpointSlice extends KubeObject {
  readonly addressType: 'IPv4';
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly EndpointPort[];
}

export interface Endpoints extends KubeObject {
  readonly subsets: readonly {
    readonly addresses?: readonly EndpointAddress[];
    readonly notReadyAddresses?: readonly EndpointAddress[];
    readonly ports: readonly EndpointPort[];
  }[];
}

export interface EndpointAddress {
  readonly ip: string;
  readonly nodeName?: string;
  readonly targetRef: ObjectReference;
}

export function asPod(object: KubeObject): Pod {
  return object as Pod;
}

export function asService(object: KubeObject): Service {
  return object as Service;
}

export function isReady(pod: Pod): boolean {
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && pod.metadata.deletionTimestamp === undefined;
}

/** A Service without a selector selects nothing, as in Kubernetes. */
export function isSelected(service: Service, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(service.spec.selector ?? {});
  return wanted.length > 0 && wanted.every(([name, value]) => labels[name] === value);
}
