// What a Cluster says of shards: cordon and taints, as on Nodes, and how long its removal waits.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { duplicate, invalidValue } from '../../machinery/rules/field-errors.ts';
import { checkLabelValue, checkQualifiedName } from '../../machinery/rules/name-rules.ts';
import { isRecord, own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import { boundList, flag, int32, kept, struct, text } from '../schema-parts.ts';

const taintsMax = 64;
// A week: whoever waits longer asks a person.
const unjoinWaitSecondsMax = 604_800;

export const schedulingFields = {
  unschedulable: flag(
    'True when the cluster gets no new shards. Those that are there stay. `kubectl isthmus ' +
      'cordon` sets it.',
  ),
  taints: boundList(
    'Keeps shards away whose policy does not tolerate it, as taints of Nodes do with pods.',
    struct(
      'Taint',
      'One reason to keep away.',
      {
        key: text('Key of the taint.'),
        value: text('Value of the taint.'),
        effect: text(
          'NoSchedule keeps new shards away; NoExecute sends those away that are there, too.',
          ['NoSchedule', 'NoExecute'],
        ),
      },
      { required: ['key', 'effect'] },
    ),
    taintsMax,
  ),
  unjoinWaitSeconds: kept(
    int32(
      'How long the removal of the Cluster waits for an agent that is away. Then the Cluster ' +
        'goes, and its shards stay where they are, managed by nobody. 0: it waits for no agent. ' +
        'Default: 600.',
      { minimum: 0, maximum: unjoinWaitSecondsMax },
    ),
  ),
};

export function validateScheduling(cluster: JsonObject): readonly FieldError[] {
  const seen = new Set<string>();
  return ownList(ownRecord(cluster, 'spec'), 'taints').flatMap((taint, index) => {
    if (!isRecord(taint)) return [];
    const field = `spec.taints[${index}]`;
    const [key, value, effect] = [
      ownText(taint, 'key'),
      ownText(taint, 'value'),
      ownText(taint, 'effect'),
    ];
    const errors: FieldError[] = [];
    const badKey = checkQualifiedName(key);
    if (badKey !== undefined) errors.push(invalidValue(`${field}.key`, key, badKey));
    const badValue = checkLabelValue(value);
    if (badValue !== undefined) errors.push(invalidValue(`${field}.value`, value, badValue));
    // As on Nodes: one taint of a key and an effect.
    const identity = `${key} ${effect}`;
    if (seen.has(identity)) errors.push(duplicate(field, taint));
    seen.add(identity);
    return errors;
  });
}

export function formatScheduling(cluster: JsonObject): string {
  if (own(ownRecord(cluster, 'metadata'), 'deletionTimestamp') !== undefined) return 'Leaving';
  const spec = ownRecord(cluster, 'spec');
  if (own(spec, 'unschedulable') === true) return 'Disabled';
  return ownList(spec, 'taints').length > 0 ? 'Tainted' : 'Enabled';
}
