// The second opinion on a step, by other means than the plan's: it looks only at what the step
// would do. A step that it doubts is not taken, is logged as an error and reported.

import type { Service } from '../../common/model/kube-object.ts';
import { federationOf } from '../../common/pure/shard-marks.ts';
import { assertNever } from '../../common/pure/errors.ts';
import { refusalOf, type ShardAction, type ShardSituation } from './plan.ts';

/** Undefined when the step may be taken, else which invariant it would break. */
export function auditShard(action: ShardAction, situation: ShardSituation): string | undefined {
  switch (action.kind) {
    case 'nothing':
    case 'refuse':
      return undefined;
    case 'createNamespace':
      return auditTarget(situation);
    case 'repair':
      return auditTarget(situation) ?? auditRepair(action, situation.observed);
    case 'apply':
      return auditTarget(situation) ?? auditApply(action, situation);
    case 'delete':
    case 'release':
      return auditTarget(situation) ?? auditGivingUp(action, situation);
    default:
      return assertNever(action);
  }
}

function auditTarget({ key, guard }: ShardSituation): string | undefined {
  return refusalOf(key, undefined, guard) === undefined
    ? undefined
    : 'I13: outside the local guard';
}

function auditApply(
  { configuration }: Extract<ShardAction, { kind: 'apply' }>,
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
  const owner = observed === undefined ? undefined : federationOf(observed);
  return owner === undefined || owner === federation
    ? undefined
    : 'I4: a shard of another federation';
}

function auditRepair(
  { patch }: Extract<ShardAction, { kind: 'repair' }>,
  observed: Service | undefined,
): string | undefined {
  const [first] = patch;
  return first?.['path'] === '/metadata/resourceVersion' &&
    first['value'] === observed?.metadata.resourceVersion
    ? undefined
    : 'I4: a patch that does not name the version it was made for';
}

function auditGivingUp(
  action: Extract<ShardAction, { kind: 'delete' | 'release' }>,
  { order, wish, observed, federation }: ShardSituation,
): string | undefined {
  if (order?.mode !== action.kind) return 'I2: no such order';
  if (wish !== undefined) return 'I2: the Service is wished for';
  if (observed === undefined || federationOf(observed) !== federation)
    return 'I4: not a shard of ours';
  return action.uid !== '' && action.uid === observed.metadata.uid ? undefined : 'I4: another uid';
}
