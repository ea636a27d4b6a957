// The annotation in which `kubectl apply` keeps what it applied last, where it meets server-side
// apply. Both rules hold for the manager "kubectl" alone, so that everybody else can opt out.
//
//   L1. What a client-side apply has set, its own user may change by server-side apply without a
//       conflict: those fields are not another's.
//   L2. An object that has the annotation keeps it true: it says what was applied last.

import type { Json, JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { compareFields } from './field-compare.ts';
import { difference, type FieldSet, union } from './field-set.ts';
import { toFieldSet } from './field-walk.ts';
import { isRecord, own, ownRecord, ownText, withMember } from '../schema/json-value.ts';
import type { KindDefinition } from '../kind.ts';
import { toApiVersion } from '../answer/answers.ts';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
const kubectl = 'kubectl';

/** L1. The fields that the annotation says are as they were applied; undefined without it. */
export function fieldsOfLastApplied(
  kind: KindDefinition,
  manager: string,
  live: JsonObject,
): FieldSet | undefined {
  if (manager !== kubectl) return undefined;
  const applied = parseObject(
    ownText(ownRecord(ownRecord(live, 'metadata'), 'annotations'), annotation),
  );
  if (applied === undefined || ownText(applied, 'apiVersion') !== toApiVersion(kind)) {
    return undefined;
  }
  const { added, modified, removed } = compareFields(kind.schema, applied, live);
  const changed = [added, modified, removed].reduce(union);
  return difference(toFieldSet(kind.schema, applied), changed);
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as Json; // what JSON.parse gives is JSON
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** L2. `object` with the annotation made to say `config`, when it has one. */
export function withLastApplied(
  object: KubeObject,
  manager: string,
  config: JsonObject,
): KubeObject {
  const { annotations } = object.metadata;
  if (manager !== kubectl || (annotations?.[annotation] ?? '') === '') return object;
  const metadata = {
    ...object.metadata,
    annotations: { ...annotations, [annotation]: toText(config) },
  };
  return { ...object, metadata };
}

/** As Go encodes an object of no type: keys sorted, and a line's end. */
function toText(config: JsonObject): string {
  const metadata = ownRecord(config, 'metadata');
  const annotations = own(metadata, 'annotations');
  const others = isRecord(annotations) ? withMember(annotations, annotation, undefined) : {};
  const isBare = !isRecord(annotations) || Object.keys(others).length === 0;
  const stripped = {
    ...config,
    metadata: withMember(metadata, 'annotations', isBare ? undefined : others),
  };
  return `${JSON.stringify(toSorted(stripped))}\n`;
}

function toSorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(toSorted);
  if (!isRecord(value)) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([key, member]) => [key, toSorted(member ?? null)]));
}
