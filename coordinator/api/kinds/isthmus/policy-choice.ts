// The fields by which a policy chooses clusters, by name or by label, wherever it does so.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import {
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/rules/field-errors.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { checkQualifiedName } from '../../machinery/rules/name-rules.ts';
import { validateLabels } from '../../machinery/rules/object-rules.ts';
import { isRecord, own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import type { Schema } from '../../machinery/schema/schema.ts';
import { labelSelector } from '../common-schema.ts';
import { labelText, textSet } from '../schema-parts.ts';

// A policy is one object of the log and one message to every watcher.
const clustersMax = 5000;
const operators = ['DoesNotExist', 'Exists', 'In', 'NotIn'] as const;

/** `what` they get: a shard, an override. */
export function choiceFields(what: string): Readonly<Record<string, Schema>> {
  return {
    clusters: textSet(
      `Exactly these clusters. One that has not joined yet gets ${what} when it does.`,
      labelText('Name of one cluster.'),
      clustersMax,
    ),
    clusterSelector: labelSelector,
  };
}

export function validateChoice(choice: JsonObject, field: string): readonly FieldError[] {
  const selector = own(choice, 'clusterSelector');
  return isRecord(selector) ? validateSelector(selector, `${field}.clusterSelector`) : [];
}

export function validateSelector(selector: JsonObject, field: string): readonly FieldError[] {
  const labels = Object.entries(ownRecord(selector, 'matchLabels'));
  const texts = Object.fromEntries(labels.map(([key, value]) => [key, String(value)]));
  const demands = ownList(selector, 'matchExpressions').filter(isRecord);
  return [
    ...validateLabels(texts, `${field}.matchLabels`),
    ...demands.flatMap((demand, index) =>
      validateDemand(demand, `${field}.matchExpressions[${index}]`),
    ),
  ];
}

function validateDemand(demand: JsonObject, field: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const operator = ownText(demand, 'operator');
  const count = ownList(demand, 'values').length;
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (count > 0) break;
      errors.push(
        required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"),
      );
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (count === 0) break;
      errors.push(
        forbiddenField(
          `${field}.values`,
          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
      );
      break;
    default:
      errors.push(notSupported(`${field}.operator`, operator, operators));
  }
  const key = ownText(demand, 'key');
  const wrong = checkQualifiedName(key);
  if (wrong !== undefined) errors.push(invalidValue(`${field}.key`, key, wrong));
  return errors;
}
