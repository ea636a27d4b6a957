// A shard's readiness and addresses, folded from its EndpointSlices and its Service.
//   input    what is kept of each EndpointSlice (pickSlice), the Service
//   output   one ShardReadiness, one ShardIngress
//
//   H1. An endpoint counts once, however many slices list it: dual-stack Services have one slice
//       per family, and an endpoint moves between slices by standing in both for a while.
//   H2. Order does not matter: equal sets of slices give equal reports.
// Next: step.ts (what is sent when).

import type { ServiceKey } from '../../common/model/ids.ts';
import { toServiceKey } from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { IngressAddress, ShardIngress, ShardReadiness } from '../../common/model/telemetry.ts';
import { toReportPort } from '../../common/pure/report-digest.ts';

/** Kept of one endpoint: who it is and the three conditions. */
export interface PickedEndpoint {
  readonly id: string;
  readonly isReady: boolean;
  readonly isServing: boolean;
  readonly isTerminating: boolean;
}

export interface PickedSlice {
  readonly name: string;
  readonly service: ServiceKey;
  readonly endpoints: readonly PickedEndpoint[];
}

interface EndpointSlice extends KubeObject {
  readonly endpoints?:
    | readonly {
        readonly addresses?: readonly string[];
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
  const { metadata, endpoints } = object as EndpointSlice; // watched under their path
  const service = metadata.labels?.['kubernetes.io/service-name'];
  if (service === undefined) return undefined;
  return {
    name: metadata.name,
    service: toServiceKey({ namespace: metadata.namespace ?? '', name: service }),
    endpoints: (endpoints ?? []).map(({ addresses, conditions, targetRef }) => {
      // discovery/v1: ready unknown counts as ready; serving unknown is as ready.
      const isReady = conditions?.ready ?? true;
      return {
        id: targetRef?.uid ?? targetRef?.name ?? addresses?.[0] ?? '',
        isReady,
        isServing: conditions?.serving ?? isReady,
        isTerminating: conditions?.terminating ?? false,
      };
    }),
  };
}

export function foldReadiness(key: ServiceKey, slices: Iterable<PickedSlice>): ShardReadiness {
  const endpoints = new Map<string, PickedEndpoint>();
  for (const slice of slices) {
    for (const endpoint of slice.endpoints) {
      const known = endpoints.get(endpoint.id);
      endpoints.set(endpoint.id, known === undefined ? endpoint : join(known, endpoint));
    }
  }
  const all = [...endpoints.values()];
  return {
    key,
    ready: all.filter(({ isReady }) => isReady).length,
    serving: all.filter(({ isServing }) => isServing).length,
    terminating: all.filter(({ isTerminating }) => isTerminating).length,
    total: all.length,
  };
}

// Two slices about one endpoint may be of different age: the better news stands for both.
function join(a: PickedEndpoint, b: PickedEndpoint): PickedEndpoint {
  return {
    id: a.id,
    isReady: a.isReady || b.isReady,
    isServing: a.isServing || b.isServing,
    isTerminating: a.isTerminating && b.isTerminating,
  };
}

export function toIngress(key: ServiceKey, { spec, status }: Service): ShardIngress {
  const clusterIps = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return {
    key,
    type: spec.type ?? 'ClusterIP',
    addresses: (status?.loadBalancer?.ingress ?? []).flatMap(toAddress).sort(compareAddresses),
    clusterIps: clusterIps.filter((address) => address !== '' && address !== 'None'),
    ports: (spec.ports ?? []).map(toReportPort),
  };
}

function toAddress(ingress: {
  readonly ip?: string;
  readonly hostname?: string;
}): readonly IngressAddress[] {
  if (ingress.ip !== undefined && ingress.ip !== '') return [{ ip: ingress.ip }];
  return ingress.hostname === undefined || ingress.hostname === ''
    ? []
    : [{ hostname: ingress.hostname }];
}

function compareAddresses(a: IngressAddress, b: IngressAddress): number {
  const [left, right] = [a, b].map(({ ip, hostname }) => `${ip ?? ''}/${hostname ?? ''}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
