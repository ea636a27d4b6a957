// isthmus.dev/v1alpha1 ServicePolicy: which clusters get a Service's shard, and when it is healthy.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import {
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/rules/field-errors.ts';
import {
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
} from '../../machinery/schema/json-value.ts';
import type { FieldError, KindDefinition } from '../../machinery/kind.ts';
import { checkQualifiedName } from '../../machinery/rules/name-rules.ts';
import { validateLabels } from '../../machinery/rules/object-rules.ts';
import { labelSelector, objectSchema } from '../common-schema.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { isthmusKind } from '../definition.ts';
import { int32, kept, labelText, struct, textSet } from '../schema-parts.ts';

const description = 'Says for one Service of its namespace which clusters get a shard of it.';
// A policy is one object of the log and one message to every watcher.
const clustersMax = 5000;
const operators = ['DoesNotExist', 'Exists', 'In', 'NotIn'] as const;

const spec = struct(
  'ServicePolicySpec',
  'What holds for the Service.',
  {
    serviceName: labelText('Name of the Service, in the namespace of the policy.'),
    placement: struct(
      'Placement',
      'Which clusters get a shard: those that every field here chooses. Default: all.',
      {
        clusters: textSet(
          'Exactly these clusters. One that has not joined yet gets its shard when it does.',
          labelText('Name of one cluster.'),
          clustersMax,
        ),
        clusterSelector: labelSelector,
      },
    ),
    health: struct('Health', 'When a shard counts as healthy.', {
      minReadyEndpoints: kept(
        int32('Ready endpoints that a shard must have. Default: 1.', { minimum: 0 }),
      ),
    }),
  },
  { required: ['serviceName'] },
);

export const servicePolicyKind: KindDefinition = isthmusKind({
  kind: 'ServicePolicy',
  plural: 'servicepolicies',
  shortNames: ['svcpol'],
  description,
  schema: objectSchema('ServicePolicy', description, { spec }, { required: ['spec'] }),
  columns: [
    nameColumn,
    column('Service', 'The Service that the policy is for.', (policy) =>
      ownText(ownRecord(policy, 'spec'), 'serviceName'),
    ),
    column('Clusters', 'Which clusters get a shard.', formatPlacement),
    ageColumn,
  ],
  validate: (policy) => validatePolicy(ownRecord(toJsonObject(policy), 'spec')),
});

function formatPlacement(policy: JsonObject): string {
  const placement = ownRecord(ownRecord(policy, 'spec'), 'placement');
  const clusters = ownList(placement, 'clusters').map(String);
  if (clusters.length > 0) return clusters.join(',');
  return own(placement, 'clusterSelector') === undefined ? '<all>' : '<selector>';
}

function validatePolicy(policy: JsonObject): readonly FieldError[] {
  const selector = own(ownRecord(policy, 'placement'), 'clusterSelector');
  return isRecord(selector) ? validateSelector(selector) : [];
}

function validateSelector(selector: JsonObject): readonly FieldError[] {
  const field = 'spec.placement.clusterSelector';
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
