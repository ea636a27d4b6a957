// kubectl's own words about users and rights, with every version of the supported range: can-i,
// can-i --list, whoami, reconcile, and acting as somebody else.

import type { ExecutionContext } from 'ava';
import { paths, root, startAccessApi, type AccessApi } from '../support/access-api.ts';
import { listenForTest } from '../support/https-fixture.ts';
import { nameMissingKubectls } from '../support/kubectl-versions.ts';
import { createKubectl, type Kubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';

const minors = ['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36'];

interface Started {
  readonly kubectl: Kubectl;
  readonly access: AccessApi;
}

async function start(t: ExecutionContext, path: string): Promise<Started> {
  const access = await startAccessApi();
  const https = await listenForTest(access.api);
  const kubectl = createKubectl(path, https);
  t.teardown(async () => {
    await https.listener.close();
    await access.close();
    kubectl.remove();
  });
  return { kubectl, access };
}

async function askWhatOneMay(t: ExecutionContext, { kubectl, access }: Started): Promise<void> {
  const role = ['create', 'role', 'reader', '-n', 'shop', '--verb=get,list', '--resource=services'];
  t.is(await kubectl.ok(role), 'role.rbac.authorization.k8s.io/reader created\n');
  const binding = ['create', 'rolebinding', 'b', '-n', 'shop', '--role=reader', '--user=bob'];
  t.is(await kubectl.ok(binding), 'rolebinding.rbac.authorization.k8s.io/b created\n');
  await access.rights.idle();
  t.is(await kubectl.ok(['auth', 'can-i', 'create', 'services']), 'yes\n');
  const bob = ['--as=bob', '-n', 'shop'];
  t.is(await kubectl.ok(['auth', 'can-i', 'list', 'svc', ...bob]), 'yes\n');
  const no = await kubectl.run(['auth', 'can-i', 'delete', 'svc', ...bob]);
  t.is(no.stdout, 'no\n');
  t.is(no.code, 1);
  t.is((await kubectl.run(['auth', 'can-i', 'list', 'svc', '--as=bob'])).stdout, 'no\n');
  t.is(await kubectl.ok(['auth', 'can-i', 'get', '/healthz', '--as=bob']), 'yes\n');
  t.is((await kubectl.run(['auth', 'can-i', 'get', '/metrics', '--as=bob'])).stdout, 'no\n');
  const refused = await kubectl.run(['get', 'secrets', ...bob]);
  t.is(
    refused.stderr,
    'Error from server (Forbidden): secrets is forbidden: User "bob" cannot list resource ' +
      '"secrets" in API group "" in the namespace "shop"\n',
  );
}

/** Resources, names and verbs of each line, paths apart. */
async function listRights(t: ExecutionContext, { kubectl }: Started): Promise<void> {
  const listed = await kubectl.ok(['auth', 'can-i', '--list', '--as=bob', '-n', 'shop']);
  const rows = listed
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/\s+/g, ' ').trim());
  t.regex(listed, /^Resources +Non-Resource URLs +Resource Names +Verbs\n/);
  t.true(rows.includes('services [] [] [get list]'), listed);
  t.true(rows.includes('selfsubjectaccessreviews.authorization.k8s.io [] [] [create]'), listed);
  t.true(rows.includes('[/openapi/*] [] [get]'), listed);
  t.false(listed.includes('*.*'));
  const all = await kubectl.ok(['auth', 'can-i', '--list']);
  t.regex(all, /^\*\.\* +\[\] +\[\] +\[\*\]$/m);
  t.regex(all, /^ +\[\*\] +\[\] +\[\*\]$/m);
}

async function actAsOthers(t: ExecutionContext, { kubectl, access }: Started): Promise<void> {
  const group = [{ kind: 'Group', name: 'ops' }];
  await access.make(paths.clusterRoleBindings, {
    metadata: { name: 'ops' },
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: group,
  });
  t.regex(await kubectl.ok(['get', 'ns', '--as=eve', '--as-group=ops']), /^NAME +STATUS +AGE/);
  t.is((await kubectl.run(['get', 'ns', '--as=eve', '--as-group=other'])).code, 1);
  const alone = await kubectl.run(['get', 'ns', '--as-group=ops']);
  t.is(alone.code, 1);
  t.regex(alone.stderr, /without impersonating a user/);
  const chain = await kubectl.run(['auth', 'can-i', 'impersonate', 'users', '--as=eve']);
  t.is(chain.stdout.split('\n').at(-2), 'no');
}

/** In this file `auth whoami` is there from 1.28 on. */
async function tellWhoOneIs(t: ExecutionContext, { kubectl }: Started): Promise<void> {
  const me = await kubectl.ok(['auth', 'whoami']);
  t.regex(me, /^Username +admin$/m);
  t.regex(me, /^Groups +\[system:masters system:authenticated\]$/m);
  t.regex(me, /authentication.kubernetes.io\/credential-id +\[X509SHA256=[0-9a-f]{64}\]/);
  const carol = await kubectl.ok(['auth', 'whoami', '--as=carol', '--as-uid=u-1', '-o', 'json']);
  t.like((JSON.parse(carol) as { status: object }).status, {
    userInfo: { username: 'carol', uid: 'u-1', groups: ['system:authenticated'] },
  });
}

const reconciled = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reader, namespace: shop }
rules:
- { apiGroups: [""], resources: [configmaps], verbs: [get] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: viewers }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view }
subjects:
- { apiGroup: rbac.authorization.k8s.io, kind: User, name: vera }
`;

async function reconcile(t: ExecutionContext, { kubectl, access }: Started): Promise<void> {
  const file = kubectl.file('rbac.yaml', reconciled);
  const first = await kubectl.ok(['auth', 'reconcile', '-f', file]);
  t.regex(first, /role.rbac.authorization.k8s.io\/reader reconciled/);
  t.regex(first, /clusterrolebinding.rbac.authorization.k8s.io\/viewers reconciled/);
  const role = await access.ask(root, 'GET', `${paths.roles}/reader`);
  t.is((role.json['rules'] as readonly object[]).length, 2, 'what was there stays');
  const again = await kubectl.ok(['auth', 'reconcile', '-f', file]);
  t.regex(again, /role.rbac.authorization.k8s.io\/reader unchanged|reconciled/);
  const after = await access.ask(root, 'GET', `${paths.roles}/reader`);
  t.deepEqual(after.json['metadata'], role.json['metadata'], 'nothing was written again');
}

async function showRoles(t: ExecutionContext, { kubectl }: Started): Promise<void> {
  t.regex(await kubectl.ok(['get', 'clusterroles']), /^NAME +CREATED AT\nadmin +20/);
  t.regex(
    await kubectl.ok(['get', 'rolebindings', '-n', 'shop']),
    /^NAME +ROLE +AGE\nb +Role\/reader/,
  );
  t.regex(
    await kubectl.ok(['get', 'clusterrolebindings', '-o', 'wide']),
    /^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\ncluster-admin +ClusterRole\/cluster-admin +\S+ +system:masters/,
  );
  t.regex(
    await kubectl.ok(['describe', 'clusterrole', 'view']),
    /serviceshards.isthmus.dev +\[\] +\[\] +\[get list watch\]/,
  );
  t.regex(await kubectl.ok(['explain', 'rolebinding.subjects']), /kind\s+<string>/);
}

const { found, notFound } = findKubectls(minors);
const test = testWith('kubectl');

for (const { minor, path } of found) {
  test(`[k8s 119, 120] kubectl ${minor} auth: can-i, --list, whoami, reconcile and --as`, async (t) => {
    t.timeout(120_000);
    const started = await start(t, path);
    await askWhatOneMay(t, started);
    await listRights(t, started);
    await actAsOthers(t, started);
    await showRoles(t, started);
    await reconcile(t, started);
    if (Number(minor.split('.')[1]) >= 28) await tellWhoOneIs(t, started);
  });
}

nameMissingKubectls(notFound, 'who may do what');
