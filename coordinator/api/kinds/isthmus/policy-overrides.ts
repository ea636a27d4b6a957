// spec.overrides of a ServicePolicy: what the shards of some clusters say differently.
//
// What is checked here needs no Service; whether a patch can be done to the Service that is there,
// and leaves a legal one, admission asks (coordinator/admission/admission.ts).

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { forbiddenField, invalidValue, required } from '../../machinery/rules/field-errors.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { validateIp } from '../../machinery/rules/ip-rules.ts';
import { checkQualifiedName } from '../../machinery/rules/name-rules.ts';
import { isRecord, own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import type { Schema } from '../../machinery/schema/schema.ts';
import {
  anything,
  boundList,
  boundText,
  int32,
  kept,
  struct,
  text,
  textMap,
} from '../schema-parts.ts';
import { choiceFields, validateChoice } from './policy-choice.ts';

const overridesMax = 64;
const operationsMax = 64;
const nodePortsMax = 100;
const pointer = '^(/([^~/]|~[01])*)+$';

const patch = boundList(
  'JSON patch (RFC 6902) of the shard, after the fields above. It reaches spec, metadata.labels ' +
    'and metadata.annotations. It is done as a whole or not at all.',
  struct(
    'JSONPatchOperation',
    'One operation.',
    {
      op: text('What is done.', ['add', 'copy', 'move', 'remove', 'replace', 'test']),
      path: boundText('Where, as a JSON pointer such as /spec/sessionAffinity.', {
        pattern: pointer,
        maxLength: 1024,
      }),
      from: boundText('Where it comes from, for copy and move.', {
        pattern: pointer,
        maxLength: 1024,
      }),
      value: kept(anything('What is added, put in place or compared.')),
    },
    { required: ['op', 'path'] },
  ),
  operationsMax,
);

const nodePorts = boundList(
  'Node ports of the Service in these clusters; without them each cluster gives its own.',
  struct(
    'NodePortOverride',
    'The node port of one port.',
    {
      port: int32('The port of the Service.', { minimum: 1, maximum: 65_535 }),
      protocol: text('Its protocol. Default: TCP.', ['SCTP', 'TCP', 'UDP']),
      nodePort: int32('The port on the nodes.', { minimum: 1, maximum: 65_535 }),
    },
    { required: ['port', 'nodePort'] },
  ),
  nodePortsMax,
);

export const overridesSchema: Schema = boundList(
  'What shards say differently. Done in this order; what comes later wins.',
  struct(
    'ShardOverride',
    'What the shards of some clusters say differently. Without clusters and clusterSelector: ' +
      'all of them.',
    {
      ...choiceFields('the override'),
      annotations: textMap('Annotations, beside those of the Service and before them.'),
      loadBalancerClass: text('Class of the load balancer that the cluster makes.'),
      loadBalancerIP: text('Address that the load balancer shall have.'),
      externalTrafficPolicy: text('Whether nodes pass traffic on to others.', ['Cluster', 'Local']),
      nodePorts,
      patch,
    },
  ),
  overridesMax,
);

const said = [
  'annotations',
  'loadBalancerClass',
  'loadBalancerIP',
  'externalTrafficPolicy',
  'nodePorts',
  'patch',
];

export function validateOverrides(overrides: readonly Json[]): readonly FieldError[] {
  return overrides.flatMap((override, index) =>
    isRecord(override) ? validateOverride(override, `spec.overrides[${index}]`) : [],
  );
}

function validateOverride(override: JsonObject, field: string): readonly FieldError[] {
  const loadBalancerIp = ownText(override, 'loadBalancerIP');
  const annotations = Object.keys(ownRecord(override, 'annotations'));
  return [
    ...(said.some((name) => own(override, name) !== undefined)
      ? []
      : [required(field, `one of ${said.join(', ')} is needed`)]),
    ...validateChoice(override, field),
    ...annotations.flatMap((key) => validateAnnotation(key, `${field}.annotations`)),
    ...(loadBalancerIp === '' ? [] : validateIp(`${field}.loadBalancerIP`, loadBalancerIp)),
    ...ownList(override, 'patch').flatMap((operation, index) =>
      isRecord(operation) ? validateOperation(operation, `${field}.patch[${index}]`) : [],
    ),
  ];
}

function validateAnnotation(key: string, field: string): readonly FieldError[] {
  const wrong = checkQualifiedName(key.toLowerCase());
  if (wrong !== undefined) return [invalidValue(field, key, wrong)];
  return key.startsWith('isthmus.dev/')
    ? [forbiddenField(`${field}[${key}]`, 'annotations of isthmus.dev are the federation’s own')]
    : [];
}

const reachable = /^\/(spec(\/|$)|metadata\/(labels|annotations)(\/|$))/;

function validateOperation(operation: JsonObject, field: string): readonly FieldError[] {
  const op = ownText(operation, 'op');
  const takesFrom = op === 'copy' || op === 'move';
  const takesValue = op === 'add' || op === 'replace' || op === 'test';
  const errors: FieldError[] = [];
  const path = ownText(operation, 'path');
  const reaches = 'it reaches /spec, /metadata/labels and /metadata/annotations only';
  if (path !== '' && op !== 'test' && !reachable.test(path))
    errors.push(invalidValue(`${field}.path`, path, reaches));
  const from = ownText(operation, 'from');
  if (takesFrom && from === '') errors.push(required(`${field}.from`, `${op} needs it`));
  if (!takesFrom && from !== '') errors.push(forbiddenField(`${field}.from`, `${op} has none`));
  if (op === 'move' && from !== '' && !reachable.test(from))
    errors.push(invalidValue(`${field}.from`, from, reaches));
  const hasValue = own(operation, 'value') !== undefined;
  if (takesValue && !hasValue) errors.push(required(`${field}.value`, `${op} needs it`));
  if (!takesValue && hasValue) errors.push(forbiddenField(`${field}.value`, `${op} has none`));
  return errors;
}
