// v1 Namespace. Deleting one is two steps: it terminates, its content goes, then it goes.

import type { JsonObject, KubeObject } from '../../../common/model/kube-object.ts';
import { invalidValue } from '../machinery/field-errors.ts';
import { ownRecord, ownText, toJsonObject } from '../machinery/json-value.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import { checkLabel1123 } from '../machinery/name-rules.ts';
import { conditions, objectSchema } from './common-schema.ts';
import { ageColumn, column, nameColumn } from './columns.ts';
import { loggedKind } from './definition.ts';
import { struct, text, texts } from './schema-parts.ts';

export const namespaceNameLabel = 'kubernetes.io/metadata.name';

/** Namespaces that every client counts on. */
const protectedNames: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

const spec = struct('NamespaceSpec', 'What is wanted of the namespace.', {
  finalizers: texts('Who must finish before the namespace can go.'),
});

const status = struct('NamespaceStatus', 'State of the namespace.', {
  phase: text('Active, or Terminating while its content is removed.', ['Active', 'Terminating']),
  conditions,
});

export const namespaceKind: KindDefinition = loggedKind({
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  isNamespaced: false,
  hasStatus: true,
  deleteAnswer: 'object',
  description: 'A scope for names: objects of two namespaces may have the same name.',
  schema: objectSchema(
    'Namespace',
    'A scope for names: objects of two namespaces may have the same name.',
    { spec, status },
  ),
  columns: [nameColumn, column('Status', 'Active or Terminating.', phaseOf), ageColumn],
  fieldSelectors: { 'status.phase': (namespace) => phaseOf(toJsonObject(namespace)) },
  prepareForCreate: (namespace) => ({
    ...withNameLabel(namespace),
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }),
  prepareForUpdate: withNameLabel,
  validate: ({ metadata }) => {
    const wrong = metadata.name === '' ? undefined : checkLabel1123(metadata.name);
    return wrong === undefined ? [] : [invalidValue('metadata.name', metadata.name, wrong)];
  },
  forbidDelete: ({ metadata }) =>
    protectedNames.has(metadata.name) ? 'this namespace may not be deleted' : undefined,
});

function phaseOf(namespace: JsonObject): string {
  return ownText(ownRecord(namespace, 'status'), 'phase');
}

/** Selectors of other tools rely on this label being the name. */
function withNameLabel(namespace: KubeObject): KubeObject {
  const { metadata } = namespace;
  const labels = { ...metadata.labels, [namespaceNameLabel]: metadata.name };
  return { ...namespace, metadata: { ...metadata, labels } };
}
