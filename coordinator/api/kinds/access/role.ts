// rbac.authorization.k8s.io/v1 Role and ClusterRole: what somebody may do who is bound to them.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { rbacGroup } from '../../access/bindings.ts';
import type { KindDefinition } from '../../machinery/kind.ts';
import {
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import { aggregationRule, rules } from './access-schema.ts';
import { column, nameColumn } from '../columns.ts';
import { objectSchema } from '../common-schema.ts';
import { loggedKind } from '../definition.ts';
import { refuseEscalation, validateAggregation, validateRules } from './rbac-rules.ts';
import { kept } from '../schema-parts.ts';

// Without a printer of their own, Kubernetes shows roles as it shows any object.
const createdColumn = column(
  'Created At',
  'Time at which the object was created.',
  (role) => ownText(ownRecord(role, 'metadata'), 'creationTimestamp'),
  { type: 'date' },
);

const common = {
  group: rbacGroup,
  version: 'v1',
  allowsCreateOnUpdate: true,
  columns: [nameColumn, createdColumn],
} as const;

const roleDescription = 'What may be done in one namespace.';

export const roleKind: KindDefinition = loggedKind({
  ...common,
  kind: 'Role',
  plural: 'roles',
  description: roleDescription,
  schema: objectSchema('Role', roleDescription, { rules }, { protobuf: { metadata: 1, rules: 2 } }),
  prepareForCreate: (role) => toKubeObject(withRules(toJsonObject(role))),
  prepareForUpdate: (role) => toKubeObject(withRules(toJsonObject(role))),
  refuseWrite: (next, old, context) => refuseEscalation('roles', { next, old }, context),
  validate: (role) => validateRules(toJsonObject(role), true),
});

const clusterRoleDescription = 'What may be done in every namespace, or in those it is bound in.';

export const clusterRoleKind: KindDefinition = loggedKind({
  ...common,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  isNamespaced: false,
  description: clusterRoleDescription,
  schema: objectSchema(
    'ClusterRole',
    clusterRoleDescription,
    { rules, aggregationRule: kept(aggregationRule) },
    { protobuf: { metadata: 1, rules: 2, aggregationRule: 3 } },
  ),
  prepareForCreate: (role) => toKubeObject(withRules(toJsonObject(role))),
  prepareForUpdate: (role) => toKubeObject(withRules(toJsonObject(role))),
  refuseWrite: (next, old, context) => refuseEscalation('clusterroles', { next, old }, context),
  validate: (role) => {
    const json = toJsonObject(role);
    return [...validateRules(json, false), ...validateAggregation(json)];
  },
});

/** Kubernetes answers `rules: null` where there are none, and nobody owns them then. */
function withRules(role: JsonObject): JsonObject {
  const { aggregationRule: aggregation, rules: given, ...rest } = role;
  return {
    ...rest,
    rules: given ?? null,
    ...(aggregation === undefined ? {} : { aggregationRule: aggregation }),
  };
}
