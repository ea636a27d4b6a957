// What the API server of a simulated cluster gives a Service before it stores it: a cluster IP
// and node ports. Pure: from what is taken to the Service as it is stored.
//
//   A3. What a Service has, it keeps, also when a client sends it without (patchAllocatedValues
//       of Kubernetes' service REST storage).

import type { Service, ServicePort } from '../../common/model/kube-object.ts';

export interface Taken {
  isTaken(address: string): boolean;
  isPortTaken(port: number): boolean;
}

export interface AllocationRange {
  /** First three octets. */
  readonly prefix: string;
  /** Where the search starts, so that two writes in flight do not choose the same. */
  readonly turn: number;
}

const hostsMax = 250;
const nodePortMin = 30_000; // Kubernetes' default range is 30000 to 32767
const nodePortCount = 2_768;

export function planAllocation(
  service: Service,
  old: Service | undefined,
  range: AllocationRange,
  taken: Taken,
): Service {
  return withNodePorts(withClusterIp(service, old, range, taken), old, range, taken);
}

function withClusterIp(
  service: Service,
  old: Service | undefined,
  range: AllocationRange,
  taken: Taken,
): Service {
  if (service.spec.type === 'ExternalName') return service;
  const wanted = service.spec.clusterIP ?? '';
  const kept = wanted === '' ? (old?.spec.clusterIP ?? '') : wanted;
  const clusterIP = kept === '' ? firstFree(range, taken) : kept;
  if (clusterIP === undefined) return service;
  if (clusterIP === service.spec.clusterIP && service.spec.clusterIPs !== undefined) return service;
  return { ...service, spec: { ...service.spec, clusterIP, clusterIPs: [clusterIP] } };
}

function firstFree(range: AllocationRange, taken: Taken): string | undefined {
  for (let step = 0; step < hostsMax; step += 1) {
    const address = `${range.prefix}.${((range.turn + step) % hostsMax) + 1}`;
    if (!taken.isTaken(address)) return address;
  }
  return undefined;
}

function withNodePorts(
  service: Service,
  old: Service | undefined,
  range: AllocationRange,
  taken: Taken,
): Service {
  const { type, ports } = service.spec;
  if (ports === undefined || (type !== 'LoadBalancer' && type !== 'NodePort')) return service;
  const chosen = new Set<number>();
  const withOne = (port: ServicePort): ServicePort => {
    const asked = port.nodePort ?? 0;
    const nodePort =
      asked !== 0 ? asked : (oldNodePort(old, port) ?? firstFreePort(range, taken, chosen));
    if (nodePort === undefined) return port;
    chosen.add(nodePort);
    return nodePort === port.nodePort ? port : { ...port, nodePort };
  };
  const next = ports.map(withOne);
  const isSame = next.every((port, index) => port === ports[index]);
  return isSame ? service : { ...service, spec: { ...service.spec, ports: next } };
}

function oldNodePort(old: Service | undefined, port: ServicePort): number | undefined {
  const same = old?.spec.ports?.find(
    (known) => known.port === port.port && (known.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
  );
  return same?.nodePort;
}

function firstFreePort(
  range: AllocationRange,
  taken: Taken,
  chosen: ReadonlySet<number>,
): number | undefined {
  for (let step = 0; step < nodePortCount; step += 1) {
    const port = nodePortMin + ((range.turn * 7 + step) % nodePortCount);
    if (!taken.isPortTaken(port) && !chosen.has(port)) return port;
  }
  return undefined;
}
