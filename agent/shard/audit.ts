// The second opinion on a step, by other means than the plan's: it looks only at what the step
// would do. A step that it doubts is not taken, is logged as an error and reported.

import type { JsonObject, Service } from '../../common/model/kube-object.ts';
import { assertNever } from '../../common/pure/errors.ts';
import {
  confirmRemovalMark,
  federationOf,
  markPrefix,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import { matchesPattern } from './plan-guard.ts';
import type { ShardAction, ShardSituation } from './plan.ts';

/** Undefined when the step may be taken, else which invariant it would break. */
export function auditShard(action: ShardAction, situation: ShardSituation): string | undefined {
  switch (action.kind) {
    case 'nothing':
    case 'refuse':
      return undefined;
    case 'createNamespace':
      return auditTarget(situation) ?? auditNamespace(action.namespace, situation);
    case 'create':
      return auditTarget(situation) ?? auditCreation(action.object, situation);
    case 'markOrder':
    case 'repair':
      return auditTarget(situation) ?? auditRepair(action.patch, situation.observed);
    case 'apply':
      return auditTarget(situation) ?? auditApply(action.configuration, situation);
    case 'delete':
    case 'release':
      return auditTarget(situation) ?? auditGivingUp(action, situation);
    default:
      return assertNever(action);
  }
}

/** I13, from the key's text alone. */
function auditTarget({ key, guard }: ShardSituation): string | undefined {
  const namespace = key.slice(0, Math.max(0, key.indexOf('/')));
  if (/^kube-|^$/.test(namespace) || key === 'default/kubernetes') {
    return 'I13: Kubernetes’ own Service or namespace';
  }
  const { allowedNamespaces } = guard;
  const isOpen = allowedNamespaces.length === 0;
  return isOpen || allowedNamespaces.some((pattern) => matchesPattern(namespace, pattern))
    ? undefined
    : 'I13: outside the allowed namespaces';
}

function auditNamespace(namespace: string, { key }: ShardSituation): string | undefined {
  return key.startsWith(`${namespace}/`) ? undefined : 'I13: the namespace of another Service';
}

function auditCreation(object: JsonObject, situation: ShardSituation): string | undefined {
  if (situation.observed !== undefined) return 'I4: a creation where a Service is';
  return auditApply(object, situation);
}

function auditApply(
  configuration: JsonObject,
  { key, observed, federation, wish }: ShardSituation,
): string | undefined {
  const { metadata, kind } = configuration as unknown as Service; // we made it
  if (wish === undefined) return 'I2: an apply without a wish';
  if (kind !== 'Service' || `${metadata.namespace ?? ''}/${metadata.name}` !== key) {
    return 'I4: the configuration is for another object';
  }
  const extra = Object.keys(configuration).find(
    (field) => !['apiVersion', 'kind', 'metadata', 'spec'].includes(field),
  );
  if (extra !== undefined) return `I4: the configuration claims ${extra}`;
  const claimed = Object.keys(metadata).find(
    (field) => !['name', 'namespace', 'labels', 'annotations'].includes(field),
  );
  if (claimed !== undefined) return `I4: the configuration claims metadata.${claimed}`;
  const annotations = metadata.annotations ?? {};
  if (annotations[shardOfMark] !== federation) return 'I4: a shard without the mark of its owner';
  if (confirmRemovalMark in annotations) return 'I13: a confirmation that nobody here gave';
  const owner = observed === undefined ? undefined : federationOf(observed);
  return owner === undefined || owner === federation
    ? undefined
    : 'I4: a shard of another federation';
}

function auditRepair(
  patch: readonly JsonObject[],
  observed: Service | undefined,
): string | undefined {
  const [first, ...changes] = patch;
  const isConditional =
    first?.['path'] === '/metadata/resourceVersion' &&
    first['value'] === observed?.metadata.resourceVersion;
  if (!isConditional) return 'I4: a patch that does not name the version it was made for';
  const mark = `/metadata/annotations/${markPrefix.replaceAll('/', '~1')}`;
  const foreign = changes.find(({ path, op, value }) => {
    const text = String(path);
    if (text === '/spec/ports' || text === '/spec/selector') return false;
    // All annotations at once, where there were none.
    const isFirst = text === '/metadata/annotations' && op === 'add';
    if (isFirst) return observed?.metadata.annotations !== undefined || !isMarksOnly(value);
    return !text.startsWith(mark);
  });
  if (foreign !== undefined) return `I4: a repair of ${String(foreign['path'])}`;
  const confirmation = `${mark}${confirmRemovalMark.slice(markPrefix.length)}`;
  return changes.some(({ path, op }) => path === confirmation && op !== 'remove')
    ? 'I13: a confirmation that nobody here gave'
    : undefined;
}

function isMarksOnly(value: unknown): boolean {
  return Object.keys(value ?? {}).every(
    (name) => name.startsWith(markPrefix) && name !== confirmRemovalMark,
  );
}

function auditGivingUp(
  action: Extract<ShardAction, { kind: 'delete' | 'release' }>,
  { order, wish, observed, federation, removalsLeft }: ShardSituation,
): string | undefined {
  if (order?.mode !== action.kind) return 'I2: no such order';
  if (wish !== undefined) return 'I2: the Service is wished for';
  if (observed === undefined || federationOf(observed) !== federation)
    return 'I4: not a shard of ours';
  if (action.uid === '' || action.uid !== observed.metadata.uid) return 'I4: another uid';
  const isConfirmed = observed.metadata.annotations?.[confirmRemovalMark] === 'true';
  return action.kind === 'delete' && removalsLeft < 1 && !isConfirmed
    ? 'I13: more removals than the guard lets through'
    : undefined;
}
