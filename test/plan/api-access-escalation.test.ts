// Nobody gives away more than he has: roles, bindings, aggregated roles and join tokens.

import test from 'ava';
import { bind, paths, root, startAccessApi, user, type AccessApi } from '../support/access-api.ts';

async function start(t: { teardown(run: () => Promise<void>): void }): Promise<AccessApi> {
  const access = await startAccessApi();
  t.teardown(() => access.close());
  return access;
}

const bob = user('bob', 'dev');
const reader = { verbs: ['get', 'list'], apiGroups: [''], resources: ['services'] };

/** Bob administers the namespace shop. */
async function makeAdmin({ make }: AccessApi): Promise<void> {
  await make(paths.roleBindings, bind('bob', { role: 'admin', user: 'bob' }));
}

test('[k8s 118] a role may grant what its author holds, and nothing else', async (t) => {
  const access = await start(t);
  await makeAdmin(access);
  const { ask } = access;
  const own = await ask(bob, 'POST', paths.roles, { metadata: { name: 'own' }, rules: [reader] });
  t.is(own.status, 201, own.text);
  const wide = await ask(bob, 'POST', paths.roles, {
    metadata: { name: 'wide' },
    rules: [
      { verbs: ['get', 'approve'], apiGroups: [''], resources: ['services', 'nodes'] },
      { verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['root'] },
    ],
  });
  t.is(wide.status, 403);
  t.is(
    wide.message,
    'roles.rbac.authorization.k8s.io "wide" is forbidden: user "bob" ' +
      '(groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not ' +
      'currently held:\n' +
      '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "approve"]}\n' +
      '{APIGroups:[""], Resources:["services"], Verbs:["approve"]}\n' +
      '{APIGroups:[""], Resources:["users"], ResourceNames:["root"], Verbs:["impersonate"]}',
  );
});

test('[k8s 118] a role cannot be widened by PUT, patch or apply either', async (t) => {
  const access = await start(t);
  await makeAdmin(access);
  const { ask } = access;
  await ask(bob, 'POST', paths.roles, { metadata: { name: 'own' }, rules: [reader] });
  const rules = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
  const tries = [
    ['PUT', 'application/json'],
    ['PATCH', 'application/merge-patch+json'],
    ['PATCH', 'application/apply-patch+yaml'],
  ] as const;
  for (const [method, type] of tries) {
    const body = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'own' },
      rules,
    };
    const target = `${paths.roles}/own?fieldManager=m${method === 'PATCH' ? '&force=true' : ''}`;
    const plain = type === 'application/merge-patch+json' ? `${paths.roles}/own` : target;
    const answer = await ask(bob, method, method === 'PUT' ? `${paths.roles}/own` : plain, body, {
      headers: { 'content-type': type },
    });
    t.is(answer.status, 403, `${type}: ${answer.text}`);
    t.regex(answer.message, /attempting to grant RBAC permissions not currently held/);
  }
  const dry = await ask(bob, 'POST', `${paths.roles}?dryRun=All`, {
    metadata: { name: 'dry' },
    rules,
  });
  t.is(dry.status, 403);
});

test('[k8s 118] who may escalate writes any role; who may bind gives any role he may bind', async (t) => {
  const access = await start(t);
  await makeAdmin(access);
  const { ask, make } = access;
  const everything = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
  await make(paths.roles, {
    metadata: { name: 'escalator' },
    rules: [
      { verbs: ['escalate'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'] },
      {
        verbs: ['bind'],
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['clusterroles'],
        resourceNames: ['cluster-admin'],
      },
    ],
  });
  const give = bind('mine', { role: 'cluster-admin', user: 'bob' });
  t.is((await ask(bob, 'POST', paths.roleBindings, give)).status, 403);
  await make(paths.roleBindings, bind('e', { role: 'escalator', kind: 'Role', user: 'bob' }));
  const role = await ask(bob, 'POST', paths.roles, {
    metadata: { name: 'all' },
    rules: everything,
  });
  t.is(role.status, 201, role.text);
  t.is((await ask(bob, 'POST', paths.roleBindings, give)).status, 201);
  const other = bind('other', { role: 'isthmus:federation-operator', user: 'bob' });
  t.is((await ask(bob, 'POST', paths.roleBindings, other)).status, 201, 'he holds it all now');
});

test('[k8s 118] a binding gives away what its author holds; a role that is missing is not found', async (t) => {
  const access = await start(t);
  await makeAdmin(access);
  const { ask } = access;
  const view = bind('v', { role: 'view', user: 'carol' });
  t.is((await ask(bob, 'POST', paths.roleBindings, view)).status, 201);
  const all = await ask(
    bob,
    'POST',
    paths.roleBindings,
    bind('x', { role: 'cluster-admin', user: 'bob' }),
  );
  t.is(all.status, 403);
  t.regex(all.message, /^rolebindings.rbac.authorization.k8s.io "x" is forbidden: user "bob"/);
  t.regex(
    all.message,
    /\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}\n\{NonResourceURLs:/,
  );
  const lost = await ask(bob, 'POST', paths.roleBindings, bind('y', { role: 'nope', user: 'bob' }));
  t.is(lost.status, 404);
  t.is(
    lost.message,
    'rolebindings.rbac.authorization.k8s.io "nope" not found',
    'as a write names it',
  );
  const missing = await ask(
    root,
    'POST',
    paths.roleBindings,
    bind('y', { role: 'nope', user: 'dan' }),
  );
  t.is(missing.status, 201, 'masters may bind what is still to come');
  const refused = await ask(user('dan'), 'GET', paths.services);
  t.regex(
    refused.message,
    /in the namespace "shop": RBAC: clusterrole\.rbac\.authorization\.k8s\.io "nope" not found$/,
  );
});

test('[k8s 118] an aggregation rule needs all rights, and validation says what is wrong', async (t) => {
  const access = await start(t);
  const { ask, make } = access;
  await make(paths.clusterRoles, {
    metadata: { name: 'roles' },
    rules: [
      { verbs: ['*'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles/x'] },
      {
        verbs: ['create', 'update', 'get'],
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['clusterroles'],
      },
    ],
  });
  await make(paths.clusterRoleBindings, bind('b', { role: 'roles', user: 'bob' }));
  const gathering = {
    metadata: { name: 'g' },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
  };
  const refused = await ask(bob, 'POST', paths.clusterRoles, gathering);
  t.is(
    refused.message,
    'clusterroles.rbac.authorization.k8s.io "g" is forbidden: must have cluster-admin privileges ' +
      'to use the aggregationRule',
  );
  t.is((await ask(root, 'POST', paths.clusterRoles, gathering)).status, 201);
  const wrong = await ask(root, 'POST', paths.roles, {
    metadata: { name: 'w' },
    rules: [
      { verbs: [], apiGroups: [], resources: [] },
      { verbs: ['get'], nonResourceURLs: ['/x'] },
    ],
  });
  t.is(wrong.status, 422);
  t.is(
    wrong.message,
    'Role.rbac.authorization.k8s.io "w" is invalid: [' +
      'rules[0].verbs: Required value: verbs must contain at least one value, ' +
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group, ' +
      'rules[0].resources: Required value: resource rules must supply at least one resource, ' +
      'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to ' +
      'non-resource URLs]',
  );
});

test('[k8s 118] roleRef cannot be changed; subjects are checked and defaulted', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roleBindings, bind('b', { role: 'view', user: 'bob' }));
  const stored = await ask(root, 'GET', `${paths.roleBindings}/b`);
  t.deepEqual(stored.json['subjects'], [
    { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'bob' },
  ]);
  t.deepEqual(stored.json['roleRef'], {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: 'view',
  });
  const put = await ask(
    root,
    'PUT',
    `${paths.roleBindings}/b`,
    bind('b', { role: 'edit', user: 'bob' }),
    { headers: { 'content-type': 'application/json' } },
  );
  t.is(put.status, 422);
  t.is(
    put.message,
    'RoleBinding.rbac.authorization.k8s.io "b" is invalid: roleRef: Invalid value: ' +
      '{"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: ' +
      'cannot change roleRef',
  );
  const odd = await ask(root, 'POST', paths.clusterRoleBindings, {
    metadata: { name: 'odd' },
    roleRef: { apiGroup: 'x', kind: 'Role', name: '' },
    subjects: [
      { kind: 'Robot', name: 'r' },
      { kind: 'ServiceAccount', name: 'a' },
    ],
  });
  t.is(odd.status, 422);
  for (const text of [
    'roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    'roleRef.name: Required value',
    'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    'subjects[1].namespace: Required value',
  ]) {
    t.true(odd.message.includes(text), `${text} in ${odd.message}`);
  }
});

test('a join token needs the right to do what its holder could do', async (t) => {
  const { ask, make } = await start(t);
  const tokens = '/apis/isthmus.dev/v1alpha1/jointokens';
  const rule = (verbs: readonly string[], resources: readonly string[]) => ({
    verbs,
    apiGroups: ['isthmus.dev'],
    resources,
  });
  await make(paths.clusterRoles, {
    metadata: { name: 'tokens' },
    rules: [rule(['create', 'get'], ['jointokens'])],
  });
  await make(paths.clusterRoleBindings, bind('t', { role: 'tokens', user: 'bob' }));
  const refused = await ask(bob, 'POST', tokens, { metadata: { name: 'x' } });
  t.is(refused.status, 403);
  t.regex(refused.message, /user "bob" cannot create clusters, which the token would let/);
  await make(paths.clusterRoles, {
    metadata: { name: 'clusters' },
    rules: [rule(['create'], ['clusters'])],
  });
  await make(paths.clusterRoleBindings, bind('c', { role: 'clusters', user: 'bob' }));
  const automatic = await ask(bob, 'POST', tokens, { metadata: { name: 'x' } });
  t.is(automatic.status, 403);
  t.regex(automatic.message, /cannot approve clusters, as the token would; make it with .*Manual/);
  const manual = { metadata: { name: 'x' }, spec: { approval: 'Manual' } };
  t.is((await ask(bob, 'POST', tokens, manual)).status, 201);
  await make('/apis/isthmus.dev/v1alpha1/clusters', { metadata: { name: 'paris' } });
  const take = { metadata: { name: 'y' }, spec: { cluster: 'paris' } };
  t.regex((await ask(bob, 'POST', tokens, take)).message, /cannot update the cluster "paris"/);
  await make(
    paths.clusterRoleBindings,
    bind('o', { role: 'isthmus:federation-operator', user: 'bob' }),
  );
  t.is((await ask(bob, 'POST', tokens, take)).status, 201);
});

test('a DNSZone uses only Secrets that its writer may read, wherever they are sent', async (t) => {
  const { ask, make } = await start(t);
  const zones = '/apis/isthmus.dev/v1alpha1/dnszones';
  await make(
    paths.clusterRoleBindings,
    bind('o', { role: 'isthmus:federation-operator', user: 'bob' }),
  );
  const spec = {
    domain: 'example.com',
    provider: 'RFC2136',
    rfc2136: { server: '192.0.2.53:53', tsigKeyName: 'k' },
    secretRef: { namespace: 'default', name: 'tsig' },
  };
  const zone = { metadata: { name: 'x' }, spec };
  const refused = await ask(bob, 'POST', zones, zone);
  t.is(refused.status, 403);
  t.regex(refused.message, /user "bob" cannot get the secret "default\/tsig", which the zone/);
  await make(zones, zone);
  const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
  const path = `${zones}/x`;
  const server = { spec: { rfc2136: { server: '203.0.113.1:53' } } };
  t.is((await ask(bob, 'PATCH', path, server, merge)).status, 403);
  t.is((await ask(bob, 'PATCH', path, { spec: { frozen: true } }, merge)).status, 200);
  const rule = { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['tsig'] };
  await make(paths.clusterRoles, { metadata: { name: 'tsig' }, rules: [rule] });
  await make(paths.clusterRoleBindings, bind('t', { role: 'tsig', user: 'bob' }));
  t.is((await ask(bob, 'PATCH', path, server, merge)).status, 200);
});
