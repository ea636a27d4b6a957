// What a Service may say. Input: a defaulted Service. Output: field errors, in the order and the
// words of Kubernetes.

import ipaddr from 'ipaddr.js';
import type { JsonObject } from '../../../common/model/kube-object.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../machinery/rules/field-errors.ts';
import {
  isRecord,
  jsonEquals,
  own,
  ownList,
  ownRecord,
  ownText,
} from '../machinery/schema/json-value.ts';
import type { FieldError } from '../machinery/kind.ts';
import {
  checkLabel1035,
  checkQualifiedName,
  checkSubdomain1123,
} from '../machinery/rules/name-rules.ts';
import { validateLabels } from '../machinery/rules/object-rules.ts';
import { isExternallyAccessible, isHeadless } from './service-defaults.ts';
import { validatePorts } from './service-port-rules.ts';

export function validateService(service: JsonObject): readonly FieldError[] {
  const spec = ownRecord(service, 'spec');
  const name = ownText(ownRecord(service, 'metadata'), 'name');
  const wrongName = name === '' ? undefined : checkLabel1035(name);
  return [
    ...(wrongName === undefined ? [] : [invalidValue('metadata.name', name, wrongName)]),
    ...validateByType(spec),
    ...validatePorts(spec, isHeadless(spec)),
    ...validateLabels(textsOf(ownRecord(spec, 'selector')), 'spec.selector'),
    ...validateAffinity(spec),
    ...validateClusterIps(spec),
    ...validateExternalIps(spec),
    ...oneOf(spec, 'type', ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']),
    ...validateLoadBalancer(spec),
    ...validatePolicies(spec),
    ...validateIngress(service),
  ];
}

function textsOf(map: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)]));
}

function validateByType(spec: JsonObject): readonly FieldError[] {
  const type = ownText(spec, 'type');
  switch (type) {
    case 'LoadBalancer':
    case 'NodePort': {
      if (!isHeadless(spec)) return [];
      const detail = `may not be set to 'None' for ${type} services`;
      return [invalidValue('spec.clusterIPs[0]', 'None', detail)];
    }
    case 'ExternalName':
      return validateExternalName(spec);
    default:
      return [];
  }
}

function validateExternalName(spec: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const detail = 'may not be set for ExternalName services';
  if (ownList(spec, 'clusterIPs').length > 0)
    errors.push(forbiddenField('spec.clusterIPs', detail));
  if (ownList(spec, 'ipFamilies').length > 0)
    errors.push(forbiddenField('spec.ipFamilies', detail));
  if (own(spec, 'ipFamilyPolicy') !== undefined) {
    errors.push(forbiddenField('spec.ipFamilyPolicy', detail));
  }
  const name = ownText(spec, 'externalName');
  if (name === '') return [...errors, required('spec.externalName')];
  const wrong = checkSubdomain1123(name.replace(/\.$/, ''));
  if (wrong !== undefined) errors.push(invalidValue('spec.externalName', name, wrong));
  return errors;
}

const affinitySecondsMax = 86400;

function validateAffinity(spec: JsonObject): readonly FieldError[] {
  const errors = [...oneOf(spec, 'sessionAffinity', ['ClientIP', 'None'])];
  const clientIP = ownRecord(ownRecord(spec, 'sessionAffinityConfig'), 'clientIP');
  const seconds = own(clientIP, 'timeoutSeconds');
  if (typeof seconds === 'number' && (seconds <= 0 || seconds > affinitySecondsMax)) {
    const detail = `must be greater than 0 and less than ${affinitySecondsMax}`;
    const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
    errors.push(invalidValue(field, seconds, detail));
  }
  return errors;
}

function validateClusterIps(spec: JsonObject): readonly FieldError[] {
  if (ownText(spec, 'type') === 'ExternalName') return [];
  const field = 'spec.clusterIPs';
  const errors: FieldError[] = [];
  const clusterIP = ownText(spec, 'clusterIP');
  const ips = ownList(spec, 'clusterIPs').map(String);
  if (clusterIP !== '' && ips.length === 0) errors.push(required(field));
  if (clusterIP === '' && ips.length > 0) {
    errors.push(invalidValue(field, ips, 'must be empty when `clusterIP` is not specified'));
  } else if (ips.length > 0 && ips[0] !== clusterIP) {
    errors.push(invalidValue(field, ips, 'first value must match `clusterIP`'));
  }
  errors.push(...validateFamilies(spec));
  if (ips.includes('None')) {
    if (ips.length === 1) return errors;
    return [...errors, invalidValue(field, ips, "'None' must be the first and only value")];
  }
  for (const [index, ip] of ips.entries()) {
    const wrong = checkIp(ip);
    if (wrong !== undefined) errors.push(invalidValue(`${field}[${index}]`, ip, wrong));
  }
  if (ips.length > 2) errors.push(invalidValue(field, ips, 'may only hold up to 2 values'));
  if (ips.length === 2 && familyOf(ips[0]) === familyOf(ips[1])) {
    errors.push(invalidValue(field, ips, 'may specify no more than one IP for each IP family'));
  }
  return errors;
}

function familyOf(ip: string | undefined): string {
  return (ip ?? '').includes(':') ? 'IPv6' : 'IPv4';
}

function validateFamilies(spec: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, family] of ownList(spec, 'ipFamilies').map(String).entries()) {
    const field = `spec.ipFamilies[${index}]`;
    if (family !== 'IPv4' && family !== 'IPv6') {
      errors.push(notSupported(field, family, ['IPv4', 'IPv6']));
    } else if (seen.has(family)) errors.push(duplicate(field, family));
    seen.add(family);
  }
  if (own(spec, 'ipFamilyPolicy') === undefined) return errors;
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  return [...errors, ...oneOf(spec, 'ipFamilyPolicy', policies)];
}

const notAnIp = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

function checkIp(ip: string): string | undefined {
  const parts = ip.split('.');
  const isDotted = parts.length === 4 && parts.every((part) => /^\d{1,4}$/.test(part));
  if (isDotted && parts.some((part) => part.length > 1 && part.startsWith('0'))) {
    return 'must not have leading 0s';
  }
  if (isDotted) return parts.every((part) => Number(part) <= 255) ? undefined : notAnIp;
  return ipaddr.IPv6.isValid(ip) && !ip.includes('%') ? undefined : notAnIp;
}

const forbiddenRanges: Readonly<Record<string, string>> = {
  unspecified: 'may not be unspecified (0.0.0.0)',
  loopback: 'may not be in the loopback range (127.0.0.0/8, ::1/128)',
  linkLocal: 'may not be in the link-local range (169.254.0.0/16, fe80::/10)',
};

function validateExternalIps(spec: JsonObject): readonly FieldError[] {
  return ownList(spec, 'externalIPs').flatMap((value, index) => {
    const ip = String(value);
    const field = `spec.externalIPs[${index}]`;
    const wrong = checkIp(ip) ?? forbiddenRanges[ipaddr.parse(ip).range()];
    return wrong === undefined ? [] : [invalidValue(field, ip, wrong)];
  });
}

function validateLoadBalancer(spec: JsonObject): readonly FieldError[] {
  const isLoadBalancer = ownText(spec, 'type') === 'LoadBalancer';
  const errors: FieldError[] = [];
  const ranges = ownList(spec, 'loadBalancerSourceRanges').map(String);
  // The capital letter is Kubernetes' own.
  const rangesField = 'spec.LoadBalancerSourceRanges';
  if (ranges.length > 0 && !isLoadBalancer) {
    errors.push(forbiddenField(rangesField, "may only be used when `type` is 'LoadBalancer'"));
  }
  for (const [index, range] of ranges.entries()) {
    if (!isCidr(range.trim())) {
      const detail = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
      errors.push(invalidValue(`${rangesField}[${index}]`, range, detail));
    }
  }
  for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass']) {
    if (own(spec, field) !== undefined && !isLoadBalancer) {
      const detail = "may only be used when `type` is 'LoadBalancer'";
      errors.push(forbiddenField(`spec.${field}`, detail));
    }
  }
  const name = own(spec, 'loadBalancerClass');
  const wrong = typeof name === 'string' ? checkQualifiedName(name) : undefined;
  if (wrong !== undefined) errors.push(invalidValue('spec.loadBalancerClass', name, wrong));
  return errors;
}

function isCidr(text: string): boolean {
  const [address = '', bits = ''] = text.split('/');
  if (!/^\d{1,3}$/.test(bits) || checkIp(address) !== undefined) return false;
  return Number(bits) <= (address.includes(':') ? 128 : 32);
}

function validatePolicies(spec: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const external = ownText(spec, 'externalTrafficPolicy');
  if (external !== '' && !isExternallyAccessible(spec)) {
    const detail = 'may only be set for externally-accessible services';
    errors.push(invalidValue('spec.externalTrafficPolicy', external, detail));
  } else if (external !== '') {
    errors.push(...oneOf(spec, 'externalTrafficPolicy', ['Cluster', 'Local']));
  }
  const healthPort = own(spec, 'healthCheckNodePort');
  const isLocalBalancer = ownText(spec, 'type') === 'LoadBalancer' && external === 'Local';
  if (healthPort !== undefined && !isLocalBalancer) {
    const detail =
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalidValue('spec.healthCheckNodePort', healthPort, detail));
  }
  if (own(spec, 'internalTrafficPolicy') !== undefined) {
    errors.push(...oneOf(spec, 'internalTrafficPolicy', ['Cluster', 'Local']));
  }
  if (own(spec, 'trafficDistribution') !== undefined) {
    const known = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
    errors.push(...oneOf(spec, 'trafficDistribution', known));
  }
  return errors;
}

function validateIngress(service: JsonObject): readonly FieldError[] {
  const status = ownRecord(service, 'status');
  const field = 'status.loadBalancer.ingress';
  const ingress = ownList(ownRecord(status, 'loadBalancer'), 'ingress').filter(isRecord);
  if (ingress.length === 0) return [];
  if (ownText(ownRecord(service, 'spec'), 'type') !== 'LoadBalancer') {
    return [forbiddenField(field, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  return ingress.flatMap((entry, index) => validateIngressEntry(entry, `${field}[${index}]`));
}

function validateIngressEntry(entry: JsonObject, field: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const ip = ownText(entry, 'ip');
  const mode = own(entry, 'ipMode');
  const wrongIp = ip === '' ? undefined : checkIp(ip);
  if (wrongIp !== undefined) errors.push(invalidValue(`${field}.ip`, ip, wrongIp));
  if (ip === '' && mode !== undefined) {
    errors.push(forbiddenField(`${field}.ipMode`, 'may not be specified when `ip` is not set'));
  } else if (mode !== undefined && mode !== 'VIP' && mode !== 'Proxy') {
    errors.push(notSupported(`${field}.ipMode`, mode, ['Proxy', 'VIP']));
  }
  const hostname = ownText(entry, 'hostname');
  if (hostname === '') return errors;
  if (checkIp(hostname) === undefined) {
    const detail = 'must be a DNS name, not an IP address';
    return [...errors, invalidValue(`${field}.hostname`, hostname, detail)];
  }
  const wrong = checkSubdomain1123(hostname);
  return wrong === undefined
    ? errors
    : [...errors, invalidValue(`${field}.hostname`, hostname, wrong)];
}

function oneOf(spec: JsonObject, field: string, values: readonly string[]): readonly FieldError[] {
  const value = ownText(spec, field);
  return values.includes(value) ? [] : [notSupported(`spec.${field}`, value, values)];
}

/** What may not change from one write to the next. */
export function validateServiceUpdate(next: JsonObject, old: JsonObject): readonly FieldError[] {
  const spec = ownRecord(next, 'spec');
  const before = ownRecord(old, 'spec');
  const errors: FieldError[] = [];
  const hadIp =
    ownText(before, 'type') !== 'ExternalName' && ownText(spec, 'type') !== 'ExternalName';
  const oldIp = ownList(before, 'clusterIPs')[0];
  if (hadIp && oldIp !== undefined) {
    const newIps = ownList(spec, 'clusterIPs');
    if (newIps.length === 0) {
      const detail = 'primary clusterIP can not be unset';
      errors.push(invalidValue('spec.clusterIPs[0]', newIps, detail));
    } else if (newIps[0] !== oldIp) {
      errors.push(invalidValue('spec.clusterIPs[0]', newIps, 'may not change once set'));
    }
  }
  const isBalancer = [spec, before].every((each) => ownText(each, 'type') === 'LoadBalancer');
  const field = 'loadBalancerClass';
  if (isBalancer && !jsonEquals(own(spec, field), own(before, field))) {
    errors.push(invalidValue(`spec.${field}`, own(spec, field), 'may not change once set'));
  }
  return errors;
}
