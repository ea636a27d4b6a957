// Defaults of a Service, and what an update takes over from the Service that it replaces.
//
// Input: a Service (and the old one). Output: the Service with what nobody said filled in.
//
//   V1. Defaulting twice is defaulting once.
//   V2. An update that leaves out an allocated value keeps it.

import type { Json, JsonObject } from '../../../common/model/kube-object.ts';
import {
  isRecord,
  jsonEquals,
  own,
  ownList,
  ownRecord,
  ownText,
  withMember,
} from '../machinery/schema/json-value.ts';

const affinityTimeoutSeconds = 10800;

export function setServiceDefaults(service: JsonObject): JsonObject {
  const spec = defaultSpec(ownRecord(service, 'spec'));
  return { ...service, spec, status: defaultStatus(ownRecord(service, 'status'), spec) };
}

function defaultSpec(given: JsonObject): JsonObject {
  const type = ownText(given, 'type') || 'ClusterIP';
  let spec: JsonObject = { ...given, type };
  const ports = ownList(given, 'ports').map(defaultPort);
  if (ports.length > 0) spec = { ...spec, ports };
  spec = defaultAffinity(spec);
  if (isExternallyAccessible(spec) && ownText(spec, 'externalTrafficPolicy') === '') {
    spec = { ...spec, externalTrafficPolicy: 'Cluster' };
  }
  if (type !== 'ExternalName' && own(spec, 'internalTrafficPolicy') === undefined) {
    spec = { ...spec, internalTrafficPolicy: 'Cluster' };
  }
  if (type === 'LoadBalancer' && own(spec, 'allocateLoadBalancerNodePorts') === undefined) {
    spec = { ...spec, allocateLoadBalancerNodePorts: true };
  }
  return spec;
}

function defaultPort(port: Json): Json {
  if (!isRecord(port)) return port;
  const targetPort = own(port, 'targetPort');
  const isUnset = targetPort === undefined || targetPort === 0 || targetPort === '';
  return {
    ...port,
    protocol: ownText(port, 'protocol') || 'TCP',
    targetPort: isUnset ? (own(port, 'port') ?? 0) : targetPort,
  };
}

function defaultAffinity(spec: JsonObject): JsonObject {
  const sessionAffinity = ownText(spec, 'sessionAffinity') || 'None';
  if (sessionAffinity === 'None') {
    return { ...withMember(spec, 'sessionAffinityConfig', undefined), sessionAffinity };
  }
  const config = ownRecord(spec, 'sessionAffinityConfig');
  const clientIP = ownRecord(config, 'clientIP');
  if (sessionAffinity !== 'ClientIP' || own(clientIP, 'timeoutSeconds') !== undefined) {
    return { ...spec, sessionAffinity };
  }
  const timed = { ...clientIP, timeoutSeconds: affinityTimeoutSeconds };
  return { ...spec, sessionAffinity, sessionAffinityConfig: { ...config, clientIP: timed } };
}

export function isExternallyAccessible(spec: JsonObject): boolean {
  const type = ownText(spec, 'type');
  if (type === 'LoadBalancer' || type === 'NodePort') return true;
  return type === 'ClusterIP' && ownList(spec, 'externalIPs').length > 0;
}

function defaultStatus(status: JsonObject, spec: JsonObject): JsonObject {
  const loadBalancer = ownRecord(status, 'loadBalancer');
  const ingress = ownList(loadBalancer, 'ingress');
  if (ownText(spec, 'type') !== 'LoadBalancer' || ingress.length === 0) {
    return { ...status, loadBalancer };
  }
  const filled = ingress.map((entry) =>
    isRecord(entry) && ownText(entry, 'ip') !== '' && own(entry, 'ipMode') === undefined
      ? { ...entry, ipMode: 'VIP' }
      : entry,
  );
  return { ...status, loadBalancer: { ...loadBalancer, ingress: filled } };
}

/** Types without a virtual address of their own. */
export function isHeadless(spec: JsonObject): boolean {
  return ownText(spec, 'clusterIP') === 'None' || ownList(spec, 'clusterIPs')[0] === 'None';
}

/** What a create fills in after defaulting: the plural of clusterIP, families, no status. */
export function prepareServiceForCreate(service: JsonObject): JsonObject {
  const spec = setFamilies(pluralize(ownRecord(service, 'spec')));
  return { ...service, spec, status: { loadBalancer: {} } };
}

function pluralize(spec: JsonObject): JsonObject {
  const clusterIP = ownText(spec, 'clusterIP');
  if (clusterIP === '' || ownList(spec, 'clusterIPs').length > 0) return spec;
  return { ...spec, clusterIPs: [clusterIP] };
}

function setFamilies(spec: JsonObject): JsonObject {
  if (ownText(spec, 'type') === 'ExternalName') return spec;
  const isOpen = isHeadless(spec) && Object.keys(ownRecord(spec, 'selector')).length === 0;
  const given = ownText(spec, 'ipFamilyPolicy');
  const policy = given !== '' ? given : isOpen ? 'RequireDualStack' : 'SingleStack';
  const families = ownList(spec, 'ipFamilies');
  const both = isOpen && given === '';
  const chosen = families.length > 0 ? families : both ? ['IPv4', 'IPv6'] : familiesOf(spec);
  return { ...spec, ipFamilyPolicy: policy, ipFamilies: chosen };
}

function familiesOf(spec: JsonObject): readonly Json[] {
  const addresses = ownList(spec, 'clusterIPs').filter((ip) => ip !== 'None');
  if (addresses.length === 0) return ['IPv4'];
  return addresses.map((ip) => (String(ip).includes(':') ? 'IPv6' : 'IPv4'));
}

const addressFields = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const;

/** What an update inherits and loses; runs after defaulting, before validation. */
export function prepareServiceForUpdate(next: JsonObject, old: JsonObject): JsonObject {
  const oldSpec = ownRecord(old, 'spec');
  let spec = followClusterIp(ownRecord(next, 'spec'), oldSpec);
  spec = inheritAddresses(spec, oldSpec);
  spec = inheritNodePorts(spec, oldSpec);
  spec = dropByType(spec, oldSpec);
  if (ownText(oldSpec, 'type') === 'ExternalName') spec = setFamilies(pluralize(spec));
  return { ...next, spec };
}

/** clusterIP changed, clusterIPs not: the plural follows. */
function followClusterIp(spec: JsonObject, old: JsonObject): JsonObject {
  const clusterIP = ownText(spec, 'clusterIP');
  const clusterIPs = ownList(spec, 'clusterIPs');
  if (clusterIP === '' || clusterIP === ownText(old, 'clusterIP')) return spec;
  if (clusterIPs.length === 0) return { ...spec, clusterIPs: [clusterIP] };
  return jsonEquals(clusterIPs, own(old, 'clusterIPs'))
    ? { ...spec, clusterIPs: [clusterIP] }
    : spec;
}

function inheritAddresses(spec: JsonObject, old: JsonObject): JsonObject {
  if (ownText(spec, 'type') === 'ExternalName' || ownText(old, 'type') === 'ExternalName') {
    return spec;
  }
  let result = spec;
  if (ownText(spec, 'clusterIP') === '' && ownList(spec, 'clusterIPs').length === 0) {
    result = take(result, old, ['clusterIP', 'clusterIPs']);
  } else if (ownText(spec, 'clusterIP') !== '' && ownList(spec, 'clusterIPs').length === 0) {
    result = take(result, old, ['clusterIPs']);
  }
  if (own(result, 'ipFamilyPolicy') === undefined) result = take(result, old, ['ipFamilyPolicy']);
  if (ownList(result, 'ipFamilies').length === 0) result = take(result, old, ['ipFamilies']);
  return result;
}

function take(spec: JsonObject, old: JsonObject, fields: readonly string[]): JsonObject {
  return fields.reduce((result, field) => withMember(result, field, own(old, field)), spec);
}

/** By port name, unless another port already asks for the number. */
function inheritNodePorts(spec: JsonObject, old: JsonObject): JsonObject {
  if (!usesNodePorts(spec)) return spec;
  const before = new Map(
    ownList(old, 'ports')
      .filter(isRecord)
      .map((port) => [ownText(port, 'name'), own(port, 'nodePort')]),
  );
  const ports = ownList(spec, 'ports');
  const used = new Set(ports.filter(isRecord).map((port) => own(port, 'nodePort')));
  const filled = ports.map((port) => {
    if (!isRecord(port) || own(port, 'nodePort') !== undefined) return port;
    const nodePort = before.get(ownText(port, 'name'));
    if (nodePort === undefined || used.has(nodePort)) return port;
    used.add(nodePort);
    return { ...port, nodePort };
  });
  return filled.length === 0 ? spec : { ...spec, ports: filled };
}

function usesNodePorts(spec: JsonObject): boolean {
  const type = ownText(spec, 'type');
  return (
    type === 'NodePort' ||
    (type === 'LoadBalancer' && own(spec, 'allocateLoadBalancerNodePorts') !== false)
  );
}

/** Fields that no longer apply after a change of type, unless this very write changed them. */
function dropByType(spec: JsonObject, old: JsonObject): JsonObject {
  const type = ownText(spec, 'type');
  const before = ownText(old, 'type');
  if (type === before) return spec;
  let result = spec;
  const drop = (field: string): void => {
    if (jsonEquals(own(result, field), own(old, field))) {
      result = withMember(result, field, undefined);
    }
  };
  if (type === 'ExternalName') addressFields.forEach(drop);
  if (!usesNodePorts(spec) && usesNodePorts(old)) result = dropNodePorts(result, old);
  if (!isExternallyAccessible(spec)) drop('externalTrafficPolicy');
  if (type !== 'LoadBalancer') {
    drop('healthCheckNodePort');
    drop('allocateLoadBalancerNodePorts');
    drop('loadBalancerClass');
  }
  return result;
}

function dropNodePorts(spec: JsonObject, old: JsonObject): JsonObject {
  const before = new Set(
    ownList(old, 'ports')
      .filter(isRecord)
      .map((port) => own(port, 'nodePort')),
  );
  const ports = ownList(spec, 'ports').filter(isRecord);
  const added = ports.some(
    (port) => own(port, 'nodePort') !== undefined && !before.has(own(port, 'nodePort')),
  );
  if (added || ports.length === 0) return spec;
  return { ...spec, ports: ports.map((port) => withMember(port, 'nodePort', undefined)) };
}

/** After the write of the main resource: a Service that is no LoadBalancer has no ingress. */
export function clearLoadBalancer(next: JsonObject, old: JsonObject): JsonObject {
  const was = ownText(ownRecord(old, 'spec'), 'type') === 'LoadBalancer';
  const isNow = ownText(ownRecord(next, 'spec'), 'type') === 'LoadBalancer';
  if (!was || isNow) return next;
  return { ...next, status: { ...ownRecord(next, 'status'), loadBalancer: {} } };
}
