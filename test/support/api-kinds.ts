// Kinds for tests of the API machinery, which knows none: a namespace, one like a Service, one
// like a custom resource, and a projected one.

import type { KubeObject } from '../../common/model/kube-object.ts';
import type { KindDefinition } from '../../coordinator/api/machinery/kind.ts';
import type { Schema } from '../../coordinator/api/machinery/schema/schema.ts';

const text = (description: string): Schema => ({ type: 'string', description });
const texts = (description: string): Schema => ({
  type: 'map',
  values: text('Value.'),
  description,
});

const metadata: Schema = {
  type: 'object',
  description: 'Standard metadata.',
  goName: 'ObjectMeta',
  fields: {
    name: text('Name.'),
    generateName: text('Prefix of a generated name.'),
    namespace: text('Namespace.'),
    uid: text('Uid.'),
    resourceVersion: text('Version.'),
    generation: { type: 'integer', format: 'int64', description: 'Generation.' },
    creationTimestamp: { type: 'string', format: 'date-time', description: 'Birth.' },
    deletionTimestamp: { type: 'string', format: 'date-time', description: 'Deletion.' },
    deletionGracePeriodSeconds: { type: 'integer', format: 'int64', description: 'Grace.' },
    labels: texts('Labels.'),
    annotations: texts('Annotations.'),
    finalizers: {
      type: 'list',
      items: text('Finalizer.'),
      topology: { kind: 'set' },
      patch: { kind: 'merge' },
      description: 'Finalizers.',
    },
    managedFields: {
      type: 'list',
      items: { type: 'any', description: 'Entry.' },
      topology: { kind: 'atomic' },
      patch: { kind: 'replace' },
      description: 'Owners.',
    },
  },
};

function schemaOf(kind: string, fields: Readonly<Record<string, Schema>>): Schema {
  return {
    type: 'object',
    goName: kind,
    description: `A ${kind}.`,
    fields: { apiVersion: text('Version.'), kind: text('Kind.'), metadata, ...fields },
  };
}

const object = (goName: string, fields: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  goName,
  description: `A ${goName}.`,
  fields,
});

function kindOf(
  part: Partial<KindDefinition> & Pick<KindDefinition, 'kind' | 'plural' | 'schema'>,
): KindDefinition {
  return {
    group: 'test.dev',
    version: 'v1',
    singular: part.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    isNamespaced: true,
    storage: 'logged',
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    hasStatus: false,
    allowsStrategicMerge: false,
    allowsCreateOnUpdate: false,
    tracksGeneration: false,
    columns: [
      {
        name: 'Name',
        type: 'string',
        format: 'name',
        description: 'Name.',
        priority: 0,
        cell: ({ metadata: meta }) => meta.name,
      },
    ],
    fieldSelectors: {},
    validate: () => [],
    deleteAnswer: 'status',
    description: `A ${part.kind}.`,
    ...part,
  };
}

function sizeOf(object: KubeObject): number {
  const spec: { readonly size?: unknown } = object.spec ?? {};
  return typeof spec.size === 'number' ? spec.size : 0;
}

export const widgetKind = kindOf({
  kind: 'Widget',
  plural: 'widgets',
  shortNames: ['wd'],
  categories: ['all'],
  hasStatus: true,
  tracksGeneration: true,
  schema: schemaOf('Widget', {
    spec: object('WidgetSpec', {
      size: { type: 'integer', format: 'int32', description: 'Size.' },
      colour: text('Colour.'),
    }),
    status: object('WidgetStatus', { phase: text('Phase.') }),
  }),
  fieldSelectors: { 'spec.size': (widget) => String(sizeOf(widget)) },
  validate: (widget) =>
    sizeOf(widget) < 0
      ? [
          {
            field: 'spec.size',
            reason: 'FieldValueInvalid',
            message: `Invalid value: ${sizeOf(widget)}: must not be negative`,
          },
        ]
      : [],
});

/** Like a Service: created by PUT, no generation, the deleted object is the answer. */
export const gadgetKind = kindOf({
  group: '',
  kind: 'Gadget',
  plural: 'gadgets',
  allowsStrategicMerge: true,
  allowsCreateOnUpdate: true,
  deleteAnswer: 'object',
  schema: schemaOf('Gadget', { spec: object('GadgetSpec', { colour: text('Colour.') }) }),
});

export const namespaceKind = kindOf({
  group: '',
  kind: 'Namespace',
  plural: 'namespaces',
  isNamespaced: false,
  hasStatus: true,
  allowsStrategicMerge: true,
  deleteAnswer: 'object',
  schema: schemaOf('Namespace', {
    spec: object('NamespaceSpec', {}),
    status: object('NamespaceStatus', { phase: text('Phase.') }),
  }),
  forbidDelete: ({ metadata: meta }) =>
    meta.name === 'default' ? 'this namespace may not be deleted' : undefined,
});

export const shadowKind = kindOf({
  kind: 'Shadow',
  plural: 'shadows',
  storage: 'projected',
  verbs: ['get', 'list', 'watch'],
  schema: schemaOf('Shadow', {}),
});
