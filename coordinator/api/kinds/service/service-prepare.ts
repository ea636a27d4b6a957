// What a write of a Service takes over from the Service before it, and what it loses with a change
// of type. Input: specs, or Services. Output: the next one. Pure.
//
//   V2. An update that leaves out an allocated value keeps it.
//   V3. A field goes with its type only when this very write did not change it as well: then the
//       user meant something, and validation says what is wrong.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import {
  jsonEquals,
  own,
  ownRecord,
  ownText,
  withMember,
} from '../../machinery/schema/json-value.ts';
import {
  clusterIpsOf,
  familiesOf,
  getsNodePorts,
  isExternallyAccessible,
  isOfNodePortType,
  needsClusterIp,
  needsHealthCheck,
  nodePortsOf,
  numberOf,
  portsOf,
  typeOf,
} from './service-spec.ts';

/** clusterIP alone is the form of old clients. */
export function pluralize(spec: JsonObject): JsonObject {
  const clusterIP = ownText(spec, 'clusterIP');
  if (clusterIP === '' || clusterIpsOf(spec).length > 0) return spec;
  return { ...spec, clusterIPs: [clusterIP] };
}

/** V2. */
export function keepAllocated(given: JsonObject, old: JsonObject): JsonObject {
  let spec = given;
  if (needsClusterIp(old) && needsClusterIp(spec)) spec = keepClusterIp(spec, old);
  if (getsNodePorts(old) && getsNodePorts(spec)) spec = keepNodePorts(spec, old);
  if (needsHealthCheck(old) && needsHealthCheck(spec)) {
    const port = numberOf(spec, 'healthCheckNodePort') || numberOf(old, 'healthCheckNodePort');
    if (port !== 0) spec = { ...spec, healthCheckNodePort: port };
  }
  return followClusterIp(spec, old);
}

function keepClusterIp(spec: JsonObject, old: JsonObject): JsonObject {
  const kept = ownText(spec, 'clusterIP') === '' ? take(spec, old, 'clusterIP') : spec;
  return clusterIpsOf(spec).length === 0 ? take(kept, old, 'clusterIPs') : kept;
}

function take(spec: JsonObject, old: JsonObject, field: string): JsonObject {
  return withMember(spec, field, own(old, field));
}

/** By the port's name, unless the number is in use by another port of this Service. */
function keepNodePorts(spec: JsonObject, old: JsonObject): JsonObject {
  if (portsOf(spec).length === 0) return spec;
  const before = new Map(
    portsOf(old).map((port) => [ownText(port, 'name'), numberOf(port, 'nodePort')]),
  );
  const asked = new Set(nodePortsOf(spec));
  const used = new Set(nodePortsOf(old).filter((port) => asked.has(port)));
  const ports = portsOf(spec).map((port) => {
    const nodePort = before.get(ownText(port, 'name')) ?? 0;
    if (numberOf(port, 'nodePort') !== 0 || nodePort === 0 || used.has(nodePort)) return port;
    return { ...port, nodePort };
  });
  return { ...spec, ports };
}

/** One of clusterIP and clusterIPs was changed by a client that knows only that one. */
function followClusterIp(spec: JsonObject, old: JsonObject): JsonObject {
  const [clusterIP, before] = [ownText(spec, 'clusterIP'), ownText(old, 'clusterIP')];
  if (clusterIP === before) {
    return clusterIpsOf(spec).length === 0 && clusterIpsOf(old).length > 0
      ? take(spec, old, 'clusterIPs')
      : spec;
  }
  if (!jsonEquals([...clusterIpsOf(spec)], [...clusterIpsOf(old)])) return spec;
  if (before !== '' && clusterIP === '') return withMember(spec, 'clusterIPs', undefined);
  return { ...spec, clusterIPs: [clusterIP] };
}

/** V3. Of two Services; the status loses its ingress at once. */
export function dropByType(next: JsonObject, old: JsonObject): JsonObject {
  const before = ownRecord(old, 'spec');
  let spec = dropAddresses(ownRecord(next, 'spec'), before);
  if (isOfNodePortType(before) && !isOfNodePortType(spec)) spec = dropNodePorts(spec, before);
  if (needsHealthCheck(before) && !needsHealthCheck(spec)) {
    spec = dropUnchanged(spec, before, 'healthCheckNodePort');
  }
  if (typeOf(before) === 'LoadBalancer' && typeOf(spec) !== 'LoadBalancer') {
    spec = dropUnchanged(spec, before, 'allocateLoadBalancerNodePorts');
    spec = dropUnchanged(spec, before, 'loadBalancerClass');
  }
  if (isExternallyAccessible(before) && !isExternallyAccessible(spec)) {
    spec = dropUnchanged(spec, before, 'externalTrafficPolicy');
  }
  if (typeOf(spec) === 'LoadBalancer') return { ...next, spec };
  return { ...next, spec, status: { ...ownRecord(next, 'status'), loadBalancer: {} } };
}

function dropAddresses(given: JsonObject, before: JsonObject): JsonObject {
  if (!needsClusterIp(before) || needsClusterIp(given)) return given;
  let spec = given;
  const isSame =
    ownText(spec, 'clusterIP') === ownText(before, 'clusterIP') &&
    jsonEquals([...clusterIpsOf(spec)], [...clusterIpsOf(before)]);
  if (isSame) spec = withMember(withMember(spec, 'clusterIP', undefined), 'clusterIPs', undefined);
  if (jsonEquals([...familiesOf(spec)], [...familiesOf(before)])) {
    spec = withMember(spec, 'ipFamilies', undefined);
  }
  return dropUnchanged(spec, before, 'ipFamilyPolicy');
}

function dropUnchanged(spec: JsonObject, before: JsonObject, field: string): JsonObject {
  if (!jsonEquals(own(spec, field), own(before, field))) return spec;
  return withMember(spec, field, undefined);
}

/** A new number among them says that the user wants node ports. */
function dropNodePorts(spec: JsonObject, before: JsonObject): JsonObject {
  const had = new Set(nodePortsOf(before));
  if (portsOf(spec).length === 0 || nodePortsOf(spec).some((port) => !had.has(port))) return spec;
  return { ...spec, ports: portsOf(spec).map((port) => withMember(port, 'nodePort', undefined)) };
}

/** Kubernetes hides it on reads: it was filled in by mistake once. */
export function hideInternalPolicy(service: JsonObject): JsonObject {
  const spec = ownRecord(service, 'spec');
  const policy = ownText(spec, 'internalTrafficPolicy');
  if (typeOf(spec) !== 'ExternalName' || !['Cluster', 'Local'].includes(policy)) return service;
  return { ...service, spec: withMember(spec, 'internalTrafficPolicy', undefined) };
}
