// What a Service may say. Input: a defaulted Service, and the one before it on updates. Output:
// field errors, in the order and the words of Kubernetes (ValidateService of 1.34).
//
//   V4. An address or range that was stored before is not judged again: rules were tightened.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldError } from '../../machinery/kind.ts';
import {
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/rules/field-errors.ts';
import { validateCidr, validateIp, validateReachableIp } from '../../machinery/rules/ip-rules.ts';
import { listQualifiedNameFaults, listSubdomainFaults } from '../../machinery/rules/name-rules.ts';
import { validateLabels } from '../../machinery/rules/object-rules.ts';
import { jsonEquals, own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import {
  validateClusterIpChange,
  validateClusterIps,
  validateFamilyChange,
} from './service-address-rules.ts';
import { validatePorts, validatePortSets } from './service-port-rules.ts';
import {
  clusterIpsOf,
  familiesOf,
  isExternallyAccessible,
  isHeadless,
  needsHealthCheck,
  numberOf,
  policyOf,
  portsOf,
  typeOf,
} from './service-spec.ts';

export interface ServiceRules {
  /** Whether load balancers are given a port for the health check, which then must be there. */
  readonly givesHealthCheckPorts: boolean;
}

export function validateService(
  service: JsonObject,
  old: JsonObject | undefined,
  rules: ServiceRules,
): readonly FieldError[] {
  const spec = ownRecord(service, 'spec');
  const before = old === undefined ? undefined : ownRecord(old, 'spec');
  return [
    ...validateTopologyMode(service),
    ...validateByType(spec),
    ...validatePorts(spec),
    ...validateLabels(textsOf(ownRecord(spec, 'selector')), 'spec.selector'),
    ...validateAffinity(spec),
    ...validateClusterIps(spec, before),
    ...validateExternalIps(spec, before),
    ...validateType(spec),
    ...validatePortSets(spec),
    ...validateSourceRanges(service, old),
    ...validateLoadBalancerFields(spec),
    ...validateExternalPolicy(spec, rules),
    ...validateInnerPolicies(spec),
  ];
}

/** What may not change from one write to the next, and then all of the above. */
export function validateServiceChange(
  next: JsonObject,
  old: JsonObject,
  rules: ServiceRules,
): readonly FieldError[] {
  const [spec, before] = [ownRecord(next, 'spec'), ownRecord(old, 'spec')];
  return [
    ...validateClusterIpChange(spec, before),
    ...validateFamilyChange(spec, before),
    ...validateClassChange(spec, before),
    ...validateHealthPortChange(spec, before),
    ...validateService(next, old, rules),
  ];
}

function textsOf(map: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)]));
}

const hintsAnnotation = 'service.kubernetes.io/topology-aware-hints';
const modeAnnotation = 'service.kubernetes.io/topology-mode';

function validateTopologyMode(service: JsonObject): readonly FieldError[] {
  const annotations = ownRecord(ownRecord(service, 'metadata'), 'annotations');
  const [mode, hints] = [own(annotations, modeAnnotation), own(annotations, hintsAnnotation)];
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const detail = `must match annotations[${hintsAnnotation}] when both are specified`;
  return [invalidValue(`metadata.annotations[${modeAnnotation}]`, mode, detail)];
}

function validateByType(spec: JsonObject): readonly FieldError[] {
  const type = typeOf(spec);
  const isEmpty = portsOf(spec).length === 0 && !isHeadless(spec) && type !== 'ExternalName';
  const errors: FieldError[] = isEmpty ? [required('spec.ports')] : [];
  if (type === 'ExternalName') return [...errors, ...validateExternalName(spec)];
  if (isHeadless(spec) && (type === 'LoadBalancer' || type === 'NodePort')) {
    const detail = `may not be set to 'None' for ${type} services`;
    errors.push(invalidValue('spec.clusterIPs[0]', 'None', detail));
  }
  return errors;
}

function validateExternalName(spec: JsonObject): readonly FieldError[] {
  const detail = 'may not be set for ExternalName services';
  const given: readonly (readonly [string, boolean])[] = [
    ['clusterIPs', clusterIpsOf(spec).length > 0],
    ['ipFamilies', familiesOf(spec).length > 0],
    ['ipFamilyPolicy', policyOf(spec) !== undefined],
  ];
  const errors = given.flatMap(([field, isSet]) =>
    isSet ? [forbiddenField(`spec.${field}`, detail)] : [],
  );
  const name = ownText(spec, 'externalName').replace(/\.$/, '');
  if (name === '') return [...errors, required('spec.externalName')];
  const faults = listSubdomainFaults(name);
  return [...errors, ...faults.map((fault) => invalidValue('spec.externalName', name, fault))];
}

const affinitySecondsMax = 86_400;

function validateAffinity(spec: JsonObject): readonly FieldError[] {
  const affinity = ownText(spec, 'sessionAffinity');
  const errors = [...oneOf(spec, 'sessionAffinity', ['ClientIP', 'None'])];
  if (affinity !== 'ClientIP') return errors;
  const clientIP = ownRecord(ownRecord(spec, 'sessionAffinityConfig'), 'clientIP');
  const seconds = numberOf(clientIP, 'timeoutSeconds');
  if (seconds <= 0 || seconds > affinitySecondsMax) {
    const detail = `must be greater than 0 and less than ${affinitySecondsMax}`;
    const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
    errors.push(invalidValue(field, seconds, detail));
  }
  return errors;
}

function validateExternalIps(
  spec: JsonObject,
  before: JsonObject | undefined,
): readonly FieldError[] {
  const known = before === undefined ? [] : ownList(before, 'externalIPs').map(String);
  return ownList(spec, 'externalIPs').flatMap((value, index) => {
    const [ip, field] = [String(value), `spec.externalIPs[${index}]`];
    const errors = validateIp(field, ip, known);
    return errors.length > 0 ? errors : validateReachableIp(field, ip);
  });
}

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

function validateType(spec: JsonObject): readonly FieldError[] {
  return oneOf(spec, 'type', types);
}

const balancersOnly = "may only be used when `type` is 'LoadBalancer'";
const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** The field, or the annotation that was there before it. */
function validateSourceRanges(
  service: JsonObject,
  old: JsonObject | undefined,
): readonly FieldError[] {
  const spec = ownRecord(service, 'spec');
  const field = 'spec.LoadBalancerSourceRanges'; // the capital letter is Kubernetes' own
  const ranges = ownList(spec, 'loadBalancerSourceRanges').map(String);
  if (ranges.length === 0) return validateRangesAnnotation(service, old);
  const before = ownList(ownRecord(old ?? {}, 'spec'), 'loadBalancerSourceRanges').map(String);
  const known = before.map((range) => range.trim());
  return [
    ...(typeOf(spec) === 'LoadBalancer' ? [] : [forbiddenField(field, balancersOnly)]),
    ...ranges.flatMap((range, index) => validateCidr(`${field}[${index}]`, range.trim(), known)),
  ];
}

function validateRangesAnnotation(
  service: JsonObject,
  old: JsonObject | undefined,
): readonly FieldError[] {
  const annotation = (object: JsonObject) =>
    own(ownRecord(ownRecord(object, 'metadata'), 'annotations'), rangesAnnotation);
  const value = annotation(service);
  if (value === undefined) return [];
  const field = `metadata.annotations[${rangesAnnotation}]`;
  const isBalancer = typeOf(ownRecord(service, 'spec')) === 'LoadBalancer';
  const errors = isBalancer ? [] : [forbiddenField(field, balancersOnly)];
  const text = String(value).trim();
  if (text === '' || (old !== undefined && annotation(old) === value)) return errors;
  return [...errors, ...text.split(',').flatMap((range) => validateCidr(field, range.trim()))];
}

function validateLoadBalancerFields(spec: JsonObject): readonly FieldError[] {
  const isBalancer = typeOf(spec) === 'LoadBalancer';
  const errors: FieldError[] = [];
  if (own(spec, 'allocateLoadBalancerNodePorts') !== undefined && !isBalancer) {
    errors.push(forbiddenField('spec.allocateLoadBalancerNodePorts', balancersOnly));
  }
  const name = own(spec, 'loadBalancerClass');
  if (name === undefined) return errors;
  const field = 'spec.loadBalancerClass';
  if (!isBalancer) return [...errors, forbiddenField(field, balancersOnly)];
  const faults = listQualifiedNameFaults(String(name));
  return [...errors, ...faults.map((fault) => invalidValue(field, name, fault))];
}

function validateClassChange(spec: JsonObject, before: JsonObject): readonly FieldError[] {
  const isBalancer = typeOf(spec) === 'LoadBalancer' && typeOf(before) === 'LoadBalancer';
  const name = own(spec, 'loadBalancerClass');
  const field = 'spec.loadBalancerClass';
  const errors: FieldError[] = [];
  if (isBalancer && !jsonEquals(name, own(before, 'loadBalancerClass'))) {
    errors.push(invalidValue(field, name, 'may not change once set'));
  }
  if (name === undefined) return errors;
  // Kubernetes checks the form here too, and so names a fault twice.
  return [
    ...errors,
    ...(typeOf(spec) === 'LoadBalancer'
      ? listQualifiedNameFaults(String(name)).map((fault) => invalidValue(field, name, fault))
      : [forbiddenField(field, balancersOnly)]),
  ];
}

const portRange = 'must be between 1 and 65535, inclusive';

function validateExternalPolicy(spec: JsonObject, rules: ServiceRules): readonly FieldError[] {
  const errors: FieldError[] = [];
  const policy = ownText(spec, 'externalTrafficPolicy');
  if (isExternallyAccessible(spec)) {
    errors.push(...oneOf(spec, 'externalTrafficPolicy', ['Cluster', 'Local']));
  } else if (policy !== '') {
    const detail = 'may only be set for externally-accessible services';
    errors.push(invalidValue('spec.externalTrafficPolicy', policy, detail));
  }
  const field = 'spec.healthCheckNodePort';
  const port = numberOf(spec, 'healthCheckNodePort');
  if (!needsHealthCheck(spec)) {
    if (port === 0) return errors;
    const detail =
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    return [...errors, invalidValue(field, port, detail)];
  }
  if (port === 0) return rules.givesHealthCheckPorts ? [...errors, required(field)] : errors;
  return port < 1 || port > 65_535 ? [...errors, invalidValue(field, port, portRange)] : errors;
}

function validateHealthPortChange(spec: JsonObject, before: JsonObject): readonly FieldError[] {
  if (!needsHealthCheck(spec) || !needsHealthCheck(before)) return [];
  const field = 'healthCheckNodePort';
  if (numberOf(spec, field) === numberOf(before, field)) return [];
  return [forbiddenField(`spec.${field}`, 'field is immutable')];
}

function validateInnerPolicies(spec: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (own(spec, 'internalTrafficPolicy') !== undefined) {
    errors.push(...oneOf(spec, 'internalTrafficPolicy', ['Cluster', 'Local']));
  }
  if (own(spec, 'trafficDistribution') !== undefined) {
    const known = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
    errors.push(...oneOf(spec, 'trafficDistribution', known));
  }
  return errors;
}

function oneOf(spec: JsonObject, field: string, values: readonly string[]): readonly FieldError[] {
  const value = ownText(spec, field);
  return values.includes(value) ? [] : [notSupported(`spec.${field}`, value, values)];
}
