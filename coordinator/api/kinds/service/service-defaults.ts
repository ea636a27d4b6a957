// Defaults of a Service, in Kubernetes' order (SetDefaults_Service). They run on every decoded or
// patched object; what needs the Service before or a pool comes later (service-allocation.ts).
//
//   V1. Defaulting twice is defaulting once.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import {
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
  withMember,
} from '../../machinery/schema/json-value.ts';
import { isExternallyAccessible, typeOf } from './service-spec.ts';

const affinityTimeoutSeconds = 10_800;
const typesWithAddress: ReadonlySet<string> = new Set(['ClusterIP', 'NodePort', 'LoadBalancer']);

export function setServiceDefaults(service: JsonObject): JsonObject {
  const spec = defaultSpec(ownRecord(service, 'spec'));
  return { ...service, spec, status: defaultStatus(ownRecord(service, 'status'), spec) };
}

function defaultSpec(given: JsonObject): JsonObject {
  const type = typeOf(given) || 'ClusterIP';
  let spec: JsonObject = { ...defaultAffinity(given), type };
  const ports = ownList(given, 'ports').map(defaultPort);
  if (ports.length > 0) spec = { ...spec, ports };
  if (isExternallyAccessible(spec) && ownText(spec, 'externalTrafficPolicy') === '') {
    spec = { ...spec, externalTrafficPolicy: 'Cluster' };
  }
  if (typesWithAddress.has(type) && own(spec, 'internalTrafficPolicy') === undefined) {
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
  const clientIP = ownRecord(ownRecord(spec, 'sessionAffinityConfig'), 'clientIP');
  if (sessionAffinity !== 'ClientIP' || own(clientIP, 'timeoutSeconds') !== undefined) {
    return { ...spec, sessionAffinity };
  }
  const sessionAffinityConfig = { clientIP: { timeoutSeconds: affinityTimeoutSeconds } };
  return { ...spec, sessionAffinity, sessionAffinityConfig };
}

function defaultStatus(status: JsonObject, spec: JsonObject): JsonObject {
  const loadBalancer = ownRecord(status, 'loadBalancer');
  const ingress = ownList(loadBalancer, 'ingress');
  if (typeOf(spec) !== 'LoadBalancer' || ingress.length === 0) return { ...status, loadBalancer };
  const filled = ingress.map((entry) =>
    isRecord(entry) && ownText(entry, 'ip') !== '' && own(entry, 'ipMode') === undefined
      ? { ...entry, ipMode: 'VIP' }
      : entry,
  );
  return { ...status, loadBalancer: { ...loadBalancer, ingress: filled } };
}
