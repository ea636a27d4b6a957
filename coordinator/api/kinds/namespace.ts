// v1 Namespace. Deleting one is two steps: it terminates, its content goes, then it goes.

import type { JsonObject, KubeObject } from '../../../common/model/kube-object.ts';
import { invalidValue } from '../machinery/rules/field-errors.ts';
import { ownList, ownRecord, ownText, toJsonObject } from '../machinery/schema/json-value.ts';
import type { FieldError, KindDefinition } from '../machinery/kind.ts';
import { listLabelFaults, listQualifiedNameFaults } from '../machinery/rules/name-rules.ts';
import { objectSchema } from './common-schema.ts';
import { maskTrailingDash } from '../machinery/rules/object-rules.ts';
import { ageColumn, column, nameColumn } from './columns.ts';
import { loggedKind } from './definition.ts';
import { keyedList, struct, text, texts, time } from './schema-parts.ts';

export const namespaceNameLabel = 'kubernetes.io/metadata.name';

/** Who empties the namespace: our collector, under the name that clients know. */
const ours = 'kubernetes';

/** Namespaces that every client counts on. */
const protectedNames: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

const spec = struct(
  'NamespaceSpec',
  'What is wanted of the namespace.',
  {
    finalizers: texts('Who must finish before the namespace can go.'),
  },
  { protobuf: { finalizers: 1 } },
);

// Older than metav1.Condition, and numbered without its observedGeneration.
const condition = struct(
  'NamespaceCondition',
  'One aspect of the state of the namespace.',
  {
    type: text('Name of the aspect, in CamelCase.'),
    status: text('True, False or Unknown.', ['True', 'False', 'Unknown']),
    lastTransitionTime: time('When status last changed.'),
    reason: text('Why, as one CamelCase word for programs.'),
    message: text('Why, as a sentence for people.'),
  },
  {
    required: ['type', 'status'],
    protobuf: { type: 1, status: 2, lastTransitionTime: 4, reason: 5, message: 6 },
  },
);

const status = struct(
  'NamespaceStatus',
  'State of the namespace.',
  {
    phase: text('Active, or Terminating while its content is removed.', ['Active', 'Terminating']),
    conditions: keyedList('Aspects of the current state, one entry per type.', condition, ['type']),
  },
  { protobuf: { phase: 1, conditions: 2 } },
);

export const namespaceKind: KindDefinition = loggedKind({
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  isNamespaced: false,
  hasStatus: true,
  hasFinalize: true,
  // All namespaces at once is nothing that Kubernetes offers to delete.
  verbs: ['create', 'get', 'list', 'watch', 'update', 'patch', 'delete'],
  deleteAnswer: 'object',
  description: 'A scope for names: objects of two namespaces may have the same name.',
  schema: objectSchema(
    'Namespace',
    'A scope for names: objects of two namespaces may have the same name.',
    { spec, status },
    { protobuf: { metadata: 1, spec: 2, status: 3 } },
  ),
  columns: [nameColumn, column('Status', 'Active or Terminating.', phaseOf), ageColumn],
  fieldSelectors: {
    name: ({ metadata }) => metadata.name, // as old clients ask
    'status.phase': (namespace) => phaseOf(toJsonObject(namespace)),
  },
  setDefaults: withNameLabel,
  prepareForCreate: (namespace) => ({
    ...withNameLabel(namespace),
    spec: { finalizers: withOurs(finalizersOf(namespace)) },
    status: { phase: 'Active' },
  }),
  prepareForUpdate: (next, old, { subresource }) => {
    const labelled = withNameLabel(next);
    // Only `finalize` says who must still finish.
    if (subresource === 'finalize') return labelled;
    const { spec: _next, ...rest } = labelled;
    return { ...rest, ...(old.spec === undefined ? {} : { spec: old.spec }) };
  },
  nameRule: (name, isPrefix) => listLabelFaults(isPrefix ? maskTrailingDash(name) : name),
  holdsDeletion: (namespace) => finalizersOf(namespace).length > 0,
  validate: (namespace) => checkFinalizers(namespace),
  validateChange: (next, _old, subresource) => {
    if (subresource === 'finalize') return checkFinalizers(next, true);
    return subresource === 'status' ? checkPhase(next) : checkFinalizers(next);
  },
  forbidDelete: ({ metadata }) =>
    protectedNames.has(metadata.name) ? 'this namespace may not be deleted' : undefined,
});

/** spec.finalizers: who must finish before the namespace can go. */
function finalizersOf(namespace: KubeObject): readonly string[] {
  return ownList(ownRecord(toJsonObject(namespace), 'spec'), 'finalizers').map(String);
}

function withOurs(finalizers: readonly string[]): readonly string[] {
  return finalizers.includes(ours) ? finalizers : [...finalizers, ours];
}

// The endpoint `finalize` names the entry, the object itself only the list (validation.go).
function checkFinalizers(namespace: KubeObject, hasIndex = false): readonly FieldError[] {
  return finalizersOf(namespace).flatMap((name, index) => {
    const field = hasIndex ? `spec.finalizers[${index}]` : 'spec.finalizers';
    const faults = listQualifiedNameFaults(name);
    const isKnown = name.includes('/') || standardFinalizers.has(name);
    const unknown = 'name is neither a standard finalizer name nor is it fully qualified';
    return [...faults, ...(isKnown ? [] : [unknown])].map((fault) =>
      invalidValue(field, name, fault),
    );
  });
}

const standardFinalizers: ReadonlySet<string> = new Set([ours, 'orphan', 'foregroundDeletion']);

function checkPhase(namespace: KubeObject): readonly FieldError[] {
  const phase = phaseOf(toJsonObject(namespace));
  const isGoing = namespace.metadata.deletionTimestamp !== undefined;
  const wanted = isGoing ? 'Terminating' : 'Active';
  if (phase === wanted) return [];
  const when = isGoing ? 'is not empty' : 'is empty';
  const detail = `may only be '${wanted}' if \`deletionTimestamp\` ${when}`;
  return [invalidValue('status.Phase', phase, detail)];
}

function phaseOf(namespace: JsonObject): string {
  return ownText(ownRecord(namespace, 'status'), 'phase');
}

/** Selectors of other tools rely on this label being the name. */
function withNameLabel(namespace: KubeObject): KubeObject {
  const { metadata } = namespace;
  if ((metadata.name ?? '') === '') return namespace; // generated later
  const labels = { ...metadata.labels, [namespaceNameLabel]: metadata.name };
  return { ...namespace, metadata: { ...metadata, labels } };
}
