// Which IP families a Service has: what it says, what its addresses say, what the federation has
// ranges for. Input: a defaulted spec, the spec before it. Output: the spec with policy and
// families, or why it cannot have them.
//
//   F1. Nothing goes from one family to two, or back, without a word of the user.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { invalidValue } from '../../machinery/rules/field-errors.ts';
import { parseIp } from '../../machinery/rules/ip-rules.ts';
import { jsonEquals, own, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import { validateClusterIps } from './service-address-rules.ts';
import { clusterIpsOf, familiesOf, policyOf, typeOf } from './service-spec.ts';

export interface FamilyOutcome {
  readonly spec: JsonObject;
  readonly errors: readonly FieldError[];
}

/** `configured`: the families with a range, the primary first. */
export function initFamilies(
  given: JsonObject,
  old: JsonObject | undefined,
  configured: readonly string[],
): FamilyOutcome {
  if (typeOf(given) === 'ExternalName' || staysDualByPreference(given, old)) {
    return { spec: given, errors: [] };
  }
  let spec = withPolicy(given, old);
  const malformed = validateClusterIps(spec, old);
  if (malformed.length > 0) return { spec, errors: malformed };
  const errors: FieldError[] = [];
  if (old !== undefined) {
    if (policyOf(spec) === 'SingleStack') spec = dropSecondary(spec, old);
    else errors.push(...refuseReduction(spec, old));
  }
  if (policyOf(spec) === 'SingleStack') errors.push(...refuseTwo(spec));
  const inferred = inferFamilies(spec, configured);
  errors.push(...inferred.errors);
  return errors.length > 0 ? { spec, errors } : complete(inferred.spec, configured);
}

const policyField = 'spec.ipFamilyPolicy';

/** F1. A PreferDualStack Service whose addresses nobody touched. */
function staysDualByPreference(spec: JsonObject, old: JsonObject | undefined): boolean {
  if (old === undefined || policyOf(spec) !== 'PreferDualStack') return false;
  const before = policyOf(old);
  return (
    typeOf(old) === typeOf(spec) &&
    ['ClusterIP', 'NodePort', 'LoadBalancer'].includes(typeOf(spec)) &&
    (before === undefined || before === 'PreferDualStack') &&
    jsonEquals([...clusterIpsOf(old)], [...clusterIpsOf(spec)]) &&
    jsonEquals([...familiesOf(old)], [...familiesOf(spec)])
  );
}

function isOpenHeadless(spec: JsonObject): boolean {
  const selector = Object.keys(ownRecord(spec, 'selector'));
  return ownText(spec, 'clusterIP') === 'None' && selector.length === 0;
}

function withPolicy(spec: JsonObject, old: JsonObject | undefined): JsonObject {
  if (policyOf(spec) !== undefined) return spec;
  const before = old === undefined ? undefined : policyOf(old);
  const fallback = isOpenHeadless(spec) ? 'RequireDualStack' : 'SingleStack';
  return { ...spec, ipFamilyPolicy: before ?? fallback };
}

/** SingleStack beside two unchanged values means: let go of the second. */
function dropSecondary(spec: JsonObject, old: JsonObject): JsonObject {
  let result = spec;
  for (const field of ['clusterIPs', 'ipFamilies'] as const) {
    const values = field === 'clusterIPs' ? clusterIpsOf(spec) : familiesOf(spec);
    const before = field === 'clusterIPs' ? clusterIpsOf(old) : familiesOf(old);
    if (values.length < 2 || !jsonEquals([...values], [...before])) continue;
    result = { ...result, [field]: values.slice(0, 1) };
  }
  return result;
}

function refuseReduction(spec: JsonObject, old: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (what: string): void => {
    const detail = `must be 'SingleStack' to release the secondary ${what}`;
    errors.push(invalidValue(policyField, policyOf(spec), detail));
  };
  if (isReduced(clusterIpsOf(spec), clusterIpsOf(old))) refuse('cluster IP');
  if (isReduced(familiesOf(spec), familiesOf(old))) refuse('IP family');
  return errors;
}

function isReduced(now: readonly string[], before: readonly string[]): boolean {
  return now.length > 0 && now.length < before.length;
}

function refuseTwo(spec: JsonObject): readonly FieldError[] {
  const must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
  const errors: FieldError[] = [];
  if (clusterIpsOf(spec).length === 2) {
    const detail = `${must} cluster IPs are specified`;
    errors.push(invalidValue(policyField, policyOf(spec), detail));
  }
  if (familiesOf(spec).length === 2) {
    const detail = `${must} IP families are specified`;
    errors.push(invalidValue(policyField, policyOf(spec), detail));
  }
  return errors;
}

/** Families that the addresses imply and the user did not name. */
function inferFamilies(spec: JsonObject, configured: readonly string[]): FamilyOutcome {
  const families = [...familiesOf(spec)];
  const ips = clusterIpsOf(spec);
  const errors: FieldError[] = [];
  for (const [index, ip] of ips.entries()) {
    if (ip === 'None') break;
    if (index < families.length) continue;
    const family = parseIp(ip)?.family ?? 'unknown';
    if (configured.includes(family)) families.push(family);
    else {
      const detail = `${family} is not configured on this cluster`;
      errors.push(invalidValue(`spec.clusterIPs[${index}]`, ips, detail));
    }
  }
  return { spec: families.length === 0 ? spec : { ...spec, ipFamilies: families }, errors };
}

function complete(spec: JsonObject, configured: readonly string[]): FamilyOutcome {
  const given = familiesOf(spec);
  const isSingle = policyOf(spec) === 'SingleStack';
  const [primary = 'IPv4'] = configured;
  const [first = primary] = given;
  const both = [first, first === 'IPv4' ? 'IPv6' : 'IPv4'];
  if (isOpenHeadless(spec)) {
    // Its endpoints are the user's own, so it may have families that have no range here.
    const families = isSingle || given.length > 1 ? (given.length > 0 ? given : [first]) : both;
    return { spec: { ...spec, ipFamilies: families }, errors: [] };
  }
  const errors = refuseUnconfigured(spec, configured);
  if (errors.length > 0) return { spec, errors };
  const isDual = !isSingle && given.length < 2 && configured.length === 2;
  const families = isDual ? both : given.length > 0 ? given : [first];
  return { spec: { ...spec, ipFamilies: families }, errors: [] };
}

function refuseUnconfigured(
  spec: JsonObject,
  configured: readonly string[],
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (own(spec, 'ipFamilyPolicy') === 'RequireDualStack' && configured.length < 2) {
    const detail = 'this cluster is not configured for dual-stack services';
    errors.push(invalidValue(policyField, policyOf(spec), detail));
  }
  for (const [index, family] of familiesOf(spec).entries()) {
    if (configured.includes(family)) continue;
    errors.push(
      invalidValue(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'),
    );
  }
  return errors;
}
