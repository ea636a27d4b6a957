// Reading a Service's spec: the questions that defaulting, allocation and validation all ask.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { isRecord, own, ownList, ownText } from '../../machinery/schema/json-value.ts';

export function typeOf(spec: JsonObject): string {
  return ownText(spec, 'type');
}

export function clusterIpsOf(spec: JsonObject): readonly string[] {
  return ownList(spec, 'clusterIPs').map(String);
}

export function familiesOf(spec: JsonObject): readonly string[] {
  return ownList(spec, 'ipFamilies').map(String);
}

/** Undefined when nobody said. */
export function policyOf(spec: JsonObject): Json | undefined {
  return own(spec, 'ipFamilyPolicy');
}

export function portsOf(spec: JsonObject): readonly JsonObject[] {
  return ownList(spec, 'ports').filter(isRecord);
}

/** Zero when there is none. */
export function numberOf(object: JsonObject, field: string): number {
  const value = own(object, field);
  return typeof value === 'number' ? value : 0;
}

export function nodePortsOf(spec: JsonObject): readonly number[] {
  return portsOf(spec)
    .map((port) => numberOf(port, 'nodePort'))
    .filter((port) => port !== 0);
}

/** As validation sees it: by the list, which a headless Service has one entry of. */
export function isHeadless(spec: JsonObject): boolean {
  const ips = clusterIpsOf(spec);
  return ips.length === 1 && ips[0] === 'None';
}

export function isExternallyAccessible(spec: JsonObject): boolean {
  const type = typeOf(spec);
  if (type === 'LoadBalancer' || type === 'NodePort') return true;
  return type === 'ClusterIP' && ownList(spec, 'externalIPs').length > 0;
}

export function needsClusterIp(spec: JsonObject): boolean {
  return typeOf(spec) !== 'ExternalName';
}

export function isOfNodePortType(spec: JsonObject): boolean {
  return typeOf(spec) === 'NodePort' || typeOf(spec) === 'LoadBalancer';
}

/** True unless a LoadBalancer says that it needs none. */
export function getsNodePorts(spec: JsonObject): boolean {
  if (typeOf(spec) === 'NodePort') return true;
  return typeOf(spec) === 'LoadBalancer' && own(spec, 'allocateLoadBalancerNodePorts') !== false;
}

/** A load balancer that asks each node whether it has local endpoints. */
export function needsHealthCheck(spec: JsonObject): boolean {
  return typeOf(spec) === 'LoadBalancer' && ownText(spec, 'externalTrafficPolicy') === 'Local';
}
