// Acting in somebody else's name: each part is a right, and what is refused says so.

import test from 'ava';
import { bind, paths, root, startAccessApi, user, type AccessApi } from '../support/access-api.ts';

async function start(t: { teardown(run: () => Promise<void>): void }): Promise<AccessApi> {
  const access = await startAccessApi();
  t.teardown(() => access.close());
  return access;
}

const bob = user('bob');
const whoAmI = '/apis/authentication.k8s.io/v1/selfsubjectreviews';

/** Header lines as a client sent them. */
function lines(...pairs: readonly (readonly [string, string])[]) {
  return {
    headers: Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value])),
    rawHeaders: pairs.flat(),
  };
}

interface WhoAmI {
  readonly userInfo: Readonly<Record<string, unknown>>;
}

test('[k8s 120] who may do everything acts as a user, with groups, uid and extras', async (t) => {
  const { ask } = await start(t);
  const as = async (...pairs: readonly (readonly [string, string])[]) => {
    const answer = await ask(root, 'POST', whoAmI, {}, lines(...pairs));
    return (answer.json['status'] as WhoAmI).userInfo;
  };
  t.deepEqual(await as(['Impersonate-User', 'carol']), {
    username: 'carol',
    groups: ['system:authenticated'],
  });
  t.deepEqual(
    await as(
      ['Impersonate-User', 'carol'],
      ['Impersonate-Group', 'a, b'],
      ['Impersonate-Group', 'dev'],
      ['Impersonate-Uid', 'u-1'],
      ['Impersonate-Extra-Example.com%2Fscope', 'x'],
      ['Impersonate-Extra-Example.com%2Fscope', 'y'],
    ),
    {
      username: 'carol',
      uid: 'u-1',
      groups: ['a, b', 'dev', 'system:authenticated'],
      extra: { 'example.com/scope': ['x', 'y'] },
    },
  );
  t.deepEqual(await as(['Impersonate-User', 'system:serviceaccount:shop:robot']), {
    username: 'system:serviceaccount:shop:robot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
  });
});

test('[k8s 120] rights are those of the impersonated user, not of the asker', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roleBindings, bind('c', { role: 'view', user: 'carol' }));
  const as = (name: string) => lines(['Impersonate-User', name]);
  t.is((await ask(root, 'GET', paths.services, undefined, as('carol'))).status, 200);
  const refused = await ask(root, 'GET', paths.services, undefined, as('dan'));
  t.regex(refused.message, /User "dan" cannot list resource "services"/);
});

test('[k8s 120] each part that is not allowed is refused by its own name', async (t) => {
  const { ask, make } = await start(t);
  const to = (...pairs: readonly (readonly [string, string])[]) =>
    ask(bob, 'POST', whoAmI, {}, lines(...pairs));
  const carol = ['Impersonate-User', 'carol'] as const;
  t.is(
    (await to(carol)).message,
    'users "carol" is forbidden: User "bob" cannot impersonate resource "users" in API group "" ' +
      'at the cluster scope',
  );
  t.is(
    (await to(['Impersonate-User', 'system:serviceaccount:shop:robot'])).message,
    'serviceaccounts "robot" is forbidden: User "bob" cannot impersonate resource ' +
      '"serviceaccounts" in API group "" in the namespace "shop"',
  );
  await make(paths.clusterRoles, {
    metadata: { name: 'carol' },
    rules: [
      { verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['carol'] },
    ],
  });
  await make(paths.clusterRoleBindings, bind('i', { role: 'carol', user: 'bob' }));
  t.is((await to(carol)).status, 201);
  t.is((await to(['Impersonate-User', 'dan'])).status, 403);
  t.is(
    (await to(carol, ['Impersonate-Group', 'system:masters'])).message,
    'groups "system:masters" is forbidden: User "bob" cannot impersonate resource "groups" in ' +
      'API group "" at the cluster scope',
  );
  t.is(
    (await to(carol, ['Impersonate-Uid', 'u'])).message,
    'uids.authentication.k8s.io "u" is forbidden: User "bob" cannot impersonate resource "uids" ' +
      'in API group "authentication.k8s.io" at the cluster scope',
  );
  t.is(
    (await to(carol, ['Impersonate-Extra-scopes', 'view'])).message,
    'userextras.authentication.k8s.io "view" is forbidden: User "bob" cannot impersonate ' +
      'resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope',
  );
});

test('[k8s 120] a group without a user is answered as kube-apiserver 1.34 answers it', async (t) => {
  const { ask } = await start(t);
  const answer = await ask(root, 'POST', whoAmI, {}, lines(['Impersonate-Group', 'dev']));
  t.is(answer.status, 500);
  t.is(
    answer.text,
    `Internal Server Error: "${whoAmI}": requested [{Group  dev    }] without impersonating a user\n`,
  );
  t.is(answer.headers['content-type'], 'text/plain; charset=utf-8');
});

test('[k8s 120] strangers may impersonate nobody', async (t) => {
  const { ask } = await start(t);
  const answer = await ask(
    undefined,
    'GET',
    '/version',
    undefined,
    lines(['Impersonate-User', 'root']),
  );
  t.is(answer.status, 403);
  t.regex(answer.message, /^users "root" is forbidden: User "system:anonymous" cannot impersonate/);
});
