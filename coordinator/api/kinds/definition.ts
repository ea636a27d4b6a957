// What kinds have in common, so that a kind's file says only what is its own.

import type { KindDefinition, Verb } from '../machinery/kind.ts';

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

/** A kind of ours: like a custom resource, without strategic merge and with a generation. */
export function isthmusKind(own: Omit<OwnPart, 'version'>): KindDefinition {
  return loggedKind({
    group: 'isthmus.dev',
    version: 'v1alpha1',
    allowsStrategicMerge: false,
    tracksGeneration: true,
    categories: ['isthmus'],
    ...own,
  });
}

/** A read-only kind that is computed from other state. */
export function projectedKind(own: OwnPart): KindDefinition {
  return loggedKind({ storage: 'projected', verbs: ['get', 'list', 'watch'], ...own });
}
