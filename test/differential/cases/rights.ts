// Rights in depth: who may give what to whom, the reviews' refusals, and acting as others.

import { get, patch, post, put, type Area, type HttpOptions } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;

const as = (user: string, more: Readonly<Record<string, string>> = {}): HttpOptions => ({
  headers: { 'impersonate-user': user, ...more },
});
const ann = as('ann', { 'impersonate-group': 'writers' });
const group = 'rbac.authorization.k8s.io';
const rbac = `/apis/${group}/v1`;
const roles = `${rbac}/namespaces/{ns}/roles`;
const bindings = `${rbac}/namespaces/{ns}/rolebindings`;
const clusterRoles = `${rbac}/clusterroles`;
const reviews = '/apis/authorization.k8s.io/v1';

const toRole = (kind: string, name: string, rules: unknown, more: Fields = {}): Fields => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name },
  rules,
  ...more,
});
const role = (name: string, ...rules: readonly Fields[]): Fields => toRole('Role', name, rules);
const clusterRole = (name: string, ...rules: readonly Fields[]): Fields =>
  toRole('ClusterRole', name, rules);
const rule = (
  verbs: readonly string[],
  resources: readonly string[],
  more: Fields = {},
): Fields => ({
  apiGroups: [''],
  resources,
  verbs,
  ...more,
});
const binding = (name: string, roleRef: Fields, ...subjects: readonly Fields[]): Fields => ({
  apiVersion: `${group}/v1`,
  kind: 'RoleBinding',
  metadata: { name },
  roleRef,
  subjects,
});
const toRef = (kind: string, name: string): Fields => ({ apiGroup: group, kind, name });
const user = (name: string): Fields => ({ kind: 'User', name });
const review = (kind: string, spec: unknown, more: Fields = {}): Fields => ({
  apiVersion: 'authorization.k8s.io/v1',
  kind,
  spec,
  ...more,
});
const ask = (spec: Fields, more: Fields = {}): Fields => review('SubjectAccessReview', spec, more);
const rbacRule = (verbs: readonly string[], resources: readonly string[], more: Fields = {}) => ({
  apiGroups: [group],
  resources,
  verbs,
  ...more,
});

export const rights: Area = {
  name: 'rights',
  steps: [
    post(
      'ann may write roles and some Services [k8s 118]',
      roles,
      role(
        'writer',
        rbacRule(['*'], ['roles', 'rolebindings']),
        rule(['get', 'list'], ['services']),
        rule(['get'], ['configmaps'], { resourceNames: ['a', 'b'] }),
      ),
    ),
    post(
      'ann is bound to it [k8s 118]',
      bindings,
      binding('writer', toRef('Role', 'writer'), user('ann')),
    ),
    post('a role of what she holds [k8s 118]', roles, role('r1', rule(['get'], ['services'])), ann),
    post(
      'a role of a name that she holds [k8s 118]',
      roles,
      role('r2', rule(['get'], ['configmaps'], { resourceNames: ['a'] })),
      ann,
    ),
    post(
      'a role of a name too many [k8s 118]',
      roles,
      role('r3', rule(['get', 'list'], ['configmaps', 'secrets'], { resourceNames: ['a', 'c'] })),
      ann,
    ),
    post('a role of all names [k8s 118]', roles, role('r4', rule(['get'], ['configmaps'])), ann),
    post(
      'a role of everything [k8s 118]',
      roles,
      role('r5', { apiGroups: ['*'], resources: ['*'], verbs: ['*'] }),
      ann,
    ),
    post(
      'a role of subresources [k8s 118]',
      roles,
      role('r6', rule(['get'], ['services/status', 'services'])),
      ann,
    ),
    put(
      'a role widened by PUT [k8s 118]',
      `${roles}/r1`,
      role('r1', rule(['get', 'delete'], ['services'])),
      ann,
    ),
    put(
      'a role narrowed by PUT [k8s 118]',
      `${roles}/r1`,
      role('r1', rule(['get'], ['services'])),
      ann,
    ),
    patch(
      'merge',
      'a role widened by merge patch [k8s 118]',
      `${roles}/r1`,
      { rules: [rule(['watch'], ['services'])] },
      ann,
    ),
    post(
      'a role of a dry run [k8s 118]',
      `${roles}?dryRun=All`,
      role('r7', rule(['watch'], ['pods'])),
      ann,
    ),
    post(
      'a binding to what she holds [k8s 118]',
      bindings,
      binding('b1', toRef('Role', 'r1'), user('bea')),
      ann,
    ),
    post(
      'a binding to what she does not hold [k8s 118]',
      bindings,
      binding('b2', toRef('ClusterRole', 'cluster-admin'), user('ann')),
      ann,
    ),
    post(
      'a binding to no role [k8s 118]',
      bindings,
      binding('b3', toRef('ClusterRole', 'no-such-role'), user('ann')),
      ann,
    ),
    post(
      'a binding to no Role [k8s 118]',
      bindings,
      binding('b3', toRef('Role', 'no-such-role'), user('ann')),
      ann,
    ),
    post(
      'a binding to a kind that is none [k8s 118]',
      bindings,
      binding('b3', toRef('Thing', 'x'), user('ann')),
      ann,
    ),
    post(
      'a binding to nothing, as admin [k8s 118]',
      bindings,
      binding('b4', toRef('ClusterRole', 'no-such-role'), user('cid')),
    ),
    get('a missing role is the reason [k8s 118]', 'services', as('cid')),
    post(
      'a missing role in a review [k8s 119]',
      `${reviews}/subjectaccessreviews`,
      ask({
        user: 'cid',
        resourceAttributes: { namespace: '{ns}', verb: 'get', resource: 'services' },
      }),
    ),
    post(
      'rules with a missing role [k8s 119]',
      `${reviews}/selfsubjectrulesreviews`,
      review('SelfSubjectRulesReview', { namespace: '{ns}' }),
      { ...as('cid'), pick: (body) => toEvaluation(body) },
    ),
    post('a binding without subjects [k8s 118]', bindings, binding('b6', toRef('Role', 'r1'))),
    post(
      'a binding of a service account [k8s 118]',
      bindings,
      binding('b7', toRef('Role', 'r1'), { kind: 'ServiceAccount', name: 'robot' }),
    ),
    get(
      'the service account may [k8s 118]',
      'services/none',
      as('system:serviceaccount:{ns}:robot'),
    ),
    post(
      'a binding of odd subjects [k8s 118]',
      bindings,
      binding(
        'b8',
        { kind: 'Role', name: '' },
        { kind: 'Robot', name: '' },
        { kind: 'User', name: 'x', apiGroup: 'y' },
        { kind: 'ServiceAccount', name: 'A_B', apiGroup: 'z' },
      ),
    ),
    post(
      'a role of empty rules [k8s 118]',
      roles,
      role(
        'e1',
        {},
        { verbs: ['get'] },
        { verbs: ['get'], nonResourceURLs: ['/x'], resources: ['y'] },
      ),
    ),
    post('a role without rules [k8s 118]', roles, {
      apiVersion: `${group}/v1`,
      kind: 'Role',
      metadata: { name: 'e2' },
    }),
    post(
      'a role with a colon in its name [k8s 118]',
      roles,
      role('team:e3', rule(['get'], ['services'])),
    ),
    post(
      'a role with a slash in its name [k8s 118]',
      roles,
      role('team/e4', rule(['get'], ['services'])),
    ),
    post(
      'an aggregated role without selectors [k8s 118]',
      `${clusterRoles}?dryRun=All`,
      toRole('ClusterRole', 'x-{ns}', [], { aggregationRule: { clusterRoleSelectors: [] } }),
    ),
    post(
      'an aggregated role of bad selectors [k8s 118]',
      `${clusterRoles}?dryRun=All`,
      toRole('ClusterRole', 'x-{ns}', [], {
        aggregationRule: {
          clusterRoleSelectors: [
            {
              matchExpressions: [
                { key: 'a', operator: 'Is' },
                { key: 'b', operator: 'In' },
                { key: 'c', operator: 'Exists', values: ['v'] },
              ],
            },
          ],
        },
      }),
    ),
    post(
      'a cluster role of paths and resources [k8s 118]',
      `${clusterRoles}?dryRun=All`,
      clusterRole('x-{ns}', {
        verbs: ['get'],
        nonResourceURLs: ['/x'],
        apiGroups: [''],
        resources: ['y'],
      }),
    ),
    post(
      'a cluster role of a dry run [k8s 118]',
      `${clusterRoles}?dryRun=All`,
      clusterRole('x-{ns}', { verbs: ['get'], nonResourceURLs: ['/x'] }),
    ),
    post(
      'who may escalate [k8s 118]',
      roles,
      role(
        'escalator',
        rbacRule(['escalate'], ['roles']),
        rbacRule(['bind'], ['clusterroles'], { resourceNames: ['view'] }),
      ),
    ),
    post(
      'ann may escalate [k8s 118]',
      bindings,
      binding('escalator', toRef('Role', 'escalator'), user('ann')),
    ),
    post(
      'a role of more than she holds [k8s 118]',
      roles,
      role('r8', rule(['delete'], ['services'])),
      ann,
    ),
    post(
      'a binding to the role that she may bind [k8s 118]',
      bindings,
      binding('b9', toRef('ClusterRole', 'view'), user('dee')),
      ann,
    ),
    post(
      'a binding to another role [k8s 118]',
      bindings,
      binding('b10', toRef('ClusterRole', 'system:auth-delegator'), user('dee')),
      ann,
    ),
    get('forbidden with markup in the name [k8s 117]', 'services', as('<b>&"\'')),
    get('forbidden: a path with a query [k8s 117]', '/logs/x?y=z', as('eve')),
    post('forbidden: POST to a path [k8s 117]', '/logs', {}, as('eve')),
  ],
};

function toEvaluation(body: unknown): unknown {
  const status = (body as { readonly status?: Fields }).status ?? {}; // of either server
  return [status['incomplete'], status['evaluationError']];
}
