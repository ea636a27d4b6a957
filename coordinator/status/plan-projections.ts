// The read-only objects that show one Service's shards and names: ServiceShards, DNSRecordSets,
// Endpoints and EndpointSlices.
// Input: what plan-service.ts takes. Output: objects, sorted by kind and name.
//
//   U6. An object depends on verdicts, addresses and counts alone, never on the time of day: it
//       changes on transitions only.
//   U7. uid and creation time are those of the same thing for as long as it exists.

import { toLogKey, type LogKey } from '../../common/model/ids.ts';
import {
  isthmusApiVersion,
  isthmusGroup,
  type DNSRecordSet,
  type ServiceShard,
} from '../../common/model/isthmus-kinds.ts';
import type { KubeObject, ObjectMeta, ServicePort } from '../../common/model/kube-object.ts';
import { contentHash } from '../../common/pure/digest.ts';
import { planRecordSets, type FormatTime } from './plan-record-sets.ts';
import {
  isApplied,
  isRefused,
  toIngress,
  type ServiceFacts,
  type ShardFacts,
} from './plan-service.ts';

export interface Projected {
  readonly key: LogKey;
  readonly object: KubeObject;
}

/** Kubernetes' own bound on the endpoints of one slice. */
const endpointsPerSlice = 1000;

export function planProjections(facts: ServiceFacts, formatTime: FormatTime): readonly Projected[] {
  return [
    ...facts.shards.map((shard) => toServiceShard(facts, shard, formatTime)),
    ...toRecordSets(facts, formatTime),
    ...toEndpoints(facts),
    ...toEndpointSlices(facts),
  ];
}

function toServiceShard(facts: ServiceFacts, shard: ShardFacts, formatTime: FormatTime): Projected {
  const { cluster, topology, verdict, result } = shard;
  const service = facts.service.metadata.name;
  const ingress = verdict === undefined ? [] : toIngress(verdict, facts.rules);
  const refusal = isRefused(shard) ? result : undefined;
  const message = refusal?.message ?? verdict?.message;
  const since = verdict === undefined ? undefined : formatTime(verdict.sinceMs);
  const { lastProofOfLifeMs } = shard;
  const object: ServiceShard = {
    apiVersion: isthmusApiVersion,
    kind: 'ServiceShard',
    metadata: toMeta(facts, `${service}.${cluster}`, 'ServiceShard', {
      'isthmus.dev/service': labelValue(service),
      'isthmus.dev/cluster': cluster,
    }),
    spec: { service, cluster },
    status: {
      zones: topology.zones,
      ...(topology.region === undefined ? {} : { region: topology.region }),
      ready: verdict?.ready ?? 0,
      total: verdict?.total ?? 0,
      ingress: ingress.map(({ ip, hostname }) => ip ?? hostname ?? ''),
      health: verdict?.state ?? 'pending',
      applied: isApplied(shard),
      reason: refusal?.reason ?? verdict?.reason ?? 'Pending',
      ...(message === undefined || message === '' ? {} : { message }),
      ...(since === undefined ? {} : { since }),
      ...(lastProofOfLifeMs === undefined
        ? {}
        : { lastProofOfLife: formatTime(lastProofOfLifeMs) }),
      conditions: shard.conditions,
    },
  };
  return toProjected(isthmusGroup, 'serviceshards', object);
}

function toRecordSets(facts: ServiceFacts, formatTime: FormatTime): readonly Projected[] {
  const service = facts.service.metadata.name;
  return planRecordSets(facts.published, formatTime).map(({ name, spec, status }) => {
    const object: DNSRecordSet = {
      apiVersion: isthmusApiVersion,
      kind: 'DNSRecordSet',
      metadata: toMeta(facts, name, 'DNSRecordSet', {
        'isthmus.dev/service': labelValue(service),
      }),
      spec: { ...spec, service },
      status,
    };
    return toProjected(isthmusGroup, 'dnsrecordsets', object);
  });
}

/** Outside addresses with the shard that they belong to. */
function toPoints(facts: ServiceFacts): readonly Point[] {
  return facts.shards.flatMap(({ cluster, topology, verdict }) =>
    verdict === undefined || verdict.state === 'dead'
      ? []
      : toIngress(verdict, facts.rules).map((ingress) => ({
          address: ingress.ip ?? ingress.hostname ?? '',
          type: addressType(ingress),
          isReady: verdict.state === 'healthy',
          zone: topology.zones.length === 1 ? topology.zones[0] : undefined,
          cluster,
        })),
  );
}

type AddressType = 'IPv4' | 'IPv6' | 'FQDN';

interface Point {
  readonly address: string;
  readonly type: AddressType;
  readonly isReady: boolean;
  readonly zone: string | undefined;
  readonly cluster: string;
}

function addressType({ ip }: { readonly ip?: string }): AddressType {
  if (ip === undefined) return 'FQDN';
  return ip.includes(':') ? 'IPv6' : 'IPv4';
}

function toEndpoints(facts: ServiceFacts): readonly Projected[] {
  const points = toPoints(facts).filter(({ type }) => type !== 'FQDN');
  const toAddress = ({ address }: Point): object => ({ ip: address });
  const ready = points.filter(({ isReady }) => isReady).map(toAddress);
  const notReady = points.filter(({ isReady }) => !isReady).map(toAddress);
  const subset = {
    ...(ready.length > 0 ? { addresses: ready } : {}),
    ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
    ports: ports(facts),
  };
  const object = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: toMeta(facts, facts.service.metadata.name, 'Endpoints', {}),
    ...(points.length > 0 ? { subsets: [subset] } : {}),
  };
  return [toProjected('', 'endpoints', object)];
}

function toEndpointSlices(facts: ServiceFacts): readonly Projected[] {
  const points = toPoints(facts);
  const slices: Projected[] = [];
  for (const type of ['IPv4', 'IPv6', 'FQDN'] as const) {
    const ofType = points.filter((point) => point.type === type);
    for (let from = 0; from < ofType.length; from += endpointsPerSlice) {
      const suffix = from === 0 ? '' : `-${from / endpointsPerSlice + 1}`;
      const name = `${facts.service.metadata.name}-${type.toLowerCase()}${suffix}`;
      const part = ofType.slice(from, from + endpointsPerSlice);
      slices.push(toSlice(facts, name, type, part));
    }
  }
  return slices;
}

function toSlice(
  facts: ServiceFacts,
  name: string,
  type: AddressType,
  points: readonly Point[],
): Projected {
  const object = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: toMeta(facts, name, 'EndpointSlice', {
      'kubernetes.io/service-name': facts.service.metadata.name,
      'endpointslice.kubernetes.io/managed-by': 'isthmus.dev',
    }),
    addressType: type,
    ports: ports(facts),
    endpoints: points.map(({ address, isReady, zone }) => ({
      addresses: [address],
      conditions: { ready: isReady, serving: isReady, terminating: false },
      ...(zone === undefined ? {} : { zone }),
    })),
  };
  return toProjected('discovery.k8s.io', 'endpointslices', object);
}

function ports(facts: ServiceFacts): readonly object[] {
  return (facts.service.spec.ports ?? []).map((port: ServicePort) => ({
    ...(port.name === undefined ? {} : { name: port.name }),
    port: port.port,
    protocol: port.protocol ?? 'TCP',
  }));
}

function toMeta(
  { service }: ServiceFacts,
  name: string,
  kind: string,
  labels: Readonly<Record<string, string>>,
): ObjectMeta {
  const { namespace = '', uid = '', creationTimestamp } = service.metadata;
  return {
    name,
    namespace,
    uid: toUid(`${uid}/${kind}/${name}`),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

/** A name-based UUID (RFC 9562 version 8): equal things keep one uid. */
function toUid(text: string): string {
  const hex = contentHash(Buffer.from(text));
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-');
}

/** A label value holds at most 63 characters; a Service's name may not be longer (RFC 1035). */
function labelValue(name: string): string {
  return name.slice(0, 63);
}

function toProjected(group: string, resource: string, object: KubeObject): Projected {
  const { namespace, name } = object.metadata;
  return { key: toLogKey({ group, resource, namespace, name }), object };
}
