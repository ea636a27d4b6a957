// What somebody tries who has few rights or none, and must not get by it.

import test from 'ava';
import { parse } from 'yaml';
import { systemClock } from '../../common/runtime/clock.ts';
import type { UserInfo } from '../../coordinator/api/machinery/access/access.ts';
import type { ApiOptions } from '../../coordinator/api/machinery/api.ts';
import { bind, paths, root, startAccessApi, user, type AccessApi } from '../support/access-api.ts';

async function start(
  t: { teardown(run: () => Promise<void>): void },
  more: Partial<ApiOptions> = {},
): Promise<AccessApi> {
  const access = await startAccessApi({ more });
  t.teardown(() => access.close());
  return access;
}

const bob = user('bob');
const secrets = '/api/v1/namespaces/shop/secrets';

test('[k8s 118] a right to one name is no right to what a selector only seems to bound', async (t) => {
  const { ask, make } = await start(t);
  const rule = {
    verbs: ['get', 'list', 'watch'],
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: ['mine'],
  };
  await make(paths.roles, { metadata: { name: 'mine-only' }, rules: [rule] });
  await make(paths.roleBindings, bind('b', { role: 'mine-only', kind: 'Role', user: 'bob' }));
  await make(secrets, { metadata: { name: 'theirs' }, stringData: { password: 'hush' } });
  const list = (selector: string, more = '') =>
    ask(bob, 'GET', `${secrets}?fieldSelector=${encodeURIComponent(selector)}${more}`);
  t.is((await list('metadata.name=mine')).status, 200);
  t.is((await list('type!=x,metadata.name=mine')).status, 200);
  for (const selector of [
    'type!=x\\,metadata.name=mine',
    'metadata.namespace!=x\\,metadata.name=mine',
    'metadata.namespace!=x\\\\\\,metadata.name=mine',
    'metadata.name!=x\\,metadata.name=mine',
    ' metadata.name=mine',
    'metadata.name=theirs,metadata.name=mine',
  ]) {
    t.is((await list(selector)).status, 403, selector);
    t.is((await list(selector, '&watch=1')).status, 403, selector);
  }
  const twice = await list('metadata.name=mine,metadata.name=theirs');
  t.deepEqual(twice.json['items'], []);
  const repeated = await list('metadata.name=mine', '&fieldSelector=');
  t.deepEqual(repeated.json['items'], []);
});

test('[k8s 53, 54] a selector made to keep the server busy is refused', async (t) => {
  const { ask } = await start(t);
  const many = (term: string) => encodeURIComponent(Array(1_001).fill(term).join(','));
  for (const query of [`labelSelector=${many('a!=b')}`, `fieldSelector=${many('type!=b')}`]) {
    const { status, message } = await ask(root, 'GET', `${secrets}?${query}`);
    t.is(status, 400);
    t.regex(message, /a selector of 1001 terms: at most 1000/);
  }
});

test('a method or a media type that every object inherits is unknown', async (t) => {
  const { ask } = await start(t);
  for (const method of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    const refused = await ask(bob, method, `${secrets}/a`);
    t.is(refused.status, 403);
    t.regex(refused.message, new RegExp(`cannot ${method.toLowerCase()} resource "secrets"`));
    t.is((await ask(root, method, `${secrets}/a`)).status, 405);
    const headers = { accept: method };
    t.is((await ask(root, 'GET', '/openapi/v2', undefined, { headers })).status, 406);
  }
});

test('[k8s 122] one user holds half of the watches at most, and the others find room', async (t) => {
  const { api, make } = await start(t, { watchesMax: 4 });
  const rules = [{ verbs: ['watch'], apiGroups: [''], resources: ['services'] }];
  await make(paths.clusterRoles, { metadata: { name: 'watcher' }, rules });
  for (const name of ['bob', 'alice']) {
    await make(paths.clusterRoleBindings, bind(name, { role: 'watcher', user: name }));
  }
  const open = async (who: UserInfo) => {
    const gone = new AbortController();
    const target = `${paths.services}?watch=1`;
    const body = new Uint8Array();
    const asked = { method: 'GET', target, headers: {}, body, user: who, signal: gone.signal };
    const response = await api.handle(asked);
    if (!(response.body instanceof Uint8Array)) response.body.start(deafSink);
    return { status: response.status, leave: () => gone.abort() };
  };
  const first = await open(bob);
  t.is((await open(bob)).status, 200);
  t.is((await open(bob)).status, 429);
  t.is((await open(user('alice'))).status, 200);
  first.leave();
  t.is((await open(bob)).status, 200);
  t.is((await open(root)).status, 200);
  t.is((await open(root)).status, 429, 'there are no more than four');
});

test('[k8s 118] a role whose lists multiply to millions of rights is refused, not gone through', async (t) => {
  const { ask, make } = await start(t);
  await make(paths.roleBindings, bind('b', { role: 'admin', user: 'bob' }));
  const many = (head: string) => Array.from({ length: 300 }, (_, index) => `${head}${index}`);
  const rule = {
    verbs: many('v'),
    apiGroups: many('g'),
    resources: many('r'),
    resourceNames: many('n'),
  };
  const refused = await ask(bob, 'POST', paths.roles, { metadata: { name: 'w' }, rules: [rule] });
  t.is(refused.status, 403);
  t.regex(refused.message, /multiply to 8100000000 single rights, of which 10000 at most/);
  const { status } = await ask(root, 'POST', paths.roles, {
    metadata: { name: 'w' },
    rules: [rule],
  });
  t.is(status, 201);
  const binding = await ask(bob, 'POST', paths.roleBindings, {
    ...bind('w', { role: 'w', kind: 'Role', user: 'bob' }),
  });
  t.is(binding.status, 403);
});

test('I11 a long object in YAML is JSON on a line, which is YAML: nobody waits for its writer', async (t) => {
  const { ask, make } = await start(t);
  const maps = '/api/v1/namespaces/shop/configmaps';
  const data = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, index) => [`k${index}`, 'two: # words\n\n'] as const),
  );
  await make(maps, { metadata: { name: 'a', labels: { short: 'yes' } } });
  await make(maps, { metadata: { name: 'b' }, data });
  const headers = { accept: 'application/yaml' };
  const one = await ask(root, 'GET', `${maps}/b`, undefined, { headers });
  t.is(one.text.trimEnd().split('\n').length, 1);
  t.deepEqual((parse(one.text) as { data: unknown }).data, data);
  const list = parse((await ask(root, 'GET', maps, undefined, { headers })).text) as {
    readonly items: readonly { readonly data?: unknown }[];
  };
  t.deepEqual(
    list.items.map((item) => item.data),
    [undefined, data],
  );
});

test('I11 a path of slashes and a rule of stars take no longer than others', async (t) => {
  const { ask, make } = await start(t);
  const rules = [{ verbs: ['get'], nonResourceURLs: [`/${'*'.repeat(60_000)}x*`] }];
  await make(paths.clusterRoles, { metadata: { name: 'stars' }, rules });
  await make(paths.clusterRoleBindings, bind('b', { role: 'stars', user: 'bob' }));
  const startMs = systemClock.monotonicMs();
  t.is((await ask(bob, 'GET', `/api/${'/'.repeat(60_000)}x`)).status, 404);
  t.is((await ask(bob, 'GET', '/nowhere')).status, 403);
  t.is((await ask(root, 'GET', '/version///')).status, 200);
  t.true(systemClock.monotonicMs() - startMs < 1_000);
});

test('I11 YAML that is wrong in every place is refused for the first, at once', async (t) => {
  const { ask } = await start(t);
  const headers = { 'content-type': 'application/yaml' };
  const startMs = systemClock.monotonicMs();
  for (const mark of ['"', '{', '[', '"a" ']) {
    const body = Buffer.from(mark.repeat(50_000));
    const refused = await ask(root, 'POST', secrets, undefined, { headers, body });
    t.true(refused.status === 400 || refused.status === 413, mark);
  }
  t.true(systemClock.monotonicMs() - startMs < 5_000);
});

const deafSink = {
  write: () => undefined,
  bufferedBytes: () => 0,
  drained: () => Promise.resolve(),
  end: () => undefined,
};
