// Questions about rights and identities: answered, exact in their refusals, and never stored.

import test from 'ava';
import { kindNamed } from '../support/kind-named.ts';
import { bind, paths, root, startAccessApi, user, type AccessApi } from '../support/access-api.ts';
import { toProtobufBody } from '../support/protobuf-encoder.ts';

async function start(t: { teardown(run: () => Promise<void>): void }): Promise<AccessApi> {
  const access = await startAccessApi({
    reviewToken: (token, audiences) =>
      Promise.resolve(
        token === 'good'
          ? { user: user('bob', 'dev'), audiences: [audiences[0] ?? 'api'], error: undefined }
          : { user: undefined, audiences: [], error: 'invalid bearer token' },
      ),
  });
  t.teardown(() => access.close());
  return access;
}

const bob = user('bob');
const authorization = '/apis/authorization.k8s.io/v1';
const authentication = '/apis/authentication.k8s.io/v1';

type Status = Readonly<Record<string, unknown>>;

test('[k8s 119] SelfSubjectAccessReview answers 201 with the decision and why', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roleBindings, bind('b', { role: 'view', user: 'bob' }));
  const review = (resourceAttributes: object) =>
    ask(bob, 'POST', `${authorization}/selfsubjectaccessreviews`, { spec: { resourceAttributes } });
  const yes = await review({ namespace: 'shop', verb: 'list', resource: 'services' });
  t.is(yes.status, 201);
  t.deepEqual(yes.json['status'], {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "b/shop" of ClusterRole "view" to User "bob"',
  });
  t.deepEqual(yes.json['spec'], {
    resourceAttributes: { namespace: 'shop', verb: 'list', resource: 'services' },
  });
  const no = await review({ namespace: 'default', verb: 'list', resource: 'services' });
  t.deepEqual(no.json['status'], { allowed: false });
  const asRoot = await ask(root, 'POST', `${authorization}/selfsubjectaccessreviews`, {
    spec: { nonResourceAttributes: { path: '/metrics', verb: 'get' } },
  });
  t.deepEqual(asRoot.json['status'], { allowed: true });
});

test('[k8s 119] an access review without a question, or with two, is refused as Kubernetes does', async (t) => {
  const { ask } = await start(t);
  const post = (kind: string, spec: object, metadata: object = {}) =>
    ask(root, 'POST', `${authorization}/${kind}`, { metadata, spec });
  const none = await post('selfsubjectaccessreviews', {});
  t.is(none.status, 422);
  t.is(
    none.message,
    '.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: ' +
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
  );
  const both = await post('selfsubjectaccessreviews', {
    resourceAttributes: { verb: 'get' },
    nonResourceAttributes: { path: '/x', verb: 'get' },
  });
  t.regex(
    both.message,
    /spec.nonResourceAttributes: Invalid value: \{"Path":"\/x","Verb":"get"\}: cannot be specified in combination/,
  );
  const nobody = await post('subjectaccessreviews', { resourceAttributes: { verb: 'get' } });
  t.regex(
    nobody.message,
    /spec.user: Invalid value: "": at least one of user or group must be specified/,
  );
  const named = await post(
    'selfsubjectaccessreviews',
    { resourceAttributes: { verb: 'get' } },
    { name: 'x' },
  );
  t.regex(named.message, /metadata: Invalid value: .*: must be empty$/);
  const selector = await post('selfsubjectaccessreviews', {
    resourceAttributes: { verb: 'list', fieldSelector: {} },
  });
  t.regex(
    selector.message,
    /spec.resourceAttributes.fieldSelector.requirements: Required value: when spec.resourceAttributes.fieldSelector is specified/,
  );
});

test('[k8s 119] SubjectAccessReview asks for another; the local one only about its namespace', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roleBindings, {
    metadata: { name: 'g' },
    roleRef: { kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'Group', name: 'dev' }],
  });
  const spec = {
    user: 'carol',
    groups: ['dev'],
    resourceAttributes: { namespace: 'shop', verb: 'create', resource: 'services' },
  };
  const answer = await ask(root, 'POST', `${authorization}/subjectaccessreviews`, { spec });
  t.is((answer.json['status'] as Status)['allowed'], true);
  const local = `${authorization}/namespaces/shop/localsubjectaccessreviews`;
  t.is((await ask(root, 'POST', local, { spec })).status, 201);
  const elsewhere = { ...spec, resourceAttributes: { ...spec.resourceAttributes, namespace: 'x' } };
  const refused = await ask(root, 'POST', local, { spec: elsewhere });
  t.regex(
    refused.message,
    /spec.resourceAttributes.namespace: Invalid value: "x": must match metadata.namespace/,
  );
  t.is((await ask(bob, 'POST', `${authorization}/subjectaccessreviews`, { spec })).status, 403);
});

test('[k8s 119] SelfSubjectRulesReview lists every rule that counts in the namespace', async (t) => {
  const { ask, make } = await start(t);
  const names = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['s'] }];
  await make(paths.roles, { metadata: { name: 'one' }, rules: names });
  await make(paths.roleBindings, bind('b', { role: 'one', kind: 'Role', user: 'bob' }));
  const post = (namespace?: string) =>
    ask(bob, 'POST', `${authorization}/selfsubjectrulesreviews`, { spec: { namespace } });
  const here = (await post('shop')).json['status'] as Status;
  t.is(here['incomplete'], false);
  const rules = here['resourceRules'] as readonly object[];
  t.deepEqual(rules.at(-1), names[0]);
  t.deepEqual(rules[0], {
    verbs: ['create'],
    apiGroups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
  });
  const urls = (here['nonResourceRules'] as readonly { nonResourceURLs: string[] }[]).flatMap(
    ({ nonResourceURLs }) => nonResourceURLs,
  );
  t.true(urls.includes('/openapi/*'));
  const there = (await post('default')).json['status'] as Status;
  t.false(JSON.stringify(there['resourceRules']).includes('secrets'));
  t.is((await post()).message, 'no namespace on request');
});

test('[k8s 119] SelfSubjectReview says who asks, with uid and extra', async (t) => {
  const { ask } = await start(t);
  const who = { ...bob, uid: 'u-1', extra: { 'example.com/x': ['1', '2'] } };
  const answer = await ask(who, 'POST', `${authentication}/selfsubjectreviews`, {});
  t.is(answer.status, 201);
  t.deepEqual(answer.json['status'], {
    userInfo: {
      username: 'bob',
      uid: 'u-1',
      groups: ['system:authenticated'],
      extra: { 'example.com/x': ['1', '2'] },
    },
  });
});

test('[k8s 119] TokenReview says whose token it is, and only to those who may ask', async (t) => {
  const { ask } = await start(t);
  const path = `${authentication}/tokenreviews`;
  const good = await ask(root, 'POST', path, { spec: { token: 'good', audiences: ['api'] } });
  t.deepEqual(good.json['status'], {
    authenticated: true,
    user: { username: 'bob', groups: ['dev', 'system:authenticated'] },
    audiences: ['api'],
  });
  const bad = await ask(root, 'POST', path, { spec: { token: 'bad' } });
  t.deepEqual(bad.json['status'], { user: {}, error: 'invalid bearer token' });
  const empty = await ask(root, 'POST', path, { spec: {} });
  t.is(empty.message, 'token is required for TokenReview in authentication');
  t.is((await ask(bob, 'POST', path, { spec: { token: 'good' } })).status, 403);
});

test('[k8s 119] reviews take protobuf bodies as kubectl 1.32 and later send them', async (t) => {
  const { ask } = await start(t);
  const kind = 'SubjectAccessReview';
  const object = {
    apiVersion: 'authorization.k8s.io/v1',
    kind,
    metadata: {},
    spec: {
      user: 'root',
      groups: ['system:masters'],
      extra: { scopes: ['a', 'b'], more: ['c'] },
      uid: 'u',
      resourceAttributes: { verb: 'get', resource: 'services' },
    },
  };
  const body = toProtobufBody(kindNamed(kind).schema, object);
  const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
  const answer = await ask(root, 'POST', `${authorization}/subjectaccessreviews`, body, {
    headers,
  });
  t.is(answer.status, 201, answer.text);
  t.deepEqual(answer.json['spec'], object.spec);
  t.deepEqual(answer.json['status'], { allowed: true });
});

test('[k8s 119] reviews can only be created, and discovery says so', async (t) => {
  const { ask } = await start(t);
  const list = await ask(root, 'GET', `${authorization}/selfsubjectaccessreviews`);
  t.is(list.status, 405);
  const discovery = await ask(root, 'GET', authorization);
  const resources = discovery.json['resources'] as readonly { name: string; verbs: string[] }[];
  t.deepEqual(resources.map(({ name, verbs }) => [name, verbs]).sort(), [
    ['localsubjectaccessreviews', ['create']],
    ['selfsubjectaccessreviews', ['create']],
    ['selfsubjectrulesreviews', ['create']],
    ['subjectaccessreviews', ['create']],
  ]);
});
