// clusters/NAME/credentials: written, never read, and reached by no wildcard.

import test, { type ExecutionContext } from 'ava';
import type { JsonObject } from '../../common/model/kube-object.ts';
import { toLogKey } from '../../common/model/ids.ts';
import { parseAuditPolicy } from '../../coordinator/api/machinery/access/audit-policy.ts';
import { bind, paths, root, startAccessApi, user, type AccessApi } from '../support/access-api.ts';

const clusters = '/apis/isthmus.dev/v1alpha1/clusters';
const credentials = `${clusters}/one/credentials`;

const kubeconfig = (token: string): string =>
  JSON.stringify({
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: 'https://c' } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  });
const body = (token: string, name = 'one') => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'ClusterCredentials',
  metadata: { name },
  spec: { kubeconfig: kubeconfig(token) },
});

async function start(t: ExecutionContext): Promise<AccessApi & { events: JsonObject[] }> {
  const events: JsonObject[] = [];
  const policy = parseAuditPolicy({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    rules: [{ level: 'RequestResponse' }],
  });
  if (typeof policy === 'string') throw new Error(policy);
  const sink = { write: (event: JsonObject) => void events.push(event) };
  const access = await startAccessApi({ more: { audit: { policy, sink } } });
  t.teardown(() => access.close());
  await access.make(clusters, { metadata: { name: 'one' } });
  return { ...access, events };
}

const key = toLogKey({ group: 'isthmus.dev', resource: 'clustercredentials', name: 'one' });

test('credentials are written and replaced, and no answer shows them', async (t) => {
  const { ask, desired } = await start(t);
  const made = await ask(root, 'PUT', credentials, body('secret-1'));
  t.is(made.status, 201, made.text);
  t.regex(JSON.stringify(desired.get(key)?.object.spec), /secret-1/);
  const replaced = await ask(root, 'PUT', credentials, body('secret-2'));
  t.is(replaced.status, 200, replaced.text);
  t.regex(JSON.stringify(desired.get(key)?.object.spec), /secret-2/);
  const dry = await ask(root, 'PUT', `${credentials}?dryRun=All`, body('secret-3'));
  t.is(dry.status, 200);
  for (const { text } of [made, replaced, dry]) t.notRegex(text, /secret/);
  t.like(made.json, { kind: 'ClusterCredentials', metadata: { name: 'one' } });
  const again = await ask(root, 'POST', credentials, body('secret-4', ''));
  t.is(again.status, 409, again.text);
  const gone = await ask(root, 'DELETE', credentials);
  t.is(gone.status, 200);
  t.notRegex(gone.text, /secret/);
  t.is(desired.get(key), undefined);
  t.is((await ask(root, 'POST', credentials, body('secret-5', ''))).status, 201);
});

test('nobody reads, lists, watches or patches them, not even root', async (t) => {
  const { ask } = await start(t);
  await ask(root, 'PUT', credentials, body('secret'));
  for (const method of ['GET', 'PATCH', 'HEAD']) {
    t.is((await ask(root, method, credentials)).status, 405, method);
  }
  t.is((await ask(root, 'GET', '/apis/isthmus.dev/v1alpha1/clustercredentials')).status, 404);
  t.is((await ask(root, 'GET', '/apis/isthmus.dev/v1alpha1/clustercredentials/one')).status, 404);
  t.notRegex((await ask(root, 'GET', `${clusters}/one`)).text, /secret/);
});

test('they belong to the Cluster that is there: none, no credentials', async (t) => {
  const { ask, desired } = await start(t);
  const missing = await ask(root, 'PUT', `${clusters}/two/credentials`, body('secret', 'two'));
  t.is(missing.status, 404);
  t.is(missing.message, 'clusters.isthmus.dev "two" not found');
  const other = await ask(root, 'PUT', credentials, body('secret', 'two'));
  t.is(other.status, 400);
  await ask(root, 'PUT', credentials, body('secret'));
  const { metadata } =
    desired.get(toLogKey({ group: 'isthmus.dev', resource: 'clusters', name: 'one' }))?.object ??
    {};
  t.like(desired.get(key)?.object.metadata.ownerReferences?.[0], {
    kind: 'Cluster',
    name: 'one',
    uid: metadata?.uid,
  });
});

test('what is wrong is named by its field, without the secret', async (t) => {
  const { ask, desired } = await start(t);
  const wrong = kubeconfig('hunter2').replace('https:', 'ftp:');
  const answer = await ask(root, 'PUT', credentials, {
    ...body(''),
    spec: { kubeconfig: wrong },
  });
  t.is(answer.status, 422);
  t.is(
    answer.message,
    'ClusterCredentials.isthmus.dev "one" is invalid: ' +
      'spec.kubeconfig.clusters[0].cluster.server: Invalid value: must be a URL that begins with https://',
  );
  t.notRegex(answer.text, /hunter2/);
  t.is((await ask(root, 'PUT', credentials, { ...body(''), spec: {} })).status, 422);
  t.is(desired.get(key), undefined);
});

const rule = (resources: readonly string[]) => ({
  verbs: ['*'],
  apiGroups: ['*'],
  resources,
});

test('a role reaches them by their name alone, whatever its wildcards are', async (t) => {
  const { ask, make } = await start(t);
  const cases = [
    ['*'],
    ['clusters'],
    ['clusters/*'],
    ['*/credentials'],
    ['*/*'],
    ['clusters', '*'],
  ] as const;
  for (const [index, resources] of cases.entries()) {
    const name = `wide-${index}`;
    await make(paths.clusterRoles, { metadata: { name }, rules: [rule(resources)] });
    await make(paths.clusterRoleBindings, bind(name, { role: name, user: name }));
    const refused = await ask(user(name), 'PUT', credentials, body('secret'));
    t.is(refused.status, 403, resources.join());
  }
  await make(paths.clusterRoleBindings, bind('ca', { role: 'cluster-admin', user: 'ca' }));
  t.is((await ask(user('ca'), 'PUT', credentials, body('secret'))).status, 403);
  await make(
    paths.clusterRoleBindings,
    bind('cc', { role: 'isthmus:cluster-credentials', user: 'cc' }),
  );
  t.is((await ask(user('cc'), 'PUT', credentials, body('secret'))).status, 201);
  t.is((await ask(user('cc'), 'GET', `${clusters}/one`)).status, 403);
});

test('who holds every wildcard cannot pass the right on without saying so', async (t) => {
  const { ask, make } = await start(t);
  const almost = { ...rule(['*']), verbs: ['create', 'update', 'get', 'bind'] };
  await make(paths.clusterRoles, { metadata: { name: 'almost' }, rules: [almost] });
  await make(paths.clusterRoleBindings, bind('al', { role: 'almost', user: 'al' }));
  const named = {
    verbs: ['update'],
    apiGroups: ['isthmus.dev'],
    resources: ['clusters/credentials'],
  };
  const made = await ask(user('al'), 'POST', paths.clusterRoles, {
    metadata: { name: 'mine' },
    rules: [named],
  });
  t.is(made.status, 403, made.text);
  t.regex(made.message, /clusters\/credentials/);
});

test('I9: no audit event holds them', async (t) => {
  const { ask, events } = await start(t);
  await ask(root, 'PUT', credentials, body('secret-1'));
  await ask(root, 'PUT', credentials, { ...body('secret-2'), spec: { kubeconfig: '{secret-3' } });
  const own = events.filter((event) => String(event['requestURI']).endsWith('credentials'));
  t.true(own.length >= 2);
  t.notRegex(JSON.stringify(own), /secret/);
  t.like(own[0]?.['objectRef'], { resource: 'clusters', subresource: 'credentials', name: 'one' });
});

test('discovery and OpenAPI tell of them', async (t) => {
  const { ask } = await start(t);
  const list = await ask(root, 'GET', '/apis/isthmus.dev/v1alpha1');
  const found = (list.json['resources'] as readonly JsonObject[]).find(
    ({ name }) => name === 'clusters/credentials',
  );
  t.deepEqual(found, {
    name: 'clusters/credentials',
    singularName: '',
    namespaced: false,
    kind: 'ClusterCredentials',
    verbs: ['create', 'delete', 'update'],
  });
  const openApi = await ask(root, 'GET', '/openapi/v3/apis/isthmus.dev/v1alpha1');
  const all = openApi.json['paths'] as JsonObject;
  const path = all['/apis/isthmus.dev/v1alpha1/clusters/{name}/credentials'];
  t.deepEqual(Object.keys(path ?? {}).sort(), ['delete', 'parameters', 'post', 'put']);
});
