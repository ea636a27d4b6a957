// A CustomResourceDefinition with the schema of one of our kinds, for a real kube-apiserver.

import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import type { KindDefinition } from '../../coordinator/api/machinery/kind.ts';
import type { Schema } from '../../coordinator/api/machinery/schema/schema.ts';

export function toCustomResource(kind: KindDefinition): JsonObject {
  const { group, version, plural, singular, shortNames, categories } = kind;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: kind.isNamespaced ? 'Namespaced' : 'Cluster',
      names: { kind: kind.kind, plural, singular, shortNames, categories },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: toRoot(kind.schema) },
          ...(kind.hasStatus ? { subresources: { status: {} } } : {}),
        },
      ],
    },
  };
}

/** Metadata and the names of kinds are kube-apiserver's own. */
function toRoot(schema: Schema): Json {
  if (schema.type !== 'object') return {};
  const { metadata: _own, apiVersion: _version, kind: _kind, ...fields } = schema.fields;
  return toProps({ ...schema, fields });
}

function toProps(schema: Schema): JsonObject {
  switch (schema.type) {
    case 'object':
      return {
        type: 'object',
        properties: Object.fromEntries(
          Object.entries(schema.fields).map(([name, field]) => [name, toProps(field)]),
        ),
        ...(schema.required === undefined ? {} : { required: schema.required }),
        ...(schema.isAtomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      };
    case 'map':
      return { type: 'object', additionalProperties: toProps(schema.values) };
    case 'list':
      return {
        type: 'array',
        items: toProps(schema.items),
        ...(schema.maxItems === undefined ? {} : { maxItems: schema.maxItems }),
        'x-kubernetes-list-type': schema.topology.kind,
        ...(schema.topology.kind === 'map'
          ? { 'x-kubernetes-list-map-keys': schema.topology.keys }
          : {}),
      };
    case 'string':
      return {
        type: 'string',
        ...(schema.format === undefined ? {} : { format: schema.format }),
        ...(schema.enum === undefined ? {} : { enum: schema.enum }),
        ...(schema.pattern === undefined ? {} : { pattern: schema.pattern }),
        ...(schema.maxLength === undefined ? {} : { maxLength: schema.maxLength }),
      };
    case 'integer':
      return {
        type: 'integer',
        format: schema.format,
        ...(schema.minimum === undefined ? {} : { minimum: schema.minimum }),
        ...(schema.maximum === undefined ? {} : { maximum: schema.maximum }),
      };
    case 'intOrString':
      return { 'x-kubernetes-int-or-string': true };
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    default:
      return { type: schema.type };
  }
}
