// isthmus.dev/v1alpha1 ServicePolicy: which clusters get a Service's shard, what it says there, how
// it moves, what DNS says of it, and when it is healthy.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import {
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
} from '../../machinery/schema/json-value.ts';
import type { FieldError, KindDefinition } from '../../machinery/kind.ts';
import { conditions, objectSchema } from '../common-schema.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { isthmusKind } from '../definition.ts';
import { checkQualifiedName } from '../../machinery/rules/name-rules.ts';
import { invalidValue } from '../../machinery/rules/field-errors.ts';
import { boundList, int32, kept, labelText, struct, text } from '../schema-parts.ts';
import { choiceFields, validateChoice } from './policy-choice.ts';
import { policyDnsSchema, validatePolicyDns } from './policy-dns.ts';
import { overridesSchema, validateOverrides } from './policy-overrides.ts';

const description = 'Says for one Service of its namespace which clusters get a shard of it.';
const listMax = 64;
// As long as a person would wait for at most: a day.
const moveTimeoutSecondsMax = 86_400;
const weightMax = 100;

const tolerations = boundList(
  'Taints of clusters that keep no shard of this Service away.',
  struct('Toleration', 'Which taints do not matter.', {
    key: text('Key of the taint. Empty, with operator Exists: every taint.'),
    operator: text('Equal compares the value, Exists takes any. Default: Equal.', [
      'Equal',
      'Exists',
    ]),
    value: text('Value of the taint, with operator Equal.'),
    effect: text('Only taints of this effect. Default: both.', ['NoSchedule', 'NoExecute']),
  }),
  listMax,
);

const move = struct('Move', 'How a shard leaves a cluster that is chosen no more.', {
  strategy: text(
    'WhenHealthy: it stays in DNS until the shards that came in its place are healthy. ' +
      'AfterTimeout: so, but no longer than the timeout. AtOnce: it waits for nobody. In each ' +
      'case it leaves DNS first, and its cluster one TTL later. Default: WhenHealthy.',
    ['WhenHealthy', 'AfterTimeout', 'AtOnce'],
  ),
  timeoutSeconds: kept(
    int32(
      'After how long the wait for the others is reported as stalled, and ends with ' +
        'AfterTimeout. Default: 600.',
      { minimum: 0, maximum: moveTimeoutSecondsMax },
    ),
  ),
});

const weights = boundList(
  'Shares of DNS answers. The first entry that chooses a cluster holds for its shard.',
  struct(
    'ShardWeight',
    'The weight of the shards of some clusters. An entry without clusters and clusterSelector ' +
      'holds for all.',
    {
      ...choiceFields('its weight'),
      weight: kept(
        int32(
          '0 to 100, beside the weights of the others; 100 for shards that no entry chooses. ' +
            '0: published only while no other shard is healthy.',
          { minimum: 0, maximum: weightMax },
        ),
      ),
    },
    { required: ['weight'] },
  ),
  listMax,
);

const spec = struct(
  'ServicePolicySpec',
  'What holds for the Service.',
  {
    serviceName: labelText('Name of the Service, in the namespace of the policy.'),
    placement: struct(
      'Placement',
      'Which clusters get a shard: those that every field here chooses. Default: all.',
      {
        ...choiceFields('a shard'),
        tolerations,
      },
    ),
    move,
    overrides: overridesSchema,
    weights,
    health: struct('Health', 'When a shard counts as healthy.', {
      minReadyEndpoints: kept(
        int32('Ready endpoints that a shard must have. Default: 1.', { minimum: 0 }),
      ),
    }),
    dns: policyDnsSchema,
    adoption: text(
      'What becomes of a Service of this name that a cluster has already. always: it becomes the ' +
        'shard, changed to conform, and a release puts back what it was. ifEqual: only where it is ' +
        'as wanted already. never: the cluster gets no shard, and its ServiceShard says so. ' +
        'Default: always.',
      ['always', 'ifEqual', 'never'],
    ),
  },
  { required: ['serviceName'] },
);

const status = struct('ServicePolicyStatus', 'What became of the policy.', { conditions });

export const servicePolicyKind: KindDefinition = isthmusKind({
  kind: 'ServicePolicy',
  plural: 'servicepolicies',
  shortNames: ['svcpol'],
  description,
  hasStatus: true,
  schema: objectSchema('ServicePolicy', description, { spec, status }, { required: ['spec'] }),
  columns: [
    nameColumn,
    column('Service', 'The Service that the policy is for.', (policy) =>
      ownText(ownRecord(policy, 'spec'), 'serviceName'),
    ),
    column('Clusters', 'Which clusters get a shard.', formatPlacement),
    column('Accepted', 'False when another policy counts, or the Service takes it not.', (policy) =>
      conditionOf(policy, 'Accepted'),
    ),
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

function conditionOf(policy: JsonObject, type: string): string {
  const all = ownList(ownRecord(policy, 'status'), 'conditions').filter(isRecord);
  const found = all.find((each) => ownText(each, 'type') === type);
  return found === undefined ? 'Unknown' : ownText(found, 'status');
}

function validatePolicy(policy: JsonObject): readonly FieldError[] {
  const placement = ownRecord(policy, 'placement');
  const weighed = ownList(policy, 'weights').filter(isRecord);
  return [
    ...validateChoice(placement, 'spec.placement'),
    ...ownList(placement, 'tolerations').flatMap((toleration, index) =>
      isRecord(toleration)
        ? validateToleration(toleration, `spec.placement.tolerations[${index}]`)
        : [],
    ),
    ...validateOverrides(ownList(policy, 'overrides')),
    ...validatePolicyDns(ownRecord(policy, 'dns')),
    ...weighed.flatMap((weight, index) => validateChoice(weight, `spec.weights[${index}]`)),
  ];
}

/** As of pods (ValidateTolerations). */
function validateToleration(toleration: JsonObject, field: string): readonly FieldError[] {
  const [key, value] = [ownText(toleration, 'key'), ownText(toleration, 'value')];
  const operator = ownText(toleration, 'operator');
  const errors: FieldError[] = [];
  const wrong = key === '' ? undefined : checkQualifiedName(key);
  if (wrong !== undefined) errors.push(invalidValue(`${field}.key`, key, wrong));
  if (key === '' && operator !== 'Exists') {
    const detail =
      'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalidValue(`${field}.operator`, operator, detail));
  }
  if (operator === 'Exists' && value !== '') {
    errors.push(
      invalidValue(`${field}.operator`, value, "value must be empty when `operator` is 'Exists'"),
    );
  }
  return errors;
}
