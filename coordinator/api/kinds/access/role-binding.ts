// rbac.authorization.k8s.io/v1 RoleBinding and ClusterRoleBinding: who has a role.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { rbacGroup } from '../../access/bindings.ts';
import type { Column, KindDefinition } from '../../machinery/kind.ts';
import {
  isRecord,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import { roleRef, subjects } from './access-schema.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { objectSchema } from '../common-schema.ts';
import { loggedKind } from '../definition.ts';
import {
  refuseBinding,
  refuseOtherRole,
  validateBinding,
  withBindingDefaults,
} from './rbac-rules.ts';

const columns: readonly Column[] = [
  nameColumn,
  column('Role', 'The role that is given.', (binding) => {
    const ref = ownRecord(binding, 'roleRef');
    return `${ownText(ref, 'kind')}/${ownText(ref, 'name')}`;
  }),
  ageColumn,
  column('Users', 'Users who have the role.', (binding) => listSubjects(binding, 'User'), {
    priority: 1,
  }),
  column('Groups', 'Groups that have the role.', (binding) => listSubjects(binding, 'Group'), {
    priority: 1,
  }),
  column(
    'ServiceAccounts',
    'Service accounts that have the role.',
    (binding) => listSubjects(binding, 'ServiceAccount'),
    { priority: 1 },
  ),
];

function listSubjects(binding: JsonObject, kind: string): string {
  return ownList(binding, 'subjects')
    .flatMap((subject) => (isRecord(subject) && ownText(subject, 'kind') === kind ? [subject] : []))
    .map((subject) => {
      const namespace = ownText(subject, 'namespace');
      const name = ownText(subject, 'name');
      return kind === 'ServiceAccount' && namespace !== '' ? `${namespace}/${name}` : name;
    })
    .join(', ');
}

function bindingKind(
  own: Pick<KindDefinition, 'kind' | 'plural' | 'isNamespaced' | 'description'>,
): KindDefinition {
  return loggedKind({
    ...own,
    group: rbacGroup,
    version: 'v1',
    allowsCreateOnUpdate: true,
    columns,
    schema: objectSchema(
      own.kind,
      own.description,
      { subjects, roleRef },
      { required: ['roleRef'], protobuf: { metadata: 1, subjects: 2, roleRef: 3 } },
    ),
    setDefaults: (binding) => toKubeObject(withBindingDefaults(toJsonObject(binding))),
    refuseWrite: (next, old, context) => refuseBinding(own.plural, { next, old }, context),
    validate: (binding) => validateBinding(toJsonObject(binding), own.isNamespaced),
    validateUpdate: refuseOtherRole,
  });
}

export const roleBindingKind: KindDefinition = bindingKind({
  kind: 'RoleBinding',
  plural: 'rolebindings',
  isNamespaced: true,
  description: 'Gives a role to people, in one namespace.',
});

export const clusterRoleBindingKind: KindDefinition = bindingKind({
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  isNamespaced: false,
  description: 'Gives a cluster role to people, everywhere.',
});
