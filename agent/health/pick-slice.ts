// What is kept of an EndpointSlice: a cluster has tens of thousands of endpoints, and each is kept
// for as long as it is there. Input: the object as watched. Output: PickedSlice.
// Next: fold.ts.

import { toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';

/** Kept of one endpoint: who it is, where it runs and the three conditions. */
export interface PickedEndpoint {
  readonly id: string;
  readonly node: string | undefined;
  readonly isReady: boolean;
  readonly isServing: boolean;
  readonly isTerminating: boolean;
}

export interface PickedSlice {
  readonly name: string;
  readonly service: ServiceKey;
  /** IPv4, IPv6 or FQDN: a slice has addresses of one kind. */
  readonly family: string;
  /** Names of its ports: all its endpoints have them. */
  readonly ports: readonly string[];
  readonly endpoints: readonly PickedEndpoint[];
}

interface EndpointSlice extends KubeObject {
  readonly addressType?: string;
  readonly ports?: readonly { readonly name?: string | null }[] | null;
  readonly endpoints?:
    | readonly {
        readonly addresses?: readonly string[];
        readonly nodeName?: string | null;
        readonly conditions?: {
          readonly ready?: boolean | null;
          readonly serving?: boolean | null;
          readonly terminating?: boolean | null;
        };
        readonly targetRef?: {
          readonly kind?: string;
          readonly uid?: string;
          readonly name?: string;
        };
      }[]
    | null;
}

/** Undefined for a slice of no Service. */
export function pickSlice(object: KubeObject): PickedSlice | undefined {
  const slice = object as EndpointSlice; // watched under their path
  const { metadata, endpoints } = slice;
  const service = metadata.labels?.['kubernetes.io/service-name'];
  if (service === undefined) return undefined;
  return {
    name: metadata.name,
    service: toServiceKey({ namespace: metadata.namespace ?? '', name: service }),
    family: slice.addressType ?? 'IPv4',
    ports: (slice.ports ?? []).map(({ name }) => name ?? ''),
    endpoints: (endpoints ?? []).map(({ addresses, nodeName, conditions, targetRef }) => {
      // discovery/v1: ready unknown counts as ready; serving unknown is as ready.
      const isReady = conditions?.ready ?? true;
      return {
        id: targetRef?.uid ?? targetRef?.name ?? addresses?.[0] ?? '',
        node: nodeName ?? undefined,
        isReady,
        isServing: conditions?.serving ?? isReady,
        isTerminating: conditions?.terminating ?? false,
      };
    }),
  };
}
