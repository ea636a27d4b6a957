// Who may do what: roles, bindings, names, subresources, paths, and that nobody widens his rights.

import test from 'ava';
import { bind, paths, root, startAccessApi, user, type AccessApi } from '../support/access-api.ts';

async function start(t: { teardown(run: () => Promise<void>): void }): Promise<AccessApi> {
  const access = await startAccessApi();
  t.teardown(() => access.close());
  return access;
}

const bob = user('bob');
const rule = (verbs: readonly string[], resources: readonly string[], more: object = {}) => ({
  verbs,
  apiGroups: [''],
  resources,
  ...more,
});

test('[k8s 118] who has no role is refused in the words of kube-apiserver', async (t) => {
  const { ask } = await start(t);
  const list = await ask(bob, 'GET', paths.services);
  t.is(list.status, 403);
  t.is(
    list.message,
    'services is forbidden: User "bob" cannot list resource "services" in API group "" ' +
      'in the namespace "shop"',
  );
  t.deepEqual(list.json['details'], { kind: 'services' });
  const cluster = await ask(bob, 'DELETE', '/apis/isthmus.dev/v1alpha1/clusters/x');
  t.is(
    cluster.message,
    'clusters.isthmus.dev "x" is forbidden: User "bob" cannot delete resource "clusters" in ' +
      'API group "isthmus.dev" at the cluster scope',
  );
  const status = await ask(bob, 'PUT', `${paths.services}/x/status`, {});
  t.regex(status.message, /cannot update resource "services\/status" in API group ""/);
  const many = await ask(bob, 'DELETE', paths.services);
  t.regex(many.message, /cannot deletecollection resource/);
});

test('[k8s 118] a role grants its verbs in its namespace and nowhere else', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roles, {
    metadata: { name: 'reader' },
    rules: [rule(['get', 'list'], ['services'])],
  });
  await make(paths.roleBindings, bind('b', { role: 'reader', kind: 'Role', user: 'bob' }));
  t.is((await ask(bob, 'GET', paths.services)).status, 200);
  t.is((await ask(bob, 'GET', `${paths.services}/x`)).status, 404);
  t.is((await ask(bob, 'GET', `${paths.services}?watch=true`)).status, 403);
  t.is((await ask(bob, 'DELETE', `${paths.services}/x`)).status, 403);
  t.is((await ask(bob, 'GET', '/api/v1/namespaces/default/services')).status, 403);
  t.is((await ask(bob, 'GET', '/api/v1/services')).status, 403);
  t.is((await ask(user('alice'), 'GET', paths.services)).status, 403);
});

test('[k8s 118] resourceNames bound get, and list and watch by the field selector of a name', async (t) => {
  const { ask, make } = await start(t);
  const rules = [
    rule(['get', 'list', 'create', 'update'], ['services'], { resourceNames: ['web'] }),
  ];
  await make(paths.clusterRoles, { metadata: { name: 'web-only' }, rules });
  await make(paths.clusterRoleBindings, bind('b', { role: 'web-only', user: 'bob' }));
  t.is((await ask(bob, 'GET', `${paths.services}/web`)).status, 404);
  t.is((await ask(bob, 'GET', `${paths.services}/other`)).status, 403);
  t.is((await ask(bob, 'GET', `${paths.services}?fieldSelector=metadata.name%3Dweb`)).status, 200);
  t.is(
    (await ask(bob, 'GET', `${paths.services}?fieldSelector=metadata.name%3Dother`)).status,
    403,
  );
  t.is((await ask(bob, 'GET', paths.services)).status, 403);
  const posted = await ask(bob, 'POST', paths.services, { metadata: { name: 'web' } });
  t.is(posted.status, 403, 'a POST has no name to be granted by');
});

test('[k8s 118] a subresource is granted by its own name, by */name and by *', async (t) => {
  const { ask, make } = await start(t);
  const tries = { exact: 'services/status', any: '*/status', all: '*', none: 'services' };
  for (const [name, resource] of Object.entries(tries)) {
    await make(paths.clusterRoles, { metadata: { name }, rules: [rule(['get'], [resource])] });
    await make(paths.clusterRoleBindings, bind(name, { role: name, user: name }));
  }
  const ofStatus = async (name: string) =>
    (await ask(user(name), 'GET', `${paths.services}/x/status`)).status;
  t.is(await ofStatus('exact'), 404);
  t.is(await ofStatus('any'), 404);
  t.is(await ofStatus('all'), 404);
  t.is(await ofStatus('none'), 403);
  t.is((await ask(user('exact'), 'GET', `${paths.services}/x`)).status, 403);
});

test('[k8s 15, 118] paths need a rule, and a * at the end covers what is below', async (t) => {
  const { ask, make } = await start(t);
  const metrics = await ask(bob, 'GET', '/metrics');
  t.is(metrics.status, 403);
  t.is(metrics.message, 'forbidden: User "bob" cannot get path "/metrics"');
  t.deepEqual(metrics.json['details'], {});
  t.is((await ask(undefined, 'GET', '/metrics')).status, 403);
  t.regex((await ask(bob, 'POST', '/metrics')).message, /cannot post path "\/metrics"/);
  const rules = [{ verbs: ['get'], nonResourceURLs: ['/logs/*'] }];
  await make(paths.clusterRoles, { metadata: { name: 'logs' }, rules });
  await make(paths.clusterRoleBindings, bind('logs', { role: 'logs', user: 'bob' }));
  t.is((await ask(bob, 'GET', '/logs/x/y')).status, 404);
  t.is((await ask(bob, 'GET', '/logs')).status, 403);
});

test('[k8s 117, 118] strangers see health and version, known users discovery as well', async (t) => {
  const { ask } = await start(t);
  for (const path of ['/healthz', '/livez', '/readyz', '/version']) {
    t.is((await ask(undefined, 'GET', path)).status, 200, path);
  }
  const refused = await ask(undefined, 'GET', '/api');
  t.is(refused.message, 'forbidden: User "system:anonymous" cannot get path "/api"');
  t.is((await ask(undefined, 'GET', '/livez/ping')).status, 403);
  for (const path of ['/api', '/apis', '/openapi/v2', '/apis/rbac.authorization.k8s.io/v1']) {
    t.is((await ask(bob, 'GET', path)).status, 200, path);
  }
});

test('[k8s 73, 118] creating by PUT and by apply needs the right to create as well', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roles, {
    metadata: { name: 'updater' },
    rules: [rule(['get', 'update', 'patch'], ['services'])],
  });
  await make(paths.roleBindings, bind('b', { role: 'updater', kind: 'Role', user: 'bob' }));
  const service = { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } };
  const headers = { 'content-type': 'application/json' };
  const put = await ask(bob, 'PUT', `${paths.services}/web`, service, { headers });
  t.is(put.status, 403);
  t.regex(
    put.message,
    /^services "web" is forbidden: User "bob" cannot create resource "services"/,
  );
  const applied = await ask(
    bob,
    'PATCH',
    `${paths.services}/web?fieldManager=m`,
    { apiVersion: 'v1', kind: 'Service', ...service },
    { headers: { 'content-type': 'application/apply-patch+yaml' } },
  );
  t.is(applied.status, 403);
  t.is((await ask(root, 'PUT', `${paths.services}/web`, service, { headers })).status, 201);
  t.is((await ask(bob, 'PUT', `${paths.services}/web`, service, { headers })).status, 200);
});

test('[k8s 118] a changed role or binding counts for the next request', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.clusterRoleBindings, bind('b', { role: 'view', user: 'bob' }));
  t.is((await ask(bob, 'GET', paths.services)).status, 200);
  await ask(root, 'DELETE', `${paths.clusterRoleBindings}/b`);
  t.is((await ask(bob, 'GET', paths.services)).status, 403);
});

test('[k8s 118] view reads what is served but Secrets and tokens; edit writes; admin gives roles', async (t) => {
  const { ask, make, rights } = await start(t);
  for (const role of ['view', 'edit', 'admin']) {
    await make(paths.roleBindings, bind(role, { role, user: role }));
  }
  const may = (name: string, verb: string, group: string, resource: string): boolean =>
    rights.access.authorize({
      user: user(name),
      verb,
      group,
      resource,
      version: '*',
      subresource: '',
      namespace: 'shop',
      name: '',
      path: '',
      isResource: true,
    }).allowed;
  t.true(may('view', 'watch', '', 'services'));
  t.true(may('view', 'list', 'isthmus.dev', 'servicepolicies'));
  t.true(may('view', 'list', 'isthmus.dev', 'serviceshards'));
  t.false(may('view', 'get', '', 'secrets'));
  t.false(may('view', 'create', '', 'services'));
  t.false(may('view', 'list', 'isthmus.dev', 'jointokens'));
  t.true(may('edit', 'get', '', 'secrets'));
  t.true(may('edit', 'create', 'isthmus.dev', 'servicepolicies'));
  t.false(may('edit', 'create', 'isthmus.dev', 'jointokens'));
  t.false(may('edit', 'create', 'rbac.authorization.k8s.io', 'roles'));
  t.true(may('admin', 'create', 'rbac.authorization.k8s.io', 'rolebindings'));
  t.true(may('admin', 'get', '', 'configmaps'), 'admin gathers what edit gathers of view');
  const admin = await ask(root, 'GET', `${paths.clusterRoles}/admin`);
  const rules = admin.json['rules'] as readonly { readonly resources: readonly string[] }[];
  t.true(rules.some(({ resources }) => resources.includes('endpointslices')));
});

test('[k8s 118] a role whose label says so becomes a part of view, and leaves it again', async (t) => {
  const { ask, make, rights } = await start(t);
  await make(paths.clusterRoleBindings, bind('b', { role: 'view', user: 'bob' }));
  t.is((await ask(bob, 'GET', '/api/v1/namespaces/shop/secrets')).status, 403);
  await make(paths.clusterRoles, {
    metadata: {
      name: 'more',
      labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' },
    },
    rules: [rule(['list'], ['secrets'])],
  });
  t.is((await ask(bob, 'GET', '/api/v1/namespaces/shop/secrets')).status, 200);
  await ask(root, 'DELETE', `${paths.clusterRoles}/more`);
  await rights.idle();
  t.is((await ask(bob, 'GET', '/api/v1/namespaces/shop/secrets')).status, 403);
});

test('[k8s 118] a name that holds line breaks is nobody else, also right after them', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roles, { metadata: { name: 'reader' }, rules: [rule(['list'], ['services'])] });
  await make(paths.roleBindings, bind('b', { role: 'reader', kind: 'Role', user: 'bob' }));
  t.is((await ask({ name: 'bob', groups: ['dev', 'ops'] }, 'GET', paths.services)).status, 200);
  t.is((await ask({ name: 'bob\ndev', groups: ['ops'] }, 'GET', paths.services)).status, 403);
});

test('rules that aggregation takes away belong to nobody: the role put back as read is no change', async (t) => {
  const { ask, rights, close } = await startAccessApi();
  t.teardown(close);
  const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { of: 'nobody' } }] };
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['services'] }];
  t.is(
    (await ask(root, 'POST', path, { metadata: { name: 'sum' }, aggregationRule, rules })).status,
    201,
  );
  await rights.idle();
  const read = await ask(root, 'GET', `${path}/sum`);
  t.is(read.json['rules'], null);
  t.false(read.text.includes('f:rules'), read.text);
  t.is((await ask(root, 'PUT', `${path}/sum`, read.json)).text, read.text);
});
