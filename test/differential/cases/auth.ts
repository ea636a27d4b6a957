// Who asks, what they may, and what they are told.

import { configMap } from '../objects.ts';
import { del, get, post, put, setup, type Area, type HttpOptions } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;
const bare: HttpOptions = { isBare: true };
const bearer = (token: string): HttpOptions => ({
  isBare: true,
  headers: { authorization: `Bearer ${token}` },
});
const as = (user: string, more: Readonly<Record<string, string>> = {}): HttpOptions => ({
  headers: { 'impersonate-user': user, ...more },
});
const jane = as('jane', { 'impersonate-group': 'developers' });
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const role = (name: string, rules: readonly Fields[]): Fields => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name },
  rules,
});
const binding = (name: string, roleName: string, subjects: readonly Fields[]): Fields => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: roleName },
  subjects,
});
const janeSubject = { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' };
const review = (kind: string, spec: Fields, group = 'authorization.k8s.io'): Fields => ({
  apiVersion: `${group}/v1`,
  kind,
  spec,
});
const ssar = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const sar = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const rulesOf = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
const may = (resourceAttributes: Fields): Fields =>
  review('SelfSubjectAccessReview', { resourceAttributes });
const get1 = { namespace: '{ns}', verb: 'get', resource: 'services' };

export const auth: Area = {
  name: 'auth',
  steps: [
    get('anonymous may not list [k8s 117]', 'services', bare),
    get('anonymous may not read metrics [k8s 15]', '/metrics', bare),
    get('anonymous may read health [k8s 117]', '/healthz', bare),
    get('anonymous may read the version [k8s 117]', '/version', { ...bare, pick: () => null }),
    get('anonymous may not discover [k8s 117]', '/api', bare),
    get('anonymous and an unknown group [k8s 117]', '/apis/nonsense.io/v1', bare),
    get('a token [k8s 117]', 'services', bearer('{token}')),
    get('a wrong token [k8s 117]', 'services', bearer('wrong')),
    get('a wrong token for health [k8s 117]', '/healthz', bearer('wrong')),
    get('basic authorization [k8s 117]', 'services', {
      isBare: true,
      headers: { authorization: 'Basic eDp5' },
    }),
    get('an empty token [k8s 117]', 'services', bearer('')),
    get('forbidden: list [k8s 117]', 'services', jane),
    get('forbidden: get [k8s 117]', 'services/s', jane),
    get('forbidden: watch [k8s 117]', 'services?watch=true', jane),
    post('forbidden: create [k8s 117]', 'services', { metadata: { name: 'x' } }, jane),
    put('forbidden: status [k8s 117]', 'services/s/status', {}, jane),
    del('forbidden: delete [k8s 117]', 'services/s', undefined, jane),
    del('forbidden: deletecollection [k8s 117]', 'services', undefined, jane),
    get('forbidden: at the cluster scope [k8s 117]', '/api/v1/services', jane),
    get('forbidden: namespaces [k8s 117]', '/api/v1/namespaces', jane),
    get('forbidden: one namespace [k8s 117]', '/api/v1/namespaces/{ns}', jane),
    get(
      'forbidden: a group [k8s 117]',
      '/apis/coordination.k8s.io/v1/namespaces/{ns}/leases',
      jane,
    ),
    get('forbidden: a path [k8s 117]', '/metrics', jane),
    get('may discover [k8s 117]', '/api', { ...jane, pick: () => null }),
    post(
      'a role [k8s 118]',
      `${rbac}/namespaces/{ns}/roles`,
      role('reader', [
        {
          apiGroups: [''],
          resources: ['configmaps'],
          verbs: ['get', 'list'],
          resourceNames: ['one'],
        },
        { apiGroups: [''], resources: ['services'], verbs: ['get', 'list', 'watch', 'update'] },
        { apiGroups: [''], resources: ['services/status'], verbs: ['get'] },
      ]),
    ),
    post(
      'a role without verbs [k8s 118]',
      `${rbac}/namespaces/{ns}/roles`,
      role('bad', [{ apiGroups: [''], resources: ['x'], verbs: [] }]),
    ),
    post(
      'a role with paths [k8s 118]',
      `${rbac}/namespaces/{ns}/roles`,
      role('bad', [{ nonResourceURLs: ['/x'], verbs: ['get'] }]),
    ),
    post(
      'a binding [k8s 118]',
      `${rbac}/namespaces/{ns}/rolebindings`,
      binding('jane', 'reader', [janeSubject]),
    ),
    post('a binding without role [k8s 118]', `${rbac}/namespaces/{ns}/rolebindings`, {
      ...binding('bad', '', []),
      roleRef: {},
    }),
    post(
      'a binding of a subject that is none [k8s 118]',
      `${rbac}/namespaces/{ns}/rolebindings`,
      binding('bad', 'reader', [{ kind: 'Robot', name: 'x' }]),
    ),
    setup(post('one', 'configmaps', configMap('one'))),
    setup(post('two', 'configmaps', configMap('two'))),
    setup(
      post('a Service', 'services', { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } }),
    ),
    get('allowed: the list [k8s 118]', 'services', { ...jane, until: 200, pick: () => null }),
    get('allowed: status [k8s 118]', 'services/s/status', { ...jane, pick: () => null }),
    get('allowed: by name [k8s 118]', 'configmaps/one', jane),
    get('forbidden: another name [k8s 118]', 'configmaps/two', jane),
    get('forbidden: a list of all names [k8s 118]', 'configmaps', jane),
    get('allowed: a list of one name [k8s 118]', 'configmaps?fieldSelector=metadata.name%3Done', {
      ...jane,
      pick: () => null,
    }),
    put(
      'forbidden: update that creates [k8s 73]',
      'services/new',
      { metadata: { name: 'new' }, spec: { ports: [{ port: 80 }] } },
      jane,
    ),
    put(
      'forbidden: a subresource [k8s 118]',
      'services/s/status',
      { metadata: { name: 's' } },
      jane,
    ),
    post(
      'a binding may not be changed [k8s 118]',
      `${rbac}/namespaces/{ns}/rolebindings?dryRun=All`,
      binding('jane2', 'reader', [{ kind: 'ServiceAccount', name: 'a', namespace: '{ns}' }]),
    ),
    put(
      'another role of a binding [k8s 118]',
      `${rbac}/namespaces/{ns}/rolebindings/jane`,
      binding('jane', 'other', [janeSubject]),
    ),
    post('no escalation [k8s 118]', `${rbac}/namespaces/{ns}/roles`, role('more', []), jane),
    post('may I [k8s 119]', ssar, may(get1), jane),
    post('may I not [k8s 119]', ssar, may({ ...get1, verb: 'delete' }), jane),
    post(
      'may I, by name [k8s 119]',
      ssar,
      may({ ...get1, resource: 'configmaps', name: 'one' }),
      jane,
    ),
    post('may I, a subresource [k8s 119]', ssar, may({ ...get1, subresource: 'status' }), jane),
    post(
      'may I, a path [k8s 119]',
      ssar,
      review('SelfSubjectAccessReview', {
        nonResourceAttributes: { path: '/openapi/v2', verb: 'get' },
      }),
      jane,
    ),
    post('may the admin [k8s 119]', ssar, may({ ...get1, verb: 'anything' })),
    post('neither of both [k8s 119]', ssar, review('SelfSubjectAccessReview', {})),
    post(
      'both [k8s 119]',
      ssar,
      review('SelfSubjectAccessReview', {
        resourceAttributes: get1,
        nonResourceAttributes: { path: '/x', verb: 'get' },
      }),
    ),
    post('a review with a name [k8s 119]', ssar, { ...may(get1), metadata: { name: 'x' } }),
    get('a review cannot be read [k8s 119]', ssar),
    post(
      'may they [k8s 119]',
      sar,
      review('SubjectAccessReview', { user: 'jane', resourceAttributes: get1 }),
    ),
    post(
      'may their group [k8s 119]',
      sar,
      review('SubjectAccessReview', { groups: ['system:masters'], resourceAttributes: get1 }),
    ),
    post('may nobody [k8s 119]', sar, review('SubjectAccessReview', { resourceAttributes: get1 })),
    post(
      'a local review [k8s 119]',
      '/apis/authorization.k8s.io/v1/namespaces/{ns}/localsubjectaccessreviews',
      review('LocalSubjectAccessReview', { user: 'jane', resourceAttributes: get1 }),
    ),
    post(
      'a local review of another namespace [k8s 119]',
      '/apis/authorization.k8s.io/v1/namespaces/{ns}/localsubjectaccessreviews',
      review('LocalSubjectAccessReview', {
        user: 'jane',
        resourceAttributes: { ...get1, namespace: 'other' },
      }),
    ),
    post('my rules [k8s 119]', rulesOf, review('SelfSubjectRulesReview', { namespace: '{ns}' }), {
      ...jane,
      pick: (body) => (body as { status: Fields }).status['resourceRules'],
    }),
    post(
      'my rules without namespace [k8s 119]',
      rulesOf,
      review('SelfSubjectRulesReview', {}),
      jane,
    ),
    post(
      'who am I [k8s 119]',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      review('SelfSubjectReview', {}, 'authentication.k8s.io'),
      jane,
    ),
    post(
      'a token review [k8s 119]',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      review('TokenReview', { token: 'wrong' }, 'authentication.k8s.io'),
    ),
    post(
      'a token review without token [k8s 119]',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      review('TokenReview', {}, 'authentication.k8s.io'),
    ),
    post(
      'who, with uid and extra [k8s 120]',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      review('SelfSubjectReview', {}, 'authentication.k8s.io'),
      as('x', {
        'impersonate-uid': 'u-1',
        'impersonate-extra-scopes': 'a',
        'impersonate-group': 'g',
      }),
    ),
    get('a group alone [k8s 120]', 'services', { headers: { 'impersonate-group': 'g' } }),
    get('a uid alone [k8s 120]', 'services', { headers: { 'impersonate-uid': 'g' } }),
    get('impersonation of anonymous [k8s 120]', 'services', as('system:anonymous')),
    get(
      'impersonation of a service account [k8s 120]',
      'services',
      as('system:serviceaccount:{ns}:default'),
    ),
    get('impersonation of masters [k8s 120]', 'services?limit=1', {
      ...as('x', { 'impersonate-group': 'system:masters' }),
      pick: () => null,
    }),
    get('anonymous may not impersonate [k8s 120]', 'services', {
      isBare: true,
      headers: { 'impersonate-user': 'jane' },
    }),
    get('roles [k8s 118]', `${rbac}/namespaces/{ns}/roles`),
    get('bindings as table [k8s 35]', `${rbac}/namespaces/{ns}/rolebindings`, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    }),
    get('a bootstrap role [k8s 118]', `${rbac}/clusterroles/cluster-admin`),
  ],
};
