// What kinds have in common, so that a kind's file says only what is its own.

import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { FieldError, KindDefinition, Verb } from '../machinery/kind.ts';
import { listLabelFaults } from '../machinery/rules/name-rules.ts';
import { maskTrailingDash } from '../machinery/rules/object-rules.ts';
import { validateBySchema } from '../machinery/rules/schema-rules.ts';
import { toJsonObject } from '../machinery/schema/json-value.ts';
import type { Schema } from '../machinery/schema/schema.ts';

const writable: readonly Verb[] = [
  'create',
  'get',
  'list',
  'watch',
  'update',
  'patch',
  'delete',
  'deletecollection',
];

/** What a kind says itself; the rest has defaults. */
export type OwnPart = Pick<
  KindDefinition,
  'version' | 'kind' | 'plural' | 'schema' | 'columns' | 'description'
> &
  Partial<KindDefinition>;

/** A kind that clients write; namespaced and of the core group unless it says otherwise. */
export function loggedKind(own: OwnPart): KindDefinition {
  return {
    group: '',
    singular: own.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    isNamespaced: true,
    storage: 'logged',
    verbs: writable,
    hasStatus: false,
    allowsStrategicMerge: true,
    allowsCreateOnUpdate: false,
    tracksGeneration: false,
    fieldSelectors: {},
    validate: () => [],
    deleteAnswer: 'status',
    ...own,
  };
}

/**
 * A kind of ours: like a custom resource, without strategic merge, with a generation, and held to
 * what its schema says of values.
 */
export function isthmusKind(own: Omit<OwnPart, 'version' | 'validateChange'>): KindDefinition {
  const { validate, validateUpdate } = own;
  const body = withoutMetadata(own.schema);
  const check = (next: KubeObject, old: KubeObject | undefined): readonly FieldError[] => [
    ...validateBySchema(body, {
      value: toJsonObject(next),
      old: old === undefined ? undefined : toJsonObject(old),
      field: '',
    }),
    ...(validate?.(next) ?? []),
  ];
  return loggedKind({
    group: 'isthmus.dev',
    version: 'v1alpha1',
    allowsStrategicMerge: false,
    tracksGeneration: true,
    categories: ['isthmus'],
    ...own,
    validate: (object) => check(object, undefined),
    validateChange: (next, old) => [...check(next, old), ...(validateUpdate?.(next, old) ?? [])],
  });
}

/** A question of ours: its answer comes with the creation, and nothing is stored. */
export function reviewKind(
  own: Pick<OwnPart, 'kind' | 'plural' | 'description' | 'schema'> &
    Required<Pick<KindDefinition, 'answerCreate'>>,
): KindDefinition {
  return isthmusKind({
    isNamespaced: false,
    categories: [], // nothing to list
    storage: 'virtual',
    verbs: ['create'],
    tracksGeneration: false,
    columns: [],
    ...own,
  });
}

/** Metadata has rules of its own, the same for every kind. */
function withoutMetadata(schema: Schema): Schema {
  if (schema.type !== 'object') return schema;
  const fields = Object.entries(schema.fields).filter(([name]) => name !== 'metadata');
  return { ...schema, fields: Object.fromEntries(fields) };
}

/** For kinds whose name is a part of something whose parts stand between dots. */
export function labelName(name: string, isPrefix: boolean): readonly string[] {
  return listLabelFaults(isPrefix ? maskTrailingDash(name) : name);
}

/** A read-only kind that is computed from other state. */
export function projectedKind(own: OwnPart): KindDefinition {
  return loggedKind({ storage: 'projected', verbs: ['get', 'list', 'watch'], ...own });
}
