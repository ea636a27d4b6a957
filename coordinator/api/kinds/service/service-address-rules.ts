// Rules of clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, alone and against the Service
// before. Input: specs. Output: field errors in the order and the words of Kubernetes.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldError } from '../../machinery/kind.ts';
import {
  duplicate,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/rules/field-errors.ts';
import { parseIp, validateIp } from '../../machinery/rules/ip-rules.ts';
import { own, ownText } from '../../machinery/schema/json-value.ts';
import { clusterIpsOf, familiesOf, isHeadless, policyOf, typeOf } from './service-spec.ts';

const ipsField = 'spec.clusterIPs';
const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];

/** Also asked before allocation, which relies on it. ExternalName is validated elsewhere. */
export function validateClusterIps(
  spec: JsonObject,
  old: JsonObject | undefined,
): readonly FieldError[] {
  if (typeOf(spec) === 'ExternalName') return [];
  const ips = clusterIpsOf(spec);
  const judged = judgeIps(ips, old === undefined ? [] : clusterIpsOf(old));
  const errors = [
    ...validatePlural(spec, ips),
    ...validateFamilies(spec),
    ...judged,
    ...(ips.length > 2 ? [invalidValue(ipsField, ips, 'may only hold up to 2 values')] : []),
  ];
  // With an address that is none, what follows would only mislead.
  if (judged.length > 0) return errors;
  return [...errors, ...validateTwoFamilies(ips), ...validateMatch(spec, ips)];
}

function validatePlural(spec: JsonObject, ips: readonly string[]): readonly FieldError[] {
  const clusterIp = ownText(spec, 'clusterIP');
  if (clusterIp === '') {
    if (ips.length === 0) return [];
    return [invalidValue(ipsField, ips, 'must be empty when `clusterIP` is not specified')];
  }
  if (ips.length === 0) return [required(ipsField)];
  if (ips[0] === clusterIp) return [];
  return [invalidValue(ipsField, ips, 'first value must match `clusterIP`')];
}

function validateFamilies(spec: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, family] of familiesOf(spec).entries()) {
    const field = `spec.ipFamilies[${index}]`;
    if (family !== 'IPv4' && family !== 'IPv6') {
      errors.push(notSupported(field, family, ['IPv4', 'IPv6']));
    }
    if (seen.has(family)) errors.push(duplicate(field, family));
    seen.add(family);
  }
  const policy = policyOf(spec);
  if (policy !== undefined && !policies.includes(String(policy))) {
    errors.push(notSupported('spec.ipFamilyPolicy', policy, policies));
  }
  return errors;
}

function judgeIps(ips: readonly string[], known: readonly string[]): readonly FieldError[] {
  return ips.flatMap((ip, index) => {
    if (index > 0 || ip !== 'None') return validateIp(`${ipsField}[${index}]`, ip, known);
    const detail = "'None' must be the first and only value";
    return ips.length > 1 ? [invalidValue(ipsField, ips, detail)] : [];
  });
}

function validateTwoFamilies(ips: readonly string[]): readonly FieldError[] {
  if (ips.length < 2) return [];
  const families = new Set(ips.map((ip) => parseIp(ip)?.family));
  if (families.size === 2) return [];
  return [invalidValue(ipsField, ips, 'may specify no more than one IP for each IP family')];
}

/** Each address is of the family that stands at its place. */
function validateMatch(spec: JsonObject, ips: readonly string[]): readonly FieldError[] {
  if (isHeadless(spec)) return [];
  const families = familiesOf(spec);
  return ips.flatMap((ip, index) => {
    const family = families[index];
    const isSix = parseIp(ip)?.family === 'IPv6';
    if (family === undefined || (family === 'IPv6') === isSix) return [];
    if (family !== 'IPv4' && family !== 'IPv6') return [];
    const detail = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``;
    return [invalidValue(`${ipsField}[${index}]`, ip, detail)];
  });
}

const unchangeable = 'may not change once set';

function printedList(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values; // Go prints an absent list as null
}

/** The primary address stays; the secondary may come, and goes with SingleStack only. */
export function validateClusterIpChange(spec: JsonObject, old: JsonObject): readonly FieldError[] {
  if (typeOf(spec) === 'ExternalName' || typeOf(old) === 'ExternalName') return [];
  if (isHeadless(spec) && isHeadless(old)) return [];
  const [now, before] = [clusterIpsOf(spec), clusterIpsOf(old)];
  const refuse = (index: number, detail: string): FieldError =>
    invalidValue(`${ipsField}[${index}]`, printedList(now), detail);
  if (now.length === before.length) {
    return before.flatMap((ip, index) => (ip === now[index] ? [] : [refuse(index, unchangeable)]));
  }
  const errors: FieldError[] = [];
  const isReleased = before.length > now.length;
  if (isReleased && now.length === 0) errors.push(refuse(0, 'primary clusterIP can not be unset'));
  if (now.length > 0 && before.length > 0 && now[0] !== before[0]) {
    errors.push(refuse(0, unchangeable));
  }
  if (isReleased && now.length === 1) errors.push(...refuseRelease(spec, 'clusterIP'));
  return errors;
}

export function validateFamilyChange(spec: JsonObject, old: JsonObject): readonly FieldError[] {
  if (typeOf(spec) === 'ExternalName' || typeOf(old) === 'ExternalName') return [];
  // Headless Services change their families as they like.
  if (isHeadless(spec) !== isHeadless(old) || isHeadless(spec)) return [];
  const [now, before] = [familiesOf(spec), familiesOf(old)];
  const refuse = (printed: readonly string[], detail: string): FieldError =>
    invalidValue('spec.ipFamilies[0]', printedList(printed), detail);
  if (now.length === before.length) {
    return before.flatMap((family, index) =>
      family === now[index] ? [] : [refuse(now, unchangeable)],
    );
  }
  const errors: FieldError[] = [];
  const isReleased = before.length > now.length;
  const ips = clusterIpsOf(spec);
  if (isReleased && ips.length === 0) {
    errors.push(refuse(now, 'primary ipFamily can not be unset'));
  }
  // Kubernetes prints the addresses here, under the families' path.
  if (now.length > 0 && before.length > 0 && now[0] !== before[0]) {
    errors.push(refuse(ips, unchangeable));
  }
  if (isReleased && now.length === 1) errors.push(...refuseRelease(spec, 'ipFamily'));
  return errors;
}

function refuseRelease(spec: JsonObject, what: string): readonly FieldError[] {
  const policy = own(spec, 'ipFamilyPolicy');
  if (policy === 'SingleStack') return [];
  const detail = `must be set to 'SingleStack' when releasing the secondary ${what}`;
  return [invalidValue('spec.ipFamilyPolicy', policy, detail)];
}
