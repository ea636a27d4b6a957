// Components of OpenAPI documents: each struct of a kind's schema becomes one named component with
// Kubernetes' extensions for lists, maps and patches.
//
//   O1. Every $ref of a document resolves within it.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { invariant } from '../../../../common/pure/errors.ts';
import type { KindDefinition } from '../kind.ts';
import type { Schema } from '../schema/schema.ts';

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
      description: `List of ${kind.plural}.`,
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
          ...(schema.pattern === undefined ? {} : { pattern: schema.pattern }),
          ...(schema.maxLength === undefined ? {} : { maxLength: schema.maxLength }),
        };
      case 'integer':
        return {
          type: 'integer',
          format: schema.format,
          description,
          ...(schema.minimum === undefined ? {} : { minimum: schema.minimum }),
          ...(schema.maximum === undefined ? {} : { maximum: schema.maximum }),
        };
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
    return goName === 'ObjectReference'
      ? 'io.k8s.api.core.v1.ObjectReference'
      : `${this.#package}.${goName}`;
  }

  #list(schema: Extract<Schema, { readonly type: 'list' }>): JsonObject {
    const { topology, patch } = schema;
    return {
      type: 'array',
      items: this.#item(schema.items),
      ...(schema.maxItems === undefined ? {} : { maxItems: schema.maxItems }),
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
