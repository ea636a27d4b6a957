// Components of OpenAPI documents: each struct of a kind's schema becomes one named component with
// Kubernetes' extensions for lists, maps and patches.
//
//   O1. Every $ref of a document resolves within it.

import type { JsonObject } from '../../../common/model/kube-object.ts';
import { invariant } from '../../../common/pure/errors.ts';
import type { KindDefinition } from './kind.ts';
import type { Schema } from './schema.ts';

type ObjectSchema = Extract<Schema, { readonly type: 'object' }>;

const metaPackage = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const metaNames: ReadonlySet<string> = new Set([
  'Condition',
  'LabelSelector',
  'LabelSelectorRequirement',
  'ManagedFieldsEntry',
  'ObjectMeta',
  'OwnerReference',
]);

export function toMetaName(name: string): string {
  return `${metaPackage}.${name}`;
}

export function toRef(component: string): JsonObject {
  return { $ref: `#/components/schemas/${component}` };
}

export interface TypeName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The component of a kind, such as `io.k8s.api.core.v1.Service`. */
export function toComponentName({ group, version, kind }: TypeName): string {
  return `${packageOf(group, version)}.${kind}`;
}

function packageOf(group: string, version: string): string {
  if (group === '') return `io.k8s.api.core.${version}`;
  const [first = group] = group.split('.');
  if (group.endsWith('.k8s.io')) return `io.k8s.api.${first}.${version}`;
  return `${group.split('.').toReversed().join('.')}.${version}`;
}

/** Collects the components of the kinds of one group and version. */
export class Components {
  readonly #package: string;
  readonly #schemas = new Map<string, JsonObject>();
  readonly #sources = new Map<string, Schema>();

  constructor(group: string, version: string) {
    this.#package = packageOf(group, version);
  }

  add(name: string, schema: JsonObject): void {
    this.#schemas.set(name, schema);
  }

  /** The kind itself and its list. */
  addKind(kind: KindDefinition): void {
    const name = toComponentName(kind);
    invariant(kind.schema.type === 'object', `${kind.kind} is no object`);
    this.#addObject(name, kind.schema, {
      description: kind.description,
      'x-kubernetes-group-version-kind': [toGvk(kind)],
    });
    this.add(`${name}List`, {
      description: `A list of ${kind.plural}.`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { type: 'string', description: 'Group and version of the schema of the list.' },
        kind: { type: 'string', description: 'Name of the kind of the list.' },
        metadata: described('What the list as a whole carries.', toRef(toMetaName('ListMeta'))),
        items: {
          type: 'array',
          description: 'The objects.',
          items: { allOf: [toRef(name)], default: {} },
        },
      },
      'x-kubernetes-group-version-kind': [toGvk({ ...kind, kind: `${kind.kind}List` })],
    });
  }

  build(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #addObject(name: string, schema: ObjectSchema, extra: JsonObject = {}): void {
    const known = this.#sources.get(name);
    invariant(known === undefined || known === schema, `two schemas are named ${name}`);
    if (known !== undefined) return;
    this.#sources.set(name, schema);
    const required = schema.required ?? [];
    const fields = Object.entries(schema.fields);
    // A struct's description stands at the field that has it; explain would print it twice.
    this.add(name, {
      type: 'object',
      ...(required.length === 0 ? {} : { required }),
      properties: Object.fromEntries(fields.map(([key, field]) => [key, this.#property(field)])),
      ...(schema.isAtomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...extra,
    });
  }

  #property(schema: Schema): JsonObject {
    const { description } = schema;
    switch (schema.type) {
      case 'object':
        return described(description, this.#refer(schema));
      case 'list':
        return { ...this.#list(schema), description };
      case 'map':
        return {
          type: 'object',
          description,
          additionalProperties: this.#item(schema.values),
          ...(schema.isAtomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
        };
      case 'intOrString':
        return described(description, toRef('io.k8s.apimachinery.pkg.util.intstr.IntOrString'));
      case 'any':
        return { type: 'object', description };
      case 'string':
        return {
          type: 'string',
          description,
          ...(schema.format === undefined ? {} : { format: schema.format }),
          ...(schema.enum === undefined ? {} : { enum: schema.enum }),
        };
      case 'integer':
        return { type: 'integer', format: schema.format, description };
      default:
        return { type: schema.type, description };
    }
  }

  #refer(schema: ObjectSchema): JsonObject {
    const goName = schema.goName;
    invariant(goName !== undefined, 'a struct has a name');
    const name = this.#nameOf(goName);
    this.#addObject(name, schema);
    return toRef(name);
  }

  #nameOf(goName: string): string {
    if (metaNames.has(goName)) return toMetaName(goName);
    // The one core type that other groups refer to.
    return goName === 'ObjectReference' ? 'io.k8s.api.core.v1.ObjectReference' : `${this.#package}.${goName}`;
  }

  #list(schema: Extract<Schema, { readonly type: 'list' }>): JsonObject {
    const { topology, patch } = schema;
    return {
      type: 'array',
      items: this.#item(schema.items),
      'x-kubernetes-list-type': topology.kind,
      ...(topology.kind === 'map' ? { 'x-kubernetes-list-map-keys': topology.keys } : {}),
      ...(patch.kind === 'merge' ? { 'x-kubernetes-patch-strategy': 'merge' } : {}),
      ...(patch.kind === 'merge' && patch.key !== undefined
        ? { 'x-kubernetes-patch-merge-key': patch.key }
        : {}),
    };
  }

  /** Items of lists and maps: as a property, without a description of their own when scalar. */
  #item(schema: Schema): JsonObject {
    if (schema.type === 'object') return { allOf: [this.#refer(schema)], default: {} };
    const { description: _description, ...item } = this.#property(schema);
    return item;
  }
}

function described(description: string, ref: JsonObject): JsonObject {
  return { description, allOf: [ref], default: {} };
}

export function toGvk({ group, version, kind }: TypeName): JsonObject {
  return { group, kind, version };
}

/** Components that every document has: lists' metadata, statuses, options, patches. */
export function addMetaComponents(components: Components): void {
  const string = (description: string): JsonObject => ({ type: 'string', description });
  const object = (description: string, properties: JsonObject): JsonObject => ({
    type: 'object',
    description,
    properties,
  });
  const integer = (description: string): JsonObject => ({
    type: 'integer',
    format: 'int64',
    description,
  });
  components.add('io.k8s.apimachinery.pkg.util.intstr.IntOrString', {
    description: 'A number or a name.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  });
  components.add(toMetaName('Patch'), { type: 'object', description: 'A change to an object.' });
  components.add(
    toMetaName('ListMeta'),
    object('What a list as a whole carries.', {
      continue: string('Token for the next page.'),
      remainingItemCount: integer('How many objects follow.'),
      resourceVersion: string('The version that the list shows; watch from here.'),
      selfLink: string('Unused.'),
    }),
  );
  components.add(
    toMetaName('StatusCause'),
    object('One of several reasons.', {
      field: string('The field that is at fault.'),
      message: string('The reason, as a sentence.'),
      reason: string('The reason, as one word.'),
    }),
  );
  components.add(
    toMetaName('StatusDetails'),
    object('What a status is about.', {
      causes: {
        type: 'array',
        description: 'All the reasons.',
        items: toRef(toMetaName('StatusCause')),
      },
      group: string('Group of the resource.'),
      kind: string('The resource or kind.'),
      name: string('Name of the object.'),
      retryAfterSeconds: integer('Seconds after which to try again.'),
      uid: string('UID of the object.'),
    }),
  );
  components.add(toMetaName('Status'), {
    ...object('The outcome of a request.', {
      apiVersion: string('Always v1.'),
      kind: string('Always Status.'),
      code: integer('The HTTP status.'),
      details: { allOf: [toRef(toMetaName('StatusDetails'))], description: 'What it is about.' },
      message: string('The outcome, as a sentence.'),
      metadata: { allOf: [toRef(toMetaName('ListMeta'))], description: 'As of a list.' },
      reason: string('The outcome, as one word.'),
      status: string('Success or Failure.'),
    }),
    'x-kubernetes-group-version-kind': [toGvk({ group: '', version: 'v1', kind: 'Status' })],
  });
  components.add(
    toMetaName('Preconditions'),
    object('What must hold before a delete.', {
      resourceVersion: string('The version that the object must have.'),
      uid: string('The UID that the object must have.'),
    }),
  );
  components.add(toMetaName('DeleteOptions'), {
    ...object('How to delete.', {
      apiVersion: string('Group and version of the schema of the options.'),
      kind: string('Always DeleteOptions.'),
      dryRun: { type: 'array', description: 'All for a rehearsal.', items: { type: 'string' } },
      gracePeriodSeconds: integer('Seconds that it may take.'),
      orphanDependents: { type: 'boolean', description: 'The older form of propagationPolicy.' },
      preconditions: {
        allOf: [toRef(toMetaName('Preconditions'))],
        description: 'What must hold.',
      },
      propagationPolicy: string('Foreground, Background or Orphan.'),
    }),
    'x-kubernetes-group-version-kind': [
      toGvk({ group: '', version: 'v1', kind: 'DeleteOptions' }),
    ],
  });
}
