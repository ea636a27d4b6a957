// apiextensions.k8s.io/v1 CustomResourceDefinition: there are none, and nobody can make one. It is
// served because clients look there for a kind before they read OpenAPI: Terraform's
// kubernetes_manifest plans nothing where discovery lacks it, and kubectl reports a broken server
// instead of `no matches for kind` where the list is missing.

import type { KindDefinition } from '../machinery/kind.ts';
import { ageColumn, nameColumn } from './columns.ts';
import { objectSchema } from './common-schema.ts';
import { projectedKind } from './definition.ts';
import { anything, list, struct, text } from './schema-parts.ts';

const description = 'A kind that users define themselves. This API has none.';

export const customResourceDefinitionKind: KindDefinition = projectedKind({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  isNamespaced: false,
  description,
  schema: objectSchema('CustomResourceDefinition', description, {
    spec: struct('CustomResourceDefinitionSpec', 'What the kind is.', {
      group: text('API group of the kind.'),
      names: anything('How the kind is called.'),
      scope: text('Namespaced or Cluster.'),
      versions: list('Versions of the kind.', anything('One version, with its schema.')),
    }),
  }),
  columns: [nameColumn, ageColumn],
});
