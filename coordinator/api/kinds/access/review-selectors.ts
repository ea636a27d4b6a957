// The selectors of an access review: validated, and read as far as they can be. Pure.
//
// Rights here do not depend on selectors (nor do RBAC's), so what cannot be read is only reported.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { invalidValue, required } from '../../machinery/rules/field-errors.ts';
import { checkQualifiedName } from '../../machinery/rules/name-rules.ts';
import { parseLabelSelector } from '../../machinery/request/selectors.ts';
import { isRecord, own, ownList, ownText } from '../../machinery/schema/json-value.ts';

const kinds = ['fieldSelector', 'labelSelector'] as const;
type SelectorKind = (typeof kinds)[number];

/** Errors of both selectors of `resourceAttributes`. */
export function checkSelectors(attributes: JsonObject): readonly FieldError[] {
  return kinds.flatMap((kind) => {
    const selector = own(attributes, kind);
    return isRecord(selector) ? checkSelector(selector, kind) : [];
  });
}

function checkSelector(selector: JsonObject, kind: SelectorKind): readonly FieldError[] {
  const field = `spec.resourceAttributes.${kind}`;
  const raw = ownText(selector, 'rawSelector');
  const requirements = ownList(selector, 'requirements');
  const errors: FieldError[] = [];
  if (raw !== '' && requirements.length > 0) {
    const detail = 'may not specified at the same time as requirements';
    errors.push(invalidValue(`${field}.rawSelector`, raw, detail));
  }
  if (raw === '' && requirements.length === 0) {
    const detail = `when ${field} is specified, requirements or rawSelector is required`;
    errors.push(required(`${field}.requirements`, detail));
  }
  const each = requirements.flatMap((requirement, index) =>
    checkRequirement(
      isRecord(requirement) ? requirement : {},
      `${field}.requirements[${index}]`,
      kind,
    ),
  );
  return [...errors, ...each];
}

/** An operator that we do not know may be a newer client's: it is let pass, and reported. */
function checkRequirement(
  requirement: JsonObject,
  field: string,
  kind: SelectorKind,
): readonly FieldError[] {
  const key = ownText(requirement, 'key');
  const operator = ownText(requirement, 'operator');
  const hasValues = ownList(requirement, 'values').length > 0;
  const errors: FieldError[] = [];
  if (kind === 'fieldSelector' && key === '')
    errors.push(required(`${field}.key`, 'must be specified'));
  if ((operator === 'In' || operator === 'NotIn') && !hasValues) {
    const detail = "must be specified when `operator` is 'In' or 'NotIn'";
    errors.push(required(`${field}.values`, detail));
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && hasValues) {
    const message = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    errors.push({ field: `${field}.values`, reason: 'FieldValueForbidden', message });
  }
  const wrong = kind === 'labelSelector' ? checkQualifiedName(key) : undefined;
  if (wrong !== undefined) errors.push(invalidValue(`${field}.key`, key, wrong));
  return errors;
}

/** What of the selectors could not be read, in Kubernetes' words; empty when all could. */
export function describeSelectorFaults(attributes: JsonObject): string {
  return kinds.flatMap((kind) => describeFault(own(attributes, kind), kind)).join('; ');
}

function describeFault(selector: unknown, kind: SelectorKind): readonly string[] {
  if (!isRecord(selector)) return [];
  const raw = ownText(selector, 'rawSelector');
  if (raw !== '' && !isSelector(raw, kind)) return [toFault(kind, 'ignored')];
  const requirements = ownList(selector, 'requirements').filter(isRecord);
  const readable = requirements.filter((requirement) => isReadable(requirement, kind));
  if (readable.length === requirements.length) return [];
  return [toFault(kind, readable.length > 0 ? 'partially ignored' : 'ignored')];
}

function toFault(kind: SelectorKind, how: string): string {
  return `spec.resourceAttributes.${kind} ${how} due to parse error`;
}

function isSelector(raw: string, kind: SelectorKind): boolean {
  if (kind === 'fieldSelector') return raw.split(',').every((term) => term.includes('='));
  try {
    parseLabelSelector(raw);
    return true;
  } catch {
    return false; // it throws a refusal of the request, which this is not
  }
}

function isReadable(requirement: JsonObject, kind: SelectorKind): boolean {
  const operator = ownText(requirement, 'operator');
  if (kind === 'labelSelector') {
    return ['In', 'NotIn', 'Exists', 'DoesNotExist'].includes(operator);
  }
  // Field selectors are equations: one key, one value.
  return ['In', 'NotIn'].includes(operator) && ownList(requirement, 'values').length === 1;
}
