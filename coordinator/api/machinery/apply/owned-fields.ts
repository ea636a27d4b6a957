// Which fields a write through one endpoint may own at all.

import { difference, differenceBelow, setOf, type FieldSet } from './field-set.ts';
import type { KindDefinition } from '../kind.ts';

export type Subresource = '' | 'status' | 'finalize' | 'approval';

const nobodys: FieldSet = setOf(
  [
    ['apiVersion'],
    ['kind'],
    ['metadata'],
    ['metadata', 'name'],
    ['metadata', 'namespace'],
    ['metadata', 'creationTimestamp'],
    ['metadata', 'selfLink'],
    ['metadata', 'uid'],
    ['metadata', 'clusterName'],
    ['metadata', 'generation'],
    ['metadata', 'managedFields'],
    ['metadata', 'resourceVersion'],
  ].map((path) => path.map((name) => `f:${name}`)),
);

/** Without what belongs to the server. */
export function withoutServers(fields: FieldSet): FieldSet {
  return difference(fields, nobodys);
}

const statusSet = setOf([['f:status']]);

/** Without the fields that this endpoint resets, and so never writes. */
export function withoutReset(
  kind: KindDefinition,
  subresource: Subresource,
  fields: FieldSet,
): FieldSet {
  if (!kind.hasStatus || subresource === 'finalize') return fields;
  if (subresource === '') return differenceBelow(fields, statusSet);
  const kept = new Set(['f:apiVersion', 'f:kind', 'f:metadata', 'f:status']);
  const rest = [...fields.children.keys()].filter((element) => !kept.has(element));
  return rest.length === 0 ? fields : differenceBelow(fields, setOf(rest.map((key) => [key])));
}
