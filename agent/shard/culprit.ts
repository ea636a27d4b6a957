// Who changed a field of ours: read from managedFields, where each manager's fields stand. Pure.

import type { Json, JsonObject, KubeObject } from '../../common/model/kube-object.ts';

/**
 * The field manager that last wrote one of `fields`, else the one that last wrote anything beside
 * us (a field that was removed has no manager); undefined when nobody else has.
 */
export function findCulprit(
  live: KubeObject,
  fields: readonly string[],
  ours: string,
): string | undefined {
  const others = (live.metadata.managedFields ?? [])
    .filter((entry) => entry['manager'] !== ours && entry['subresource'] !== 'status')
    .sort((a, b) => timeOf(b).localeCompare(timeOf(a)));
  const owner = others.find((entry) => fields.some((field) => owns(entry, field)));
  const manager = (owner ?? others[0])?.['manager'];
  return typeof manager === 'string' && manager !== '' ? manager.slice(0, 128) : undefined;
}

function timeOf(entry: JsonObject): string {
  return typeof entry['time'] === 'string' ? entry['time'] : '';
}

/** Names of labels and annotations have dots: only the first two parts of a path are split off. */
function owns(entry: JsonObject, field: string): boolean {
  const [root = '', member = '', ...rest] = field.split('.');
  const found = memberOf(memberOf(entry['fieldsV1'], root), member);
  if (found === undefined) return false;
  return rest.length === 0 || memberOf(found, rest.join('.')) !== undefined;
}

function memberOf(fields: Json | undefined, name: string): Json | undefined {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return undefined;
  return (fields as JsonObject)[`f:${name}`];
}
