// Schemas that every kind has (metadata) or many share (conditions, references), and the frame
// that makes an object's schema out of its spec and status.

import type { Schema } from '../machinery/schema/schema.ts';
import {
  anything,
  flag,
  int64,
  keyedList,
  kept,
  list,
  struct,
  text,
  textMap,
  texts,
  time,
} from './schema-parts.ts';

const ownerReference = struct(
  'OwnerReference',
  'Names an object that this one depends on; when the last owner goes, so does this one.',
  {
    apiVersion: text('API group and version of the owner.'),
    kind: text('Kind of the owner.'),
    name: text('Name of the owner.'),
    uid: text('UID of the owner.'),
    controller: kept(flag('True for the one owner that manages this object.')),
    blockOwnerDeletion: kept(
      flag('True keeps an owner deleted in the foreground until this object is gone.'),
    ),
  },
  {
    required: ['apiVersion', 'kind', 'name', 'uid'],
    isAtomic: true,
    protobuf: { kind: 1, name: 3, uid: 4, apiVersion: 5, controller: 6, blockOwnerDeletion: 7 },
  },
);

const managedFieldsEntry = struct(
  'ManagedFieldsEntry',
  'What one field manager owns through one kind of write.',
  {
    manager: text('Name of the program or person that wrote the fields.'),
    operation: text('Apply for server-side apply, Update for every other write.'),
    apiVersion: text('API version in which the fields are named.'),
    time: time('When this manager last changed its set of fields.'),
    fieldsType: text('Format of fieldsV1; always FieldsV1.'),
    fieldsV1: anything('The set of fields, as a tree.'),
    subresource: text('The subresource written to, empty for the object itself.'),
  },
  {
    protobuf: {
      manager: 1,
      operation: 2,
      apiVersion: 3,
      time: 4,
      fieldsType: 6,
      fieldsV1: 7,
      subresource: 8,
    },
  },
);

export const objectMeta: Schema = struct(
  'ObjectMeta',
  'What every object carries: its identity, its labels and who wrote it.',
  {
    name: text('Name, unique among objects of this kind in the namespace. Cannot be changed.'),
    generateName: text('Beginning of a name that the server completes when name is empty.'),
    namespace: text('Namespace that holds the object. Empty for cluster-scoped kinds.'),
    selfLink: text('Unused; kept for old clients.'),
    uid: text('Identifier that no other object, past or future, ever has. Set by the server.'),
    resourceVersion: text('Changes with every write; send it back to refuse a lost update.'),
    generation: int64('Counts the changes of the spec. Set by the server.'),
    creationTimestamp: time('When the server created the object.'),
    deletionTimestamp: time('When deletion was asked for; the object goes once it may.'),
    deletionGracePeriodSeconds: kept(int64('Seconds that a graceful deletion may take.')),
    labels: textMap('Keys and values to select objects by.'),
    annotations: textMap('Keys and values that tools keep with the object; not for selection.'),
    ownerReferences: keyedList('Objects that this one depends on.', ownerReference, ['uid']),
    finalizers: {
      type: 'list',
      description: 'Names of those who must finish before the object can go.',
      items: text('One name, such as example.com/cleanup.'),
      topology: { kind: 'set' },
      patch: { kind: 'merge' },
    },
    managedFields: kept(list('Which manager owns which field.', managedFieldsEntry)),
  },
  {
    protobuf: {
      name: 1,
      generateName: 2,
      namespace: 3,
      selfLink: 4,
      uid: 5,
      resourceVersion: 6,
      generation: 7,
      creationTimestamp: 8,
      deletionTimestamp: 9,
      deletionGracePeriodSeconds: 10,
      labels: 11,
      annotations: 12,
      ownerReferences: 13,
      finalizers: 14,
      managedFields: 17,
    },
  },
);

export const condition: Schema = struct(
  'Condition',
  'One aspect of the state of an object.',
  {
    type: text('Name of the aspect, in CamelCase.'),
    status: text('True, False or Unknown.', ['True', 'False', 'Unknown']),
    observedGeneration: int64('metadata.generation that this condition was found for.'),
    lastTransitionTime: time('When status last changed.'),
    reason: kept(text('Why, as one CamelCase word for programs.')),
    message: kept(text('Why, as a sentence for people.')),
  },
  {
    required: ['type', 'status', 'lastTransitionTime', 'reason', 'message'],
    protobuf: {
      type: 1,
      status: 2,
      observedGeneration: 3,
      lastTransitionTime: 4,
      reason: 5,
      message: 6,
    },
  },
);

export const conditions: Schema = keyedList(
  'Aspects of the current state, one entry per type.',
  condition,
  ['type'],
);

export const objectReference: Schema = struct(
  'ObjectReference',
  'Points at another object.',
  {
    kind: text('Kind of the object.'),
    namespace: text('Namespace of the object.'),
    name: text('Name of the object.'),
    uid: text('UID of the object.'),
    apiVersion: text('API version of the object.'),
    resourceVersion: text('Version of the object that is meant, if one is.'),
    fieldPath: text('Part of the object that is meant, such as spec.containers{web}.'),
  },
  {
    isAtomic: true,
    protobuf: {
      kind: 1,
      namespace: 2,
      name: 3,
      uid: 4,
      apiVersion: 5,
      resourceVersion: 6,
      fieldPath: 7,
    },
  },
);

/** metav1.LabelSelectorRequirement. */
export const labelSelectorRequirement: Schema = struct(
  'LabelSelectorRequirement',
  'One demand on a label.',
  {
    key: text('Key of the label.'),
    operator: text('How the label is compared: In, NotIn, Exists or DoesNotExist.'),
    values: texts('What it is compared with, for In and NotIn.'),
  },
  { required: ['key', 'operator'], protobuf: { key: 1, operator: 2, values: 3 } },
);

/** metav1.LabelSelector. */
export const labelSelector: Schema = struct(
  'LabelSelector',
  'Chooses objects by their labels. All demands must hold; none at all choose everything.',
  {
    matchLabels: textMap('Labels that an object must have, with these values.'),
    matchExpressions: list('Further demands on the labels.', labelSelectorRequirement),
  },
  { isAtomic: true, protobuf: { matchLabels: 1, matchExpressions: 2 } },
);

/** The schema of a kind: apiVersion, kind, metadata, then `fields`. */
export function objectSchema(
  goName: string,
  description: string,
  fields: Readonly<Record<string, Schema>>,
  options: {
    readonly required?: readonly string[];
    readonly protobuf?: Readonly<Record<string, number>>;
  } = {},
): Schema {
  return struct(
    goName,
    description,
    {
      kind: text('Name of the kind, in CamelCase.'),
      apiVersion: text('Group and version of the schema that the object is written in.'),
      metadata: objectMeta,
      ...fields,
    },
    { required: [], ...options },
  );
}
