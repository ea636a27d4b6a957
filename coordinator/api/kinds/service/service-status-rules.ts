// What a Service's status may say of its load balancer (ValidateLoadBalancerStatus of 1.34).

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldError } from '../../machinery/kind.ts';
import {
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/rules/field-errors.ts';
import { parseIp, validateIp } from '../../machinery/rules/ip-rules.ts';
import { listSubdomainFaults } from '../../machinery/rules/name-rules.ts';
import { isRecord, own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import { typeOf } from './service-spec.ts';

const field = 'status.loadBalancer.ingress';

export function ingressOf(service: JsonObject): readonly JsonObject[] {
  const loadBalancer = ownRecord(ownRecord(service, 'status'), 'loadBalancer');
  return ownList(loadBalancer, 'ingress').filter(isRecord);
}

export function validateServiceStatus(next: JsonObject, old: JsonObject): readonly FieldError[] {
  const ingress = ingressOf(next);
  if (typeOf(ownRecord(next, 'spec')) !== 'LoadBalancer' && ingress.length > 0) {
    return [forbiddenField(field, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  const known = ingressOf(old).map((entry) => ownText(entry, 'ip'));
  return ingress.flatMap((entry, index) => [
    ...validateAddress(entry, `${field}[${index}]`, known),
    ...validateHostname(entry, `${field}[${index}].hostname`),
  ]);
}

function validateAddress(
  entry: JsonObject,
  at: string,
  known: readonly string[],
): readonly FieldError[] {
  const ip = ownText(entry, 'ip');
  const mode = own(entry, 'ipMode');
  const errors = ip === '' ? [] : [...validateIp(`${at}.ip`, ip, known)];
  if (mode === undefined) {
    if (ip !== '') errors.push(required(`${at}.ipMode`, 'must be specified when `ip` is set'));
  } else if (ip === '') {
    errors.push(forbiddenField(`${at}.ipMode`, 'may not be specified when `ip` is not set'));
  } else if (mode !== 'VIP' && mode !== 'Proxy') {
    errors.push(notSupported(`${at}.ipMode`, mode, ['Proxy', 'VIP']));
  }
  return errors;
}

function validateHostname(entry: JsonObject, at: string): readonly FieldError[] {
  const hostname = ownText(entry, 'hostname');
  if (hostname === '') return [];
  const faults = [...listSubdomainFaults(hostname)];
  if (parseIp(hostname) !== undefined) faults.push('must be a DNS name, not an IP address');
  return faults.map((fault) => invalidValue(at, hostname, fault));
}
